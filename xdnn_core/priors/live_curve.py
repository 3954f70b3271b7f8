"""One method of a live run: its ensemble, and what has been measured of it so far."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.special import stdtrit

from xdnn_core.data.cohorts.cohort import Column
from xdnn_core.priors.ensemble import EnsembleConfig, EpochRecord, PriorEnsemble, ShouldStop
from xdnn_core.priors.live_state import TOP_FEATURES, LiveConfig, MethodCurve, TopFeature
from xdnn_core.priors.methods import PriorMethod
from xdnn_core.priors.splits import SplitStack


class LiveCurve:
    """Train one method and keep its curves."""

    def __init__(
        self,
        method: PriorMethod,
        splits: SplitStack,
        config: LiveConfig,
        columns: Sequence[Column],
    ) -> None:
        self.method = method
        self.columns = columns
        training = EnsembleConfig(
            method,
            config.penalty,
            config.strength,
            config.hidden,
            config.learning_rate,
            config.independent_references,
        )
        self.ensemble = PriorEnsemble(splits, training, config.seed)
        self._strengths: list[float] = []
        self._aucs: list[tuple[float, float]] = []  # mean and half the band's width
        self._losses: list[float] = []
        self._penalties: list[float] = []
        self._ginis: list[float] = []
        self._top: tuple[TopFeature, ...] = ()
        self._without_validation = 0
        self._tests = np.full(splits.replicates, np.nan)
        self._tested_epoch = np.full(splits.replicates, -1)

    def step(self, should_stop: ShouldStop) -> bool:
        """Train one epoch; False if it was stopped and changed nothing."""
        record = self.ensemble.step(should_stop)
        if record is None:
            return False
        self._strengths.append(record.strength)
        aucs = record.validation_auc.cpu().numpy()
        self._without_validation = int(np.isnan(aucs).sum())
        self._aucs.append(mean_and_band(aucs))
        self._losses.append(mean_and_band(record.loss.cpu().numpy())[0])
        self._penalties.append(mean_and_band(record.penalty.cpu().numpy())[0])
        self._ginis.append(mean_and_band(record.gini.cpu().numpy())[0])
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

    def picture(self) -> MethodCurve:
        """The curves as an immutable value."""
        best = self.ensemble.best_epoch.cpu().numpy()
        reached = best >= 0
        test, band = mean_and_band(self._tests)
        best_auc = self.ensemble.best_auc.cpu().numpy()[reached]
        return MethodCurve(
            method=self.method.key,
            title=self.method.title,
            epochs=tuple(range(len(self._aucs))),
            strengths=tuple(self._strengths),
            auc_mean=tuple(mean for mean, _ in self._aucs),
            auc_low=tuple(mean - half for mean, half in self._aucs),
            auc_high=tuple(mean + half for mean, half in self._aucs),
            loss=tuple(self._losses),
            penalty=tuple(self._penalties),
            gini=tuple(self._ginis),
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


def mean_and_band(values: np.ndarray) -> tuple[float, float]:
    """Mean of the values that are numbers, and half the width of its 95 % confidence band."""
    known = values[np.isfinite(values)].astype(np.float64)
    if len(known) < 2:
        return (float(known[0]) if len(known) else float("nan")), float("nan")
    half = stdtrit(len(known) - 1, 0.975) * known.std(ddof=1) / len(known) ** 0.5
    return float(known.mean()), float(half)
