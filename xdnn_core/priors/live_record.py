"""What a live run is asked for, how λ was steered, and the latest snapshot of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from xdnn_core.data.cohorts.cohort import Cohort
from xdnn_core.priors.live_state import LiveConfig, Snapshot, State, Steering, strength_marks
from xdnn_core.priors.method_curve import MethodCurve


class LiveRecord:
    """The settings of a run and its snapshot; changed under the lock of its trainer only.

    λ stands here and nowhere else: as last set in `steering`, and for every epoch that has begun
    in `strengths`. What a snapshot says of it is made of these two.
    """

    def __init__(
        self, cohort: Cohort, config: LiveConfig, place: str, revealed_strength: float | None
    ) -> None:
        self._cohort = cohort
        self._place = place
        self._version = -1
        self.revealed_strength = revealed_strength  # λ when a test score was first revealed
        self.clear(config, "ready")

    def clear(self, config: LiveConfig, state: State) -> None:
        """Forget the run; the next one is to have this config."""
        self.config = config
        self.steering = config.steering
        self.strengths: list[float] = []
        self._revealed = False  # in this run
        self._moved = False  # an epoch had another λ than the one the test was revealed at
        self._scored: tuple[MethodCurve, ...] = ()  # the curves with their test scores
        self.publish(state)

    def begin_epoch(self) -> float:
        """λ of the epoch that begins now."""
        strength = self.steering.strength
        self.strengths.append(strength)
        if self.revealed_strength not in (None, strength):
            self._moved = True
        return strength

    def steer(self, steering: Steering) -> None:
        """Take over what the next epochs are to have."""
        self.steering = steering
        state = self.snapshot.state
        if state in ("paused", "finished") and self.snapshot.epoch:
            state = "finished" if self.snapshot.epoch >= steering.epochs else "paused"
        self.change(state=state, **self._settings())

    def reveal(self) -> None:
        """Show test scores from now on."""
        if self._revealed:
            return
        self._revealed = True
        if self.revealed_strength is None:
            self.revealed_strength = self.steering.strength
        self.change(curves=self._scored, test_revealed=True)

    def publish(self, state: State, curves: tuple[MethodCurve, ...] = (), **measures: Any) -> None:
        """Make a new snapshot; `measures` are further fields of it."""
        self._version += 1
        self._scored = curves
        self.snapshot = Snapshot(
            version=self._version,
            state=state,
            cohort=self._cohort.name,
            cohort_title=self._cohort.title,
            outcome=self._cohort.outcome,
            curves=curves if self._revealed else tuple(curve.without_test() for curve in curves),
            test_revealed=self._revealed,
            moved_after_reveal=self._moved,
            place=self._place,
            **self._settings(),
            **measures,
        )

    def change(self, **changes: Any) -> None:
        """Make a new snapshot that differs in some fields."""
        self._version += 1
        self.snapshot = replace(self.snapshot, version=self._version, **changes)

    def _settings(self) -> dict[str, Any]:
        """The fields of a snapshot that tell what was asked for."""
        path = [*self.strengths, self.steering.strength]
        return {
            "config": self.config.steered(replace(self.steering, strength=path[0])),
            "strength": path[-1],
            "marks": strength_marks(path),
        }
