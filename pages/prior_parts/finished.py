"""A finished run, stored with the app: what the charts show until the user starts one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import streamlit as st

from pages.common.wording import plain
from pages.prior_parts.kept_run import KeptRun, read_run
from pages.prior_parts.scales import path_label
from xdnn_core.io import ASSETS
from xdnn_core.priors.live_state import Snapshot

FILE: Final = ASSETS / "finished_run.json"
MAX_BYTES: Final = 100_000
_BEGUN: Final = "prior_begun"  # session state: whether this session has had a run of its own


@dataclass(frozen=True)
class FinishedRun:
    """The run, and how it was made."""

    run: KeptRun
    command: str
    hardware: str

    @property
    def label(self) -> str:
        """What it is, and that it is not the user's."""
        run, made = self.run, date.fromisoformat(self.run.created[:10])
        return (
            f"**A finished run, stored with the app**: {plain(run.cohort_title)}, {run.epoch} "
            f"epochs, λ {path_label(run.strengths)}, {run.config.replicates} replicates; made by "
            f"`{self.command}` on {made.day} {made:%B %Y}, {self.hardware}. "
            "It makes way for yours."
        )


@st.cache_resource(show_spinner=False)
def finished_run() -> FinishedRun:
    """Read the run that comes with the app."""
    size = FILE.stat().st_size
    if size > MAX_BYTES:
        raise ValueError(f"{FILE.name} has {size} bytes; allowed are {MAX_BYTES}")
    values = json.loads(FILE.read_text(encoding="utf-8"))
    run = read_run(json.dumps(values["run"]), id="", name="finished run", created=values["created"])
    return FinishedRun(run, values["command"], values["hardware"])


def shown_until_start(snapshot: Snapshot, others: Sequence[object]) -> FinishedRun | None:
    """The run, as long as this session has had none, lays none over, and trains on its cohort."""
    if snapshot.epoch or snapshot.state != "ready":
        st.session_state[_BEGUN] = True
    if st.session_state.get(_BEGUN) or others:
        return None
    finished = finished_run()
    return finished if snapshot.cohort == finished.run.cohort else None
