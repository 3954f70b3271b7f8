"""What a live training is asked to do, and the immutable picture it gives of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from xdnn_core.errors import UserError
from xdnn_core.models.mlp import PAPER_HIDDEN
from xdnn_core.priors.methods import PriorMethod, parse_method
from xdnn_core.priors.penalties import find_penalty

State = Literal[
    "ready", "preparing", "waiting", "training", "paused", "finished", "stopped", "failed"
]

MAX_REPLICATES = 64
MAX_EPOCHS = 2_000
MAX_LAYERS = 4
MAX_WIDTH = 1_024
MAX_SAMPLES = 128
STRENGTH_RANGE = (0.001, 1000.0)
LEARNING_RATE_RANGE = (1e-5, 0.1)
TOP_FEATURES = 15


@dataclass(frozen=True)
class LiveConfig:
    """Everything that decides a live run besides the cohort.

    Attributes
    ----------
    methods
        Trained side by side, each its own curve.
    strength
        λ at the start: 0 is off, else 0.001 to 1000.
    penalty
        ``"gini"`` or ``"l1"``.
    hidden
        Widths of the hidden layers, 1 to 4 layers of 1 to 1024.
    learning_rate
        Of Adam, 1e-5 to 0.1.
    replicates
        Random splits and initialisations trained at once, 1 to 64.
    epochs
        1 to 2000.
    seed
        Of replicate 0.
    independent_references
        Expected Gradients: independent draws instead of permutations.
    epochs_per_second
        Upper bound on the pace, so that there is something to steer; None for full speed.

    Raises
    ------
    UserError
        If a value is out of its range; says which range.

    Examples
    --------
    >>> LiveConfig(replicates=4).replicates
    4
    """

    methods: tuple[PriorMethod, ...] = (PriorMethod("none"), PriorMethod("x_gradient"))
    strength: float = 1.0
    penalty: str = "gini"
    hidden: tuple[int, ...] = PAPER_HIDDEN
    learning_rate: float = 1e-3
    replicates: int = 8
    epochs: int = 100
    seed: int = 0
    independent_references: bool = False
    epochs_per_second: float | None = None

    def __post_init__(self) -> None:
        if not self.methods or len(set(self.methods)) < len(self.methods):
            raise UserError("Choose at least one method, and each only once.")
        for method in self.methods:
            _require(method.samples, "samples", 0, MAX_SAMPLES)
        find_penalty(self.penalty)
        check_strength(self.strength)
        _require(len(self.hidden), "hidden layers", 1, MAX_LAYERS)
        for width in self.hidden:
            _require(width, "neurons in a layer", 1, MAX_WIDTH)
        _require(self.learning_rate, "learning rate", *LEARNING_RATE_RANGE)
        _require(self.replicates, "replicates", 1, MAX_REPLICATES)
        _require(self.epochs, "epochs", 1, MAX_EPOCHS)
        _require(self.seed, "seed", 0, 2**31 - 1)
        if self.epochs_per_second is not None:
            _require(self.epochs_per_second, "epochs per second", 0.1, 1000)

    def to_dict(self) -> dict[str, Any]:
        """As plain values for JSON; the inverse of `from_dict`."""
        return asdict(self) | {
            "methods": [method.key for method in self.methods],
            "hidden": list(self.hidden),
        }

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> LiveConfig:
        """Read what `to_dict` wrote.

        Raises
        ------
        UserError
            If a key is unknown or a value is not allowed.
        """
        unknown = set(values) - set(_READERS)
        if unknown:
            raise UserError(f"{sorted(unknown)[0]!r} is not a setting of a live run.")
        read: dict[str, Any] = {}
        for key, value in values.items():
            try:
                read[key] = _READERS[key](value)
            except TypeError as error:
                raise UserError(f"{value!r} cannot be read as the setting {key}.") from error
        return LiveConfig(**read)


_READERS: dict[str, Callable[[Any], Any]] = {
    "methods": lambda keys: tuple(parse_method(str(key)) for key in keys),
    "strength": float,
    "penalty": str,
    "hidden": lambda widths: tuple(int(width) for width in widths),
    "learning_rate": float,
    "replicates": int,
    "epochs": int,
    "seed": int,
    "independent_references": bool,
    "epochs_per_second": lambda pace: None if pace is None else float(pace),
}


def check_strength(strength: float) -> None:
    """Refuse a λ that is neither 0 (off) nor within `STRENGTH_RANGE`."""
    if strength != 0:
        _require(strength, "λ", *STRENGTH_RANGE)


def _require(value: float, name: str, low: float, high: float) -> None:
    if not low <= value <= high:
        raise UserError(f"{value:g} was given for {name}; allowed is {low:g} to {high:g}.")


@dataclass(frozen=True)
class StrengthMark:
    """A change of λ while training: from this epoch's step on it was `strength`."""

    epoch: int
    strength: float


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


@dataclass(frozen=True)
class Snapshot:
    """A live run at one moment; never changes.

    Attributes
    ----------
    version
        Grows with every new picture; equal versions need no redrawing.
    state
        ``"ready"`` before the first start; ``"preparing"`` splits; ``"waiting"`` for a free
        core; ``"training"``; ``"paused"``; ``"finished"``; ``"stopped"`` for good; ``"failed"``.
    epoch
        Epochs every method has finished.
    config
        Of this run.
    cohort, cohort_title, outcome
        What it trains on.
    strength
        λ as last set.
    marks
        Changes of λ since the start.
    curves
        One a method, in the order of the config.
    waiting_behind
        While waiting: how many are ahead.
    seconds
        Time spent training.
    epochs_per_second
        Recent pace; 0 while not training.
    error
        What went wrong, when failed.
    test_revealed
        Whether the curves hold test scores; they do once `LiveTrainer.reveal_test` was called.
    moved_after_reveal
        Whether an epoch was trained with another λ than the one that was set when a test
        ROC-AUC of this cohort was first revealed, in this run or in one before it.
    place
        What computes, in words.

    Examples
    --------
    >>> import numpy as np
    >>> from xdnn_core.data.cohorts.cohort import Cohort, Column
    >>> cohort = Cohort(
    ...     name="small", title="Small", outcome="Died", features=np.arange(100.0)[:, None],
    ...     labels=np.arange(100) % 2, columns=(Column("age", "Age", "age", "numeric"),),
    ... )
    >>> from xdnn_core import LiveConfig, LiveTrainer
    >>> trainer = LiveTrainer(cohort, LiveConfig(replicates=2, epochs=1), "cpu")
    >>> trainer.snapshot().state
    'ready'
    >>> trainer.stop()
    """

    version: int
    state: State
    epoch: int
    config: LiveConfig
    cohort: str
    cohort_title: str
    outcome: str
    strength: float
    marks: tuple[StrengthMark, ...] = ()
    curves: tuple[MethodCurve, ...] = field(default=())
    waiting_behind: int = 0
    seconds: float = 0.0
    epochs_per_second: float = 0.0
    error: str = ""
    test_revealed: bool = False
    moved_after_reveal: bool = False
    place: str = ""

    @property
    def seconds_left(self) -> float:
        """Time to the last epoch at the recent pace; NaN while there is none."""
        pace = self.epochs_per_second
        return (self.config.epochs - self.epoch) / pace if pace else float("nan")
