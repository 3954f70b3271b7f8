"""Live and kept runs as what a chart draws: curves on one grid of epochs, marks, axis limits.

A chart redrawn five times a second must not jump: the grid depends on the planned epochs only,
and the limits are whole steps around all that was measured, so they seldom move.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from pages.prior_parts.kept_run import KeptRun
from pages.prior_parts.scales import strength_label
from xdnn_core.priors.live_state import Snapshot, StrengthMark
from xdnn_core.priors.method_curve import MethodCurve

Quantity = Literal["auc", "loss", "penalty", "gini"]

MAX_POINTS: Final = 1000  # of a curve; a screen has hardly more columns for it
_AUC_STEP: Final = 0.05
_BAND_ROOM: Final = 0.1  # how far a band may widen the axis beyond the means
_LABELS: Final = 10  # of epochs, at most
_LABEL_GAP: Final = 0.07  # of the axis: labels of marks nearer than this would overlap


@dataclass(frozen=True)
class Trace:
    """One curve."""

    method: str  # key and readable name
    title: str
    run: int  # 0 for the live run, then 1, 2, ... for those laid over it
    # One an epoch of the grid as far as it was trained; None where not defined
    values: tuple[float | None, ...]
    low: tuple[float | None, ...] = ()  # the 95 % band; empty where there is none
    high: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class ChartMark:
    """λ from here on: its place on the grid, and its label, empty where it would not fit."""

    position: int
    label: str


@dataclass(frozen=True)
class Axis:
    """Ends of a value axis, a whole number of steps apart."""

    low: float
    high: float
    step: float


_BLANK_AXES: Final[dict[str, Axis]] = {
    "auc": Axis(0.5, 0.8, 0.05), "loss": Axis(0.0, 0.8, 0.2), "penalty": Axis(-1.0, 0.0, 0.2),
    "gini": Axis(0.0, 1.0, 0.2),
}  # fmt: skip


@dataclass(frozen=True)
class ChartData:
    """A chart of one quantity against the epoch."""

    epochs: tuple[int, ...]  # the grid
    # In the order they are drawn: runs laid over first, the live run on top
    traces: tuple[Trace, ...]
    marks: tuple[ChartMark, ...]  # λ of the live run: where it starts, and every change
    axis: Axis  # of the values
    label_every: int  # points of the grid from one labelled epoch to the next


def chart_data(
    live: Snapshot | KeptRun, others: Sequence[Snapshot | KeptRun], quantity: Quantity
) -> ChartData:
    """Shape runs for a chart of "auc" (of validation, with bands), "loss", "penalty" or "gini"."""
    longest = max(live.config.epochs, *(run.epoch for run in others), 1)
    stride = _round_number(longest / MAX_POINTS)
    epochs = tuple(range(0, longest + 1, stride))
    traces = [
        _trace(curve, number, quantity, stride)
        for number, run in enumerate([live, *others])
        for curve in run.curves
    ]
    return ChartData(
        epochs=epochs,
        traces=tuple(sorted(traces, key=lambda trace: -trace.run)),
        marks=_chart_marks(live, stride, len(epochs)),
        axis=_axis(traces, quantity),
        label_every=max(1, _round_number(longest / _LABELS) // stride),
    )


def _trace(curve: MethodCurve, run: int, quantity: Quantity, stride: int) -> Trace:
    if quantity != "auc":
        values: tuple[float, ...] = getattr(curve, quantity)
        return Trace(curve.method, curve.title, run, _thinned(values, stride))
    values = curve.auc_mean
    banded = run == 0 and any(math.isfinite(low) for low in curve.auc_low)
    return Trace(
        curve.method,
        curve.title,
        run,
        _thinned(values, stride),
        _thinned(curve.auc_low, stride) if banded else (),
        _thinned(curve.auc_high, stride) if banded else (),
    )


def _thinned(values: tuple[float, ...], stride: int) -> tuple[float | None, ...]:
    """Every stride-th value, with the digits a screen can show; None where not finite."""
    return tuple(float(f"{v:.4g}") if math.isfinite(v) else None for v in values[::stride])


def _chart_marks(live: Snapshot | KeptRun, stride: int, points: int) -> tuple[ChartMark, ...]:
    """Marks within the run; where labels would overlap the later one has it."""
    start = StrengthMark(0, live.config.strength)
    marks = [mark for mark in (start, *live.marks) if mark.epoch < live.config.epochs]
    labelled: list[ChartMark] = []
    free = math.inf
    for mark in reversed(marks):
        position = round(mark.epoch / stride)
        fits = free - position >= _LABEL_GAP * points
        if fits:
            free = position
        label = f"λ {strength_label(mark.strength)}" if fits else ""
        labelled.append(ChartMark(position, label))
    return tuple(reversed(labelled))


def _round_number(least: float) -> int:
    """The smallest of 1, 2, 5, 10, 20, ... that is not below `least`."""
    power = 1
    while True:
        for number in (power, 2 * power, 5 * power):
            if number >= least:
                return number
        power *= 10


def _axis(traces: Sequence[Trace], quantity: Quantity) -> Axis:
    means = [value for trace in traces for value in trace.values if value is not None]
    if not means:
        return _BLANK_AXES[quantity]
    low, high = min(means), max(means)
    if quantity != "auc":
        return _outwards(low, high, _nice_step(high - low or abs(high) or 1.0))
    lows = [value for trace in traces for value in trace.low if value is not None]
    highs = [value for trace in traces for value in trace.high if value is not None]
    low = max(min([low, *lows]), low - _BAND_ROOM, 0.0)
    high = min(max([high, *highs]), high + _BAND_ROOM, 1.0)
    return _outwards(low, high, _AUC_STEP)


def _nice_step(span: float) -> float:
    """1, 2 or 5 times a power of ten, two to five of which make the span."""
    power = 10.0 ** math.floor(math.log10(span / 2))
    return next(m * power for m in (5.0, 2.0, 1.0) if m * power <= span / 2 * (1 + 1e-9))


def _outwards(low: float, high: float, step: float) -> Axis:
    """From the nearest multiple of a step below low to that above high, at least one apart."""
    below = math.floor(round(low / step, 6))
    above = max(math.ceil(round(high / step, 6)), below + 1)
    # Ten digits: a multiplication leaves 0.15000000000000002.
    return Axis(float(f"{below * step:.10g}"), float(f"{above * step:.10g}"), step)
