"""The networks of one live run, all methods side by side, and how fast they train."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from xdnn_core.data.cohorts.cohort import Cohort, Column
from xdnn_core.metrics.intervals import mean_and_band
from xdnn_core.priors.ensemble import EnsembleConfig, EpochRecord, PriorEnsemble, ShouldStop
from xdnn_core.priors.live_state import LiveConfig
from xdnn_core.priors.method_curve import TOP_FEATURES, MethodCurve, TopFeature
from xdnn_core.priors.methods import PriorMethod
from xdnn_core.priors.splits import SplitStack, stack_splits

_TEST_SECONDS = 1.0  # between two test scorings while training,
_TEST_SHARE = 9  # which take at most a tenth of the time
_PACE_EPOCHS = 20  # the recent pace is measured over
_MEANS = ("auc_mean", "auc_low", "auc_high", "loss", "penalty", "gini")  # of a `MethodCurve`


class LiveCurve:
    """Train one method and keep its curves."""

    def __init__(
        self, method: PriorMethod, splits: SplitStack, config: LiveConfig, columns: Sequence[Column]
    ) -> None:
        self.method = method
        self.columns = columns
        training = EnsembleConfig(
            method,
            config.penalty,
            config.hidden,
            config.learning_rate,
            config.independent_references,
        )
        self.ensemble = PriorEnsemble(splits, training, config.seed)
        self._means: list[tuple[float, ...]] = []  # of every epoch: the fields of `_MEANS`
        self._top: tuple[TopFeature, ...] = ()
        self._without_validation = 0
        self._tests = np.full(splits.replicates, np.nan)
        self._tested_epoch = np.full(splits.replicates, -1)

    def step(self, strength: float, should_stop: ShouldStop) -> bool:
        """Train one epoch at λ; False if it was stopped and changed nothing."""
        record = self.ensemble.step(strength, should_stop)
        if record is None:
            return False
        aucs = record.validation_auc.cpu().numpy()
        self._without_validation = int(np.isnan(aucs).sum())
        auc, half = mean_and_band(aucs)
        others = (record.loss, record.penalty, record.gini)
        means = [mean_and_band(values.cpu().numpy())[0] for values in others]
        self._means.append((auc, auc - half, auc + half, *means))
        self._top = self._top_features(record)
        return True

    def score(self, should_stop: ShouldStop) -> bool:
        """Bring the test ROC-AUC up to date; False if it was stopped before."""
        best = self.ensemble.best_epoch.cpu().numpy()
        late = np.flatnonzero(best != self._tested_epoch)
        for replicate in late.tolist():  # one at a time, so that a stop loses little
            area = self.ensemble.test_auc([replicate], should_stop)
            if area is None:
                return False
            self._tests[replicate] = float(area[0])
            self._tested_epoch[replicate] = best[replicate]
        return True

    def to_method_curve(self, strengths: Sequence[float]) -> MethodCurve:
        """The curves as an immutable value, given λ of every epoch that has begun."""
        best = self.ensemble.best_epoch.cpu().numpy()
        reached = best >= 0
        test, band = mean_and_band(self._tests)
        best_auc = self.ensemble.best_auc.cpu().numpy()[reached]
        sequences: dict[str, Any] = dict(zip(_MEANS, zip(*self._means, strict=True), strict=False))
        return MethodCurve(
            method=self.method.key,
            title=self.method.title,
            epochs=tuple(range(len(self._means))),
            strengths=tuple(strengths[: len(self._means)]),
            **sequences,
            top_features=self._top,
            best_epoch=mean_and_band(best[reached].astype(float))[0],
            best_validation_auc=mean_and_band(best_auc)[0],
            test_auc=test,
            test_band=band,
            test_replicates=int(np.isfinite(self._tests).sum()),
            test_is_current=bool(reached.any() and (best == self._tested_epoch).all()),
            without_validation=self._without_validation,
            zero_attributions=int(self.ensemble.zero_attributions.sum()),
        )

    def _top_features(self, record: EpochRecord) -> tuple[TopFeature, ...]:
        profile = record.profile.mean(dim=0).double()  # (R, d) -> (d,)
        total = float(profile.sum())
        values, order = torch.topk(profile, min(TOP_FEATURES, len(profile)))
        return tuple(
            TopFeature(
                self.columns[index].name,
                self.columns[index].title,
                value,
                value / total if total else 0.0,
            )
            for value, index in zip(values.tolist(), order.tolist(), strict=True)
        )


class LiveRun:
    """What the thread of a trainer owns, from the first epoch to the last."""

    def __init__(self, cohort: Cohort, config: LiveConfig, device: torch.device) -> None:
        seeds = range(config.seed, config.seed + config.replicates)
        splits = stack_splits(cohort, seeds, device)
        self._curves = [
            LiveCurve(method, splits, config, cohort.columns) for method in config.methods
        ]
        self._seconds = 0.0  # spent training
        self._epoch_ends: deque[float] = deque(maxlen=_PACE_EPOCHS + 1)
        self._scored_at = self._scoring_seconds = 0.0

    @property
    def epoch(self) -> int:
        """Epochs that every method has finished."""
        return min(curve.ensemble.epoch for curve in self._curves)

    def measures(self) -> dict[str, Any]:
        """How far the run is and how fast, as fields of a snapshot."""
        ends = self._epoch_ends
        pace = (len(ends) - 1) / (ends[-1] - ends[0]) if len(ends) > 1 else 0.0
        return {"epoch": self.epoch, "seconds": self._seconds, "epochs_per_second": pace}

    def forget_pace(self) -> None:
        """Measure the pace anew, as when training begins or ends."""
        self._epoch_ends.clear()
        self._scored_at = time.monotonic()

    def train(self, epochs: int, strength: float, should_stop: ShouldStop) -> bool:
        """Train every method to so many epochs, one more than before; False if it was stopped.

        The next call then completes the epoch.
        """
        began = time.monotonic()
        for curve in self._curves:
            if curve.ensemble.epoch < epochs and not curve.step(strength, should_stop):
                return False
        now = time.monotonic()
        self._seconds += now - began
        self._epoch_ends.append(now)
        return True

    @property
    def is_score_due(self) -> bool:
        """Whether it is time to score the test rows again."""
        age = time.monotonic() - self._scored_at
        return age > max(_TEST_SECONDS, _TEST_SHARE * self._scoring_seconds)

    def score(self, should_stop: ShouldStop) -> None:
        """Test ROC-AUC where a new best epoch has come up."""
        began = time.monotonic()
        for curve in self._curves:
            if not curve.score(should_stop):
                break
        self._scored_at = time.monotonic()
        self._scoring_seconds = self._scored_at - began

    def method_curves(self, strengths: Sequence[float]) -> tuple[MethodCurve, ...]:
        """The curves as values, given λ of every epoch that has begun."""
        return tuple(curve.to_method_curve(strengths) for curve in self._curves)
