"""The heavy work of Axioms: asked for by a button, with progress, and a way out."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from pages.common.cache import results
from pages.common.jobs import compute_missing
from pages.common.photo import Photo
from pages.common.progress import Progress
from xdnn_core.axioms.axioms import AXIOMS
from xdnn_core.axioms.loaded import gradient_calls
from xdnn_core.axioms.network import NetworkSettings
from xdnn_core.experiments.table1 import Table1, run_table1
from xdnn_core.experiments.table1_network import NetworkTable1, run_network_table1
from xdnn_core.figures.panels import network_name
from xdnn_core.models.zoo import PretrainedModel

_ASKED = "axioms_asked"


def ask(key: Hashable) -> None:
    """Have a computation made, when the page comes to it."""
    st.session_state[_ASKED] = key


def is_asked(key: Hashable) -> bool:
    """Whether it was asked for and is not done yet."""
    return st.session_state.get(_ASKED) == key


def run_asked(
    key: Hashable, job: Callable[[Progress, dict], Any], label: str, evaluations: int
) -> None:
    """Compute, then draw the page again; Cancel leaves it at what there is.

    Parameters
    ----------
    key
        Names the result.
    job
        Takes a progress and the cells that are there already, to which it adds: where a rerun cuts
        in, or after a Cancel, it goes on.
    label
        Of the progress.
    evaluations
        Gradient evaluations it takes: smaller work goes first.
    """
    partial = ("partial", key)
    known = results().get(partial)
    if known is None:
        known = {}
        results().put(partial, known)
    slot = st.container(horizontal=True, vertical_alignment="center")
    slot.button(
        "Cancel", icon=":material/close:", on_click=lambda: st.session_state.pop(_ASKED, None)
    )
    with slot:
        compute_missing({key: lambda progress: job(progress, known)}, label, evaluations)
    st.session_state.pop(_ASKED, None)
    st.rerun()


@dataclass(frozen=True)
class RandomWork:
    """Table 1 on random networks: how many a cell, their seed, all without biases or not."""

    trials: int
    seed: int
    without_biases: bool

    @property
    def key(self) -> Hashable:
        """Name of the result."""
        return ("table1", self.trials, self.seed, self.without_biases)

    def run(self) -> None:
        """Try every cell."""
        run_asked(
            self.key,
            lambda progress, known: run_table1(
                self.trials, self.seed, progress=progress, known=known,
                without_biases=self.without_biases,
            ),
            f"Trying every cell on {self.trials:,} random networks",
            evaluations=self.trials * len(AXIOMS),
        )  # fmt: skip

    def found(self) -> Table1 | None:
        """The table, if it is there."""
        return results().get(self.key)


@dataclass(frozen=True)
class NetworkWork:
    """Table 1 on one network and one photograph."""

    model: PretrainedModel
    photo: Photo
    target: int
    settings: NetworkSettings

    @property
    def key(self) -> Hashable:
        """Name of the result."""
        return ("table1", self.model.name, self.photo.digest, self.target, self.settings)

    def run(self) -> None:
        """Try every cell."""
        run_asked(
            self.key,
            lambda progress, known: run_network_table1(
                self.model, self.photo.image, self.photo.key or "photo.jpg", self.target,
                self.settings, progress, known,
            ),
            f"Trying the axioms on {network_name(self.model)} in float64",
            evaluations=gradient_calls(self.model.is_xdnn, self.settings),
        )  # fmt: skip

    def found(self) -> NetworkTable1 | None:
        """The table, if it is there."""
        return results().get(self.key)
