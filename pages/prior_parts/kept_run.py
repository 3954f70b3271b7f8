"""A run that was kept, as plain values for JSON and back."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any, cast, get_args, get_origin, get_type_hints

from xdnn_core.priors.live_state import LiveConfig, StrengthMark, strength_marks
from xdnn_core.priors.method_curve import MethodCurve

_SEQUENCES = ("epochs", "strengths", "auc_mean", "auc_low", "auc_high", "loss", "penalty", "gini")


@dataclass(frozen=True)
class KeptRun:
    """A finished or paused run that was kept."""

    id: str  # of the run in the store
    name: str  # given by the user, or made from cohort and λ
    created: str  # when it was kept, ISO 8601, UTC
    cohort: str  # what it trained on
    cohort_title: str
    outcome: str
    epoch: int  # epochs it had finished
    config: LiveConfig  # its whole configuration
    curves: tuple[MethodCurve, ...]  # one a method; without test scores unless they were revealed
    test_revealed: bool = True  # whether the test ROC-AUC was revealed before the run was kept
    # Whether λ was moved after a test ROC-AUC of the cohort was first revealed, see `Snapshot`;
    # None if it is not known: earlier versions always showed the test ROC-AUC
    moved_after_reveal: bool | None = None

    @property
    def strengths(self) -> tuple[float, ...]:
        """λ of every epoch that a method has trained."""
        return max((curve.strengths for curve in self.curves), key=len)

    @property
    def strength(self) -> float:
        """λ at the end."""
        return self.strengths[-1]

    @property
    def marks(self) -> tuple[StrengthMark, ...]:
        """Changes of λ on the way."""
        return strength_marks(self.strengths)


def run_values(run: KeptRun) -> dict[str, Any]:
    """A run as plain values for JSON, which has no NaN: what is not defined is None."""
    marks = [asdict(mark) for mark in run.marks]
    derived = {"config": run.config.to_dict(), "strength": run.strength, "marks": marks}
    values: dict[str, Any] = _without_nan(asdict(run) | derived)
    return values


def _without_nan(value: Any) -> Any:
    """NaN and infinity as None, which JSON can hold."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _without_nan(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(part) for part in value]
    return value


def read_run(content: str | bytes, **columns: str) -> KeptRun:
    """Read what `run_values` gave, with the columns of its row in the store."""
    try:
        values = json.loads(content) | columns
        for derived in ("strength", "marks"):  # for readers of the file: the curves hold them
            values.pop(derived, None)
        run: KeptRun = _typed(KeptRun, values)
    except (TypeError, RecursionError, OverflowError) as error:
        raise ValueError(str(error)) from error
    if [curve.method for curve in run.curves] != [method.key for method in run.config.methods]:
        raise ValueError("the curves are not those of the methods")
    for curve in run.curves:
        if not curve.epochs or len({len(getattr(curve, name)) for name in _SEQUENCES}) > 1:
            raise ValueError("a curve does not have one value an epoch")
    return run


def _typed(kind: Any, value: Any) -> Any:
    """A value of JSON as this type, None as the NaN it was; TypeError where it is another."""
    if kind is LiveConfig and isinstance(value, dict):
        return LiveConfig.from_dict(value)
    if is_dataclass(kind) and isinstance(value, dict):
        hints, build = get_type_hints(kind), cast(type, kind)
        return build(**{key: _typed(hints.get(key), part) for key, part in value.items()})
    if get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise TypeError(f"{value!r:.40} is no list")
        return tuple(_typed(get_args(kind)[0], part) for part in value)
    if kind is float and (value is None or type(value) is int):
        return math.nan if value is None else float(value)
    if kind is float and not math.isfinite(value):
        raise TypeError(f"{value!r} is not finite")
    if type(value) in (get_args(kind) or (kind,)):
        return value
    raise TypeError(f"{value!r:.40} is no {kind}")
