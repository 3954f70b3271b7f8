"""What a live training is asked to do, and the immutable snapshot it gives of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any, Literal

from xdnn_core.errors import UserError
from xdnn_core.models.mlp import PAPER_HIDDEN
from xdnn_core.priors.method_curve import MethodCurve
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


@dataclass(frozen=True)
class Steering:
    """What may be changed while a run goes on.

    Attributes
    ----------
    strength
        λ from the next epoch on: 0 is off, else 0.001 to 1000.
    epochs
        Where the run ends, 1 to 2000.
    epochs_per_second
        Upper bound on the pace, so that there is something to steer; None for full speed.

    Raises
    ------
    UserError
        If a value is out of its range; says which range.

    Examples
    --------
    >>> Steering(strength=10.0).epochs
    100
    """

    strength: float = 1.0
    epochs: int = 100
    epochs_per_second: float | None = None

    def __post_init__(self) -> None:
        if self.strength != 0:
            _require(self.strength, "λ", *STRENGTH_RANGE)
        _require(self.epochs, "epochs", 1, MAX_EPOCHS)
        if self.epochs_per_second is not None:
            _require(self.epochs_per_second, "epochs per second", 0.1, 1000)


@dataclass(frozen=True)
class LiveConfig:
    """A live run's recipe, which is fixed, and the steering it begins with.

    Attributes
    ----------
    methods
        Trained side by side, each its own curve.
    strength, epochs, epochs_per_second
        As in `Steering`.
    penalty
        ``"gini"`` or ``"l1"``.
    hidden
        Widths of the hidden layers, 1 to 4 layers of 1 to 1024.
    learning_rate
        Of Adam, 1e-5 to 0.1.
    replicates
        Random splits and initialisations trained at once, 1 to 64.
    seed
        Of replicate 0.
    independent_references
        Expected Gradients: independent draws instead of permutations.

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
    strength: float = Steering.strength
    penalty: str = "gini"
    hidden: tuple[int, ...] = PAPER_HIDDEN
    learning_rate: float = 1e-3
    replicates: int = 8
    epochs: int = Steering.epochs
    seed: int = 0
    independent_references: bool = False
    epochs_per_second: float | None = Steering.epochs_per_second

    def __post_init__(self) -> None:
        if not self.methods or len(set(self.methods)) < len(self.methods):
            raise UserError("Choose at least one method, and each only once.")
        for method in self.methods:
            _require(method.samples, "samples", 0, MAX_SAMPLES)
        find_penalty(self.penalty)
        _ = self.steering  # checks itself
        _require(len(self.hidden), "hidden layers", 1, MAX_LAYERS)
        for width in self.hidden:
            _require(width, "neurons in a layer", 1, MAX_WIDTH)
        _require(self.learning_rate, "learning rate", *LEARNING_RATE_RANGE)
        _require(self.replicates, "replicates", 1, MAX_REPLICATES)
        _require(self.seed, "seed", 0, 2**31 - 1)

    @property
    def steering(self) -> Steering:
        """What the run begins with."""
        return Steering(self.strength, self.epochs, self.epochs_per_second)

    def steered(self, steering: Steering) -> LiveConfig:
        """The same recipe, to begin with another steering."""
        return replace(self, **asdict(steering))

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
        read: dict[str, Any] = {}
        for key, value in values.items():
            if key not in _READERS:
                raise UserError(f"{key!r} is not a setting of a live run.")
            try:
                read[key] = _READERS[key](value)
            except TypeError as error:
                raise UserError(f"{value!r} cannot be read as the setting {key}.") from error
        return LiveConfig(**read)


_READERS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("strength", "learning_rate"), float),
    **dict.fromkeys(("replicates", "epochs", "seed"), int),
    "methods": lambda keys: tuple(parse_method(str(key)) for key in keys),
    "penalty": str,
    "hidden": lambda widths: tuple(int(width) for width in widths),
    "independent_references": bool,
    "epochs_per_second": lambda pace: None if pace is None else float(pace),
}


def _require(value: float, name: str, low: float, high: float) -> None:
    if not low <= value <= high:
        raise UserError(f"{value:g} was given for {name}; allowed is {low:g} to {high:g}.")


@dataclass(frozen=True)
class StrengthMark:
    """A change of λ while training: from this epoch's step on it was `strength`."""

    epoch: int
    strength: float


def strength_marks(strengths: Sequence[float]) -> tuple[StrengthMark, ...]:
    """The epochs at which λ differs from that of the epoch before."""
    return tuple(
        StrengthMark(epoch, now)
        for epoch, (before, now) in enumerate(pairwise(strengths), start=1)
        if now != before
    )


@dataclass(frozen=True)
class Snapshot:
    """A live run at one moment; never changes.

    Attributes
    ----------
    version
        Grows with every change; equal versions need no redrawing.
    state
        ``"ready"`` before the first start; ``"preparing"`` splits; ``"waiting"`` for a free
        core; ``"training"``; ``"paused"``; ``"finished"``; ``"stopped"`` for good; ``"failed"``.
    epoch
        Epochs every method has finished.
    config
        What would train this run anew: its recipe, λ it began with, epochs and pace as last set.
    cohort, cohort_title, outcome
        What it trains on.
    strength
        λ as last set.
    marks
        Changes of λ since the first epoch.
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
    config: LiveConfig
    cohort: str
    cohort_title: str
    outcome: str
    strength: float
    epoch: int = 0
    marks: tuple[StrengthMark, ...] = ()
    curves: tuple[MethodCurve, ...] = ()
    waiting_behind: int = 0
    seconds: float = 0.0
    epochs_per_second: float = 0.0
    error: str = ""
    test_revealed: bool = False
    moved_after_reveal: bool = False
    place: str = ""

    @property
    def steering(self) -> Steering:
        """As last set."""
        return replace(self.config.steering, strength=self.strength)

    @property
    def seconds_left(self) -> float:
        """Time to the last epoch at the recent pace; NaN while there is none."""
        pace = self.epochs_per_second
        return (self.config.epochs - self.epoch) / pace if pace else float("nan")
