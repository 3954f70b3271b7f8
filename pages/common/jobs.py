"""Heavy work of a page: computed once, with progress, cut short by whatever the user does next."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import streamlit as st

from pages.common.cache import results
from pages.common.progress import Progress, TimedBar
from pages.common.queue import WORK, GiveWay

# Rows a gradient call. A click cuts in between two of them; 32 rows are 5 % faster, but let a click
# wait for up to half a second on two cores.
CHUNK = 16
_STOPPED, _REQUESTED = "left_coarse", "requested"  # the job that was, in the session


@dataclass(frozen=True)
class Part:
    """What one network contributes to a job."""

    key: Hashable  # names the result in the cache
    compute: Callable[[Progress], Any]  # may go on from a coarser result in the cache
    evaluations: int  # gradient evaluations


@dataclass(frozen=True)
class Job:
    """Work with one choice of settings, one part a network."""

    settings: Any
    parts: tuple[Part, ...]

    @property
    def name(self) -> Hashable:
        """Tells it from others."""
        return tuple(part.key for part in self.parts)

    @property
    def evaluations(self) -> int:
        """Gradient evaluations of all parts together: smaller work goes first."""
        return sum(part.evaluations for part in self.parts)

    def cached(self) -> list[Any] | None:
        """The results, if all of them are there."""
        values = [results().get(part.key) for part in self.parts]
        return None if any(value is None for value in values) else values

    def compute(self, label: str) -> list[Any]:
        """Compute what is not there yet, with progress; a rerun cuts in and keeps what is done."""
        bar = TimedBar(label, parts=len(self.parts))
        with WORK.picture_turn(self.evaluations, bar.waiting) as give_way:
            # Another session may have been first while this one waited.
            values = [
                results().get_or_compute(
                    part.key, partial(part.compute, _between_chunks(give_way, bar.part()))
                )
                for part in self.parts
            ]
        bar.clear()
        return values


def _between_chunks(give_way: GiveWay, progress: Progress) -> Progress:
    """A progress that also lets smaller work in; a chunk is done whenever it is called."""

    def show(done: int, total: int) -> None:
        progress(done, total)
        if done < total:
            give_way()

    return show


def best(jobs: Sequence[Job], label: str) -> tuple[list[Any], Job]:
    """Results of the first of these jobs that is done; else of the last, computed now."""
    for job in jobs:
        values = job.cached()
        if values is not None:
            return values, job
    return jobs[-1].compute(label), jobs[-1]


def refine(job: Job, label: str, offer: str) -> None:
    """Do a job beside a Stop button and draw the page again; once stopped, offer to go on."""
    if st.session_state.get(_STOPPED) == job.name:
        st.button(offer, icon=":material/add:", on_click=_set, args=(_STOPPED, None))
        return
    _compute_beside("Stop", ":material/stop:", (_STOPPED, job.name), job, label)


def request(job: Job) -> None:
    """Have a job done when the page comes to it; for a button."""
    _set(_REQUESTED, job.name)


def is_requested(job: Job) -> bool:
    """Whether a job is asked for and not done yet."""
    return st.session_state.get(_REQUESTED) == job.name


def run_requested(job: Job, label: str) -> None:
    """Do a job that is asked for beside a Cancel button, and draw the page again."""
    if is_requested(job):
        _compute_beside("Cancel", ":material/close:", (_REQUESTED, None), job, label)


def _compute_beside(
    button: str, icon: str, click: tuple[str, Hashable], job: Job, label: str
) -> None:
    """Compute beside a button that ends it; then a rerun, as the page is drawn already."""
    row = st.container(horizontal=True, vertical_alignment="center")
    row.button(button, icon=icon, on_click=_set, args=click)
    with row:
        job.compute(label)
    if is_requested(job):
        _set(_REQUESTED, None)
    st.rerun()


def _set(key: str, name: Hashable) -> None:
    st.session_state[key] = name
