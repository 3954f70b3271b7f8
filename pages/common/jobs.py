"""Heavy work of a page: computed once, with progress, cut short by whatever the user does next."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import streamlit as st
from torch import Tensor

from pages.common.cache import results
from pages.common.progress import Progress, TimedBar
from pages.common.queue import WORK, GiveWay
from xdnn_core.experiments.comparison import Prediction, predict
from xdnn_core.models.zoo import PretrainedModel

Job = Callable[[Progress], Any]

# Rows a gradient call. A click cuts in between two of them; 32 rows are 5 % faster, but let a click
# wait for up to half a second on two cores.
CHUNK = 16


def predictions(
    models: Sequence[PretrainedModel], inputs: Tensor, digest: str
) -> list[list[Prediction]]:
    """Every network's classes for an image (1, 3, H, W), most confident first; asked once."""
    found = []
    for model in models:
        key = ("prediction", model.name, digest)
        one = results().get(key)
        if one is None:
            one = predict(model, inputs)
            results().put(key, one)
        found.append(one)
    return found


def kept(keys: list[Hashable]) -> list[Any] | None:
    """The results under these keys, if all of them are there."""
    found = [results().get(key) for key in keys]
    return None if any(one is None for one in found) else found


def compute_missing(jobs: Mapping[Hashable, Job], label: str, evaluations: int) -> list[Any]:
    """Compute what is not there yet, with progress; a rerun cuts in and keeps what is done.

    `evaluations` are the gradient evaluations of all jobs together: smaller work goes first.
    """
    bar = TimedBar(label, parts=len(jobs))
    found = []
    with WORK.picture_turn(evaluations, bar.waiting) as give_way:
        for key, job in jobs.items():
            progress = _between_chunks(give_way, bar.part())
            one = results().get(key)
            if one is None:
                one = job(progress)
                results().put(key, one)
            found.append(one)
    bar.clear()
    return found


def _between_chunks(give_way: GiveWay, progress: Progress) -> Progress:
    """A progress that also lets smaller work in; a chunk is done whenever it is called."""

    def show(done: int, total: int) -> None:
        progress(done, total)
        if done < total:
            give_way()

    return show


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
            on_click=lambda: st.session_state.pop("left_coarse", None),
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
