"""One browser session's place to train: its trainer ends with the session."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from pages.common.queue import WORK
from xdnn_core.data.cohorts.cohort import Cohort
from xdnn_core.priors.live import LiveTrainer
from xdnn_core.priors.live_state import LiveConfig, Snapshot


class TrainingSession:
    """At most one trainer at a time, and the settings the next run is to have."""

    def __init__(self) -> None:
        self.token = object()  # tells it from another without holding on to it
        self._trainer: LiveTrainer | None = None
        self._cohort: Cohort | None = None
        self._requested: tuple[Cohort, LiveConfig] | None = None
        self._revealed: dict[str, float | None] = {}  # cohort: λ its test was first revealed at

    def request_settings(self, cohort: Cohort, config: LiveConfig) -> None:
        """Take over the settings on screen.

        Before a run has begun they hold at once; later only its length and pace do, and the
        others wait for `reset`.
        """
        self._requested = (cohort, config)
        if self._trainer is None or (not self.has_run and cohort is not self._cohort):
            self._begin()
        elif self.has_run:
            self.trainer.steer(replace(config.steering, strength=self.snapshot.strength))
        elif config != self.snapshot.config:
            self.trainer.reset(config)

    @property
    def trainer(self) -> LiveTrainer:
        """The trainer of the run on screen."""
        assert self._trainer is not None, "request_settings() comes first"
        return self._trainer

    @property
    def snapshot(self) -> Snapshot:
        """The run on screen as it is now."""
        return self.trainer.snapshot()

    @property
    def has_run(self) -> bool:
        """Whether there is a run that new settings would throw away."""
        snapshot = self.snapshot
        begun = bool(snapshot.epoch) or snapshot.state not in ("ready", "failed")
        return begun or self.trainer.busy  # busy at once, before the snapshot says so

    @property
    def pending(self) -> bool:
        """Whether settings were changed that wait for `reset`; λ never does."""
        assert self._requested is not None
        cohort, config = self._requested
        running = self.snapshot.config
        return cohort is not self._cohort or replace(config, strength=running.strength) != running

    def reset(self) -> None:
        """Throw the run away for one with the settings on screen, λ as last set."""
        assert self._requested is not None
        cohort, config = self._requested
        config = replace(config, strength=self.snapshot.strength)
        self._requested = (cohort, config)
        if cohort is self._cohort:
            self.trainer.reset(config)
        else:
            self._begin()

    def close(self) -> None:
        """End training for good; only sets a flag."""
        if self._trainer is not None:
            self._trainer.stop()

    def _begin(self) -> None:
        assert self._requested is not None
        self.close()
        if self._trainer is not None and self._cohort is not None:
            self._revealed[self._cohort.fingerprint] = self._trainer.revealed_strength
        self._cohort, config = self._requested
        revealed = self._revealed.get(self._cohort.fingerprint)
        self._trainer = LiveTrainer(
            self._cohort, config, turn=WORK.training_turn, revealed_strength=revealed
        )


@st.cache_resource(scope="session", on_release=TrainingSession.close, show_spinner=False)
def training_session() -> TrainingSession:
    """The training of this browser session."""
    return TrainingSession()
