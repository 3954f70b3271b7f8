"""Heavy work of a page: computed once, with progress, cut short by whatever the user does next."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import streamlit as st

from pages.shared.progress import Progress, TimedBar
from pages.shared.results import results
from xdnn_core.device import heavy_work

Job = Callable[[Progress], Any]

# Rows a gradient call. A click cuts in between two of them; 32 rows are 5 % faster, but let a click
# wait for up to half a second on two cores.
CHUNK = 16


def kept(keys: list[Hashable]) -> list[Any] | None:
    """The results under these keys, if all of them are there."""
    found = [results().get(key) for key in keys]
    return None if any(one is None for one in found) else found


def compute_missing(jobs: Mapping[Hashable, Job], label: str) -> list[Any]:
    """Compute what is not there yet, with progress; a rerun cuts in and keeps what is done."""
    bar = TimedBar(label, parts=len(jobs))
    found = []
    for key, job in jobs.items():
        progress = bar.part()
        one = results().get(key)
        if one is None:
            with heavy_work(bar.waiting):
                one = job(progress)
            results().put(key, one)
        found.append(one)
    bar.clear()
    return found


def refine(wanted: Hashable, offer: str, compute: Callable[[], object]) -> None:
    """Compute the full picture, then draw the page again; or leave it at the coarse one.

    Parameters
    ----------
    wanted
        Names the full picture.
    offer
        What the button says that takes it up again after a stop.
    compute
        Computes it, drawing its progress.
    """
    name = hash(wanted)
    if st.session_state.get("left_coarse") == name:
        st.button(
            offer,
            icon=":material/add:",
            on_click=lambda: st.session_state.pop("left_coarse"),
        )
        return
    slot = st.container(horizontal=True, vertical_alignment="center")
    slot.button(
        "Stop",
        icon=":material/stop:",
        on_click=lambda: st.session_state.update(left_coarse=name),
    )
    with slot:
        compute()
    st.rerun()
