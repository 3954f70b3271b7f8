"""Runs shaped for charts."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from pages.prior_parts.chart_data import MAX_POINTS, Axis, chart_data
from xdnn_core.priors.live_state import LiveConfig, Snapshot, StrengthMark
from xdnn_core.priors.method_curve import MethodCurve
from xdnn_core.priors.methods import PriorMethod

NAN = float("nan")


def curve(aucs: tuple[float, ...], half: float = 0.02, method: str = "x_gradient") -> MethodCurve:
    return MethodCurve(
        method=method,
        title=PriorMethod(method).title,
        epochs=tuple(range(len(aucs))),
        auc_mean=aucs,
        auc_low=tuple(auc - half for auc in aucs),
        auc_high=tuple(auc + half for auc in aucs),
        loss=aucs,
        penalty=tuple(-auc for auc in aucs),
        gini=aucs,
    )


def run(*curves: MethodCurve, epochs: int = 10, marks: tuple[StrengthMark, ...] = ()) -> Snapshot:
    return Snapshot(
        version=1,
        state="paused",
        epoch=max((len(each.epochs) for each in curves), default=0),
        config=LiveConfig(methods=(PriorMethod("x_gradient"),), epochs=epochs, strength=1.0),
        cohort="made",
        cohort_title="Made",
        outcome="label 1",
        strength=marks[-1].strength if marks else 1.0,
        marks=marks,
        curves=curves,
    )


@pytest.mark.parametrize("quantity", ["auc", "loss", "penalty", "gini"])
def test_before_the_start_there_are_axes_and_the_first_strength(quantity: str) -> None:
    chart = chart_data(run(), [], quantity)  # type: ignore[arg-type]
    assert chart.epochs == tuple(range(11))
    assert chart.traces == ()
    assert [(mark.position, mark.label) for mark in chart.marks] == [(0, "λ 1")]
    steps = (chart.axis.high - chart.axis.low) / chart.axis.step
    assert steps == pytest.approx(round(steps))
    assert chart.label_every == 1


def test_the_live_run_has_its_band_and_is_drawn_last() -> None:
    live, other = run(curve((0.6, 0.7))), run(curve((0.5, 0.55, 0.6)))
    chart = chart_data(live, [other], "auc")
    assert [trace.run for trace in chart.traces] == [1, 0]
    below, top = chart.traces
    assert (below.low, below.high) == ((), ())
    assert top.values == (0.6, 0.7)
    assert top.low == (0.58, 0.68)
    assert top.high == (0.62, 0.72)
    assert chart.axis == Axis(0.5, 0.75, 0.05)


def test_what_is_not_defined_is_a_gap_and_no_band_of_one_replicate() -> None:
    single = replace(curve((0.6, NAN, 0.7)), auc_low=(NAN,) * 3, auc_high=(NAN,) * 3)
    (trace,) = chart_data(run(single), [], "auc").traces
    assert trace.values == (0.6, None, 0.7)
    assert (trace.low, trace.high) == ((), ())


def test_a_wide_band_does_not_squash_the_curve() -> None:
    axis = chart_data(run(curve((0.6, 0.62), half=5.0)), [], "auc").axis
    assert axis == Axis(0.5, 0.75, 0.05)


def test_a_longer_run_laid_over_widens_the_grid() -> None:
    chart = chart_data(run(epochs=5), [run(curve((0.5,) * 8), epochs=20)], "auc")
    assert chart.epochs == tuple(range(9))


def test_long_runs_are_thinned_on_one_grid() -> None:
    marks = (StrengthMark(1000, 10.0),)
    chart = chart_data(run(curve((0.6,) * 1501), epochs=2000, marks=marks), [], "loss")
    assert len(chart.epochs) <= MAX_POINTS + 1
    stride = chart.epochs[1]
    assert chart.epochs[chart.label_every] == 200
    assert len(chart.traces[0].values) == math.ceil(1501 / stride)
    assert chart.epochs[chart.marks[-1].position] == pytest.approx(1000, abs=stride / 2)


def test_marks_that_crowd_keep_the_latest_label() -> None:
    marks = tuple(StrengthMark(epoch, float(epoch)) for epoch in (40, 41, 42, 60, 99))
    chart = chart_data(run(curve((0.6,) * 99), epochs=100, marks=marks), [], "auc")
    assert [mark.label for mark in chart.marks] == ["λ 1", "", "", "λ 42", "λ 60", "λ 99"]


def test_a_mark_after_the_end_is_not_shown_and_off_says_so() -> None:
    marks = (StrengthMark(4, 0.0), StrengthMark(10, 5.0))
    chart = chart_data(run(curve((0.6,) * 10), marks=marks), [], "auc")
    assert [mark.label for mark in chart.marks] == ["λ 1", "λ off"]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30))
def test_limits_hold_every_value_closely(values: list[float]) -> None:
    live = run(replace(curve((0.6,)), loss=tuple(values)))
    axis = chart_data(live, [], "loss").axis
    low, high = axis.low, axis.high
    shown = [float(f"{value:.4g}") for value in values]
    span = max(shown) - min(shown) or abs(shown[0]) or 1.0
    assert low <= min(shown) + 1e-6 * span
    assert max(shown) - 1e-6 * span <= high
    assert 0 < high - low <= 2 * span
    assert 1 <= round((high - low) / axis.step) <= 7
