"""What has been measured of one method of a live run, epoch by epoch, as an immutable value."""

from __future__ import annotations

from dataclasses import dataclass, replace

TOP_FEATURES = 15


@dataclass(frozen=True)
class TopFeature:
    """A feature and its mean absolute attribution."""

    name: str  # of the column
    title: str  # of the column
    # Mean over replicates and training rows of |attribution|, in logits (RRR: of the summed log-
    # probabilities; Gradient: per standard deviation of the feature).
    value: float
    share: float  # of the sum over all features, 0 to 1


@dataclass(frozen=True)
class MethodCurve:
    """One method's training so far.

    All sequences have one entry an epoch; NaN where a number is not defined.
    """

    method: str
    title: str
    epochs: tuple[int, ...] = ()  # steps taken before each measurement
    strengths: tuple[float, ...] = ()  # λ of each epoch's step
    auc_mean: tuple[float, ...] = ()  # validation ROC-AUC, mean over replicates
    # 95 % confidence band of that mean over replicates (Student's t); NaN with fewer than two.
    auc_low: tuple[float, ...] = ()
    auc_high: tuple[float, ...] = ()
    loss: tuple[float, ...] = ()  # training cross-entropy alone, mean over replicates
    penalty: tuple[float, ...] = ()  # Ω alone, not multiplied by λ, mean over replicates
    gini: tuple[float, ...] = ()  # of the attributions, mean over replicates
    top_features: tuple[TopFeature, ...] = ()
    # Mean over replicates of the epoch with the best validation ROC-AUC.
    best_epoch: float = float("nan")
    best_validation_auc: float = float("nan")  # mean over replicates of that ROC-AUC
    # Test ROC-AUC at each replicate's best epoch: mean and half the width of its 95 % band; NaN
    # until first computed, and in what the trainer shows until it is revealed.
    test_auc: float = float("nan")
    test_band: float = float("nan")
    test_replicates: int = 0  # how many replicates that mean is over
    test_is_current: bool = False  # False while a later best epoch awaits its test
    # Replicates whose validation split holds one class, so that they have no ROC-AUC.
    without_validation: int = 0
    # Steps, over all replicates, whose penalty was left out because the attribution was zero.
    zero_attributions: int = 0

    def without_test(self) -> MethodCurve:
        """The same without anything that comes from test rows."""
        nan = float("nan")
        return replace(self, test_auc=nan, test_band=nan, test_replicates=0, test_is_current=False)
