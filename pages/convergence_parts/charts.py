"""The charts of Convergence."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from pages.common.errors import for_screen
from pages.common.page import draw_grid, two_columns
from pages.common.theme import CONFIG, Theme, colour, figure, network_colour
from pages.convergence_parts.controls import RULE_TITLES
from xdnn_core.errors import UserError
from xdnn_core.experiments.comparison import fast_method
from xdnn_core.experiments.convergence_result import TOLERANCES, Convergence, RuleCurve
from xdnn_core.experiments.figure3 import ErrorCurve, load_figure3
from xdnn_core.figures.panels import METHOD_TITLES, network_name
from xdnn_core.models.zoo import PretrainedModel
from xdnn_core.text import percent

_HEIGHT = 330
_STYLES = {
    "graded": ("green", "solid"),
    "gauss_legendre": ("purple", "solid"),
    "midpoint": ("sky", "solid"),
    "trapezoid": ("yellow", "solid"),
    "left": ("grey", "dash"),
    "right": ("grey", "dot"),
    "captum": ("purple", "dash"),
}
_HOVER = "%{customdata}"
_POWERS = [10.0**power for power in range(-9, 2)]


def draw_errors(
    models: Sequence[PretrainedModel],
    measured: Sequence[Convergence],
    rules: Sequence[str],
    theme: Theme,
) -> None:
    """Draw the error against the number of gradient calls, log–log, one chart a network."""
    for column, model, one in zip(two_columns("errors"), models, measured, strict=True):
        name, fast = network_name(model), METHOD_TITLES[fast_method(model)]
        made = _loglog(f"{name}: error against {one.reference_calls:,} calls", one.curves[0].counts)
        for curve in _chosen_curves(one, rules):
            _add_curve(made, curve, curve.errors, theme)
        ink = network_colour(model.is_xdnn, theme)
        ends = one.curves[0].counts[0], one.curves[0].counts[-1]
        made.add_scatter(
            x=ends, y=[one.fast_error] * 2, mode="lines", line={"color": ink, "dash": "dot"},
            hoverinfo="skip", showlegend=False,
        )  # fmt: skip
        made.add_scatter(
            x=[1], y=[one.fast_error], name=f"{fast}, 1 call", mode="markers",
            marker={"color": ink, "size": 12, "symbol": "diamond"},
            customdata=[percent(one.fast_error)], hovertemplate=_HOVER,
        )  # fmt: skip
        with column:
            st.plotly_chart(
                made, key=f"errors_{model.is_xdnn}", config=CONFIG, height=_HEIGHT,
                alt=f"Error of {name}'s Integrated Gradients against gradient calls",
            )  # fmt: skip


def draw_gap(model: PretrainedModel, one: Convergence, rules: Sequence[str], theme: Theme) -> None:
    """Draw the completeness gap against the number of gradient calls."""
    made = _loglog(f"{network_name(model)}: completeness gap", one.curves[0].counts, legend=False)
    for curve in _chosen_curves(one, rules):
        _add_curve(made, curve, curve.completeness_gaps, theme)
    st.plotly_chart(
        made, key="gap", config=CONFIG, height=_HEIGHT, alt="Completeness gap against calls"
    )


def draw_path(
    models: Sequence[PretrainedModel], measured: Sequence[Convergence], theme: Theme
) -> None:
    """Draw the gradient along the path, whose area is F(x) − F(0)."""
    made = figure("Slope of the logit along the path, ⟨∇F(tx), x⟩", _HEIGHT, showlegend=True)
    for model, one in zip(models, measured, strict=True):
        rise = one.output_at_one - one.output_at_zero
        made.add_scatter(
            x=one.points.numpy(), y=one.path_gradient.numpy(), mode="lines",
            name=f"{network_name(model)}, area {one.path_area:.2f}, F(x) − F(0) {rise:.2f}",
            line={"color": network_colour(model.is_xdnn, theme), "width": 1.5},
        )  # fmt: skip
    made.update_xaxes(title="t", range=[0, 1])
    st.plotly_chart(made, key="path", config=CONFIG, height=_HEIGHT, alt="Path gradient against t")


def _loglog(title: str, counts: Sequence[int], legend: bool = True) -> go.Figure:
    """An empty figure of errors against gradient calls, both logarithmic."""
    made = figure(title, _HEIGHT, showlegend=legend)
    made.update_xaxes(type="log", title="gradient calls", tickvals=counts, ticktext=counts)
    made.update_yaxes(type="log", tickvals=_POWERS, ticktext=[percent(one) for one in _POWERS])
    return made


def _chosen_curves(one: Convergence, rules: Sequence[str]) -> list[RuleCurve]:
    """The curves of these rules; Captum's where it was computed."""
    there = {curve.rule: curve for curve in (*one.curves, one.captum) if curve}
    return [there[rule] for rule in rules if rule in there]


def _add_curve(made: go.Figure, curve: RuleCurve, values: Sequence[float], theme: Theme) -> None:
    name, dash = _STYLES[curve.rule]
    made.add_scatter(
        x=curve.counts, y=values, name=RULE_TITLES[curve.rule], mode="lines+markers",
        line={"color": colour(name, theme), "dash": dash}, marker={"size": 5},
        customdata=[percent(value) for value in values], hovertemplate=_HOVER,
    )  # fmt: skip


def draw_calls_needed(
    models: Sequence[PretrainedModel], measured: Sequence[Convergence], rules: Sequence[str]
) -> None:
    """Draw the table of calls needed for 5 %, 2.5 % and 1 %, with the last estimates."""
    tolerances = [f"≤ {percent(tolerance)}" for tolerance in TOLERANCES]
    rows = []
    for model, convergence in zip(models, measured, strict=True):
        if model.is_xdnn:
            cells = ["1"] * len(TOLERANCES) + ["–", percent(convergence.fast_error)]
            rows.append([f"X-Gradient, {network_name(model)}", *cells])
            continue
        for curve in _chosen_curves(convergence, rules):
            needed = [curve.calls_needed(tolerance) for tolerance in TOLERANCES]
            cells = [f"> {curve.counts[-1]}" if calls is None else str(calls) for calls in needed]
            ends = percent(curve.estimated_errors[-1]), percent(curve.errors[-1])
            rows.append([RULE_TITLES[curve.rule], *cells, *ends])
    head = [network_name(models[0]), *tolerances, "estimate", "error"]
    draw_grid(pd.DataFrame(rows, columns=head))


def draw_figure3(models: Sequence[PretrainedModel], theme: Theme) -> None:
    """Draw the error against the number of calls over an image set, from the stored result."""
    try:
        _, stored = load_figure3()
    except UserError as error:
        st.caption(for_screen(error))
        return
    made = stored.provenance
    title = f"Mean and quartiles over {made.images:,} images, {made.data_set}"
    drawn = _loglog(title, max((curve.counts for curve in stored.curves), key=len))
    names = {model.name: network_name(model) for model in models}
    for curve in stored.curves:
        _add_spread(drawn, curve, names.get(curve.network, curve.network), theme)
    st.plotly_chart(drawn, key="figure3", config=CONFIG, alt=title)
    st.caption(
        "Relative L1 distance to 300 Gauss–Legendre calls; the paper's Figure 3 (Appendix B.5) has "
        f"mean absolute differences. {stored.gradient_calls:,} gradient calls an image. "
        f"`{made.command}`"
    )


def _add_spread(made: go.Figure, curve: ErrorCurve, network: str, theme: Theme) -> None:
    """Add one method: the mean as a line, or a mark for a single gradient, quartiles as bars."""
    single = len(curve.counts) == 1
    ink = network_colour(curve.is_xdnn, theme)
    dash = "solid" if curve.method == "graded" else "dot"
    title = METHOD_TITLES.get(curve.method) or RULE_TITLES[curve.method]
    made.add_scatter(
        x=curve.counts,
        y=curve.mean,
        name=f"{network}, {title}",
        mode="markers" if single else "lines+markers",
        line={"color": ink, "dash": dash},
        marker={
            "color": ink,
            "size": 12 if single else 5,
            "symbol": "diamond" if single else "circle",
        },
        customdata=[percent(mean) for mean in curve.mean],
        hovertemplate=_HOVER,
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [high - mean for high, mean in zip(curve.upper, curve.mean, strict=True)],
            "arrayminus": [mean - low for low, mean in zip(curve.lower, curve.mean, strict=True)],
            "thickness": 1,
        },
    )
