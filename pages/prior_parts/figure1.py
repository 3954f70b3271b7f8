"""The paper's Figure 1: stored results of the command, beside the paper's numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import plotly.graph_objects as go
import streamlit as st

from pages.common.address import choice
from pages.common.errors import for_screen
from pages.common.folders import own_results
from pages.common.page import two_columns
from pages.common.terms import explain
from pages.common.theme import Theme, current_theme
from pages.common.wording import plain
from pages.prior_parts.charts import method_colour
from pages.prior_parts.scales import decimal_label
from xdnn_core.errors import UserError
from xdnn_core.experiments.figure1_summary import Figure1, Score, load_results, strength_scores
from xdnn_core.experiments.figure1_text import (
    caveats,
    order_row,
    other_way_round,
    plus_minus,
    summary_sentence,
    with_interval,
)
from xdnn_core.io import RESULTS
from xdnn_core.priors.methods import parse_method

_COMMAND = "python -m xdnn_core figure1 --cohort nhefs --out assets/results/figure1-nhefs.parquet"
_FIRST = "figure1-nhefs.parquet"
_HEIGHT = 330


def draw_figure1() -> None:
    """Draw the view."""
    files = _files()
    if not files:
        st.info(f"No results are stored here yet; `{_COMMAND}` makes them.")
        return
    try:
        results = {str(file): _load(file, file.stat().st_mtime) for file in files}
    except UserError as error:
        st.error(for_screen(error), icon=":material/error:")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        chosen = st.selectbox(
            "Results",
            label_visibility="collapsed",
            width=430,
            **choice("results", list(results), lambda file: _title(Path(file), results[file][0])),
        )
        explain(
            "roc_auc", "strength", "references", "replicate",
            label="What is this?", key="explain_figure1",
        )  # fmt: skip
    figure, by_strength = results[chosen]
    theme = current_theme()
    _draw_summary(figure)
    left, right = two_columns("panels", border=True)
    with left:
        st.markdown("**Methods**, each at the λ that validation chose")
        _draw(_methods(figure.methods, theme), "methods")
    with right:
        st.markdown("**Expected Gradients by references k**, all at the λ chosen for k = 1")
        _draw(_references(figure, theme), "references")
    left, right = two_columns("strengths", border=True)
    with left:
        st.markdown("**Methods by λ**, band ± 2 standard errors; the ring is what validation chose")
        _draw(_strengths(by_strength, figure, theme), "strengths")
    with right:
        _draw_table(figure)
    _draw_notes(figure)


def _files() -> list[Path]:
    """Results that come with the app, the default cohort's first, then the user's own."""
    folders = (RESULTS, own_results())
    files = [file for folder in folders for file in sorted(folder.glob("figure1-*.parquet"))]
    return sorted(files, key=lambda file: file != RESULTS / _FIRST)


@st.cache_data(show_spinner=False, max_entries=16)
def _load(file: Path, changed: float) -> tuple[Figure1, tuple[Score, ...]]:
    """Read a result once; `changed` tells a newer file from an older one."""
    results, figure = load_results(file)
    return figure, strength_scores(results)


def _title(file: Path, figure: Figure1) -> str:
    whose = "" if file.parent == RESULTS else "Own run: "
    return (
        f"{whose}{figure.cohort_title}, {figure.replicates} replicates, {len(figure.strengths)} λ"
    )


def _draw_summary(figure: Figure1) -> None:
    """What is like the best, which cohort it is, and what is shown."""
    st.markdown(summary_sentence(figure))
    strengths = ", ".join(map(decimal_label, figure.strengths))
    st.caption(
        f"Mean test ROC-AUC ± 2 standard errors over **{figure.replicates} replicates** on "
        f"**{plain(figure.cohort_title)}** ({figure.rows:,} people, {figure.features} features; "
        f"outcome: {plain(figure.outcome)}); gains with paired 95 % intervals. Hollow: the "
        f"paper's numbers, on its own NHANES I matrix. λ is chosen from {strengths} on validation "
        "scores only."
    )


def _draw_notes(figure: Figure1) -> None:
    """What to know of these numbers, and the pairs that stand the other way round."""
    st.markdown("**What to know, and where the order differs from the paper's**")
    st.markdown("\n".join(f"- {plain(note)}" for note in caveats(figure)))
    if rows := [order_row(order) for order in other_way_round(figure.orders)]:
        st.dataframe(rows, hide_index=True)
    origin = figure.origin
    st.caption(f"Measured: {origin.hardware} · {origin.date[:10]}. `{origin.command}`")


def _draw(figure: go.Figure, key: str) -> None:
    figure.update_layout(
        height=_HEIGHT,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0},
        hovermode="closest",
    )
    st.plotly_chart(figure, key=f"figure1_{key}", config={"displaylogo": False})


def _methods(scores: Sequence[Score], theme: Theme) -> go.Figure:
    """Left panel: a row a method, ours filled, the paper's hollow below it."""
    figure = go.Figure()
    for row, score in enumerate(scores):
        values = [("here", score.mean, score.two_sem)]
        if score.paper is not None:
            values.append(("the paper", score.paper.mean, score.paper.two_sem))
        for whose, mean, two_sem in values:
            ours = whose == "here"
            _add_point(figure, score, row + (-0.13 if ours else 0.13), mean, two_sem, ours, theme)
    titles = [score.title for score in scores]
    figure.update_yaxes(
        tickvals=list(range(len(scores))), ticktext=titles, range=[len(scores) - 0.5, -0.5]
    )
    figure.update_xaxes(title="test ROC-AUC")
    return figure


def _add_point(
    figure: go.Figure, score: Score, row: float, mean: float, two_sem: float | None, ours: bool,
    theme: Theme,
) -> None:  # fmt: skip
    """One score with its error bar; the first of each kind is in the legend."""
    shade, whose = method_colour(score.method, theme), "here" if ours else "the paper"
    detail = f"<br>λ {_strength(score)}, {score.replicates} replicates" if ours else ""
    figure.add_scatter(
        x=[mean],
        y=[row],
        error_x={
            "array": [two_sem], "visible": two_sem is not None, "color": shade, "thickness": 1.5,
            "width": 4,
        },
        mode="markers",
        marker={
            "size": 10, "color": shade, "symbol": "circle" if ours else "circle-open",
            "line": {"width": 2, "color": shade},
        },
        hovertemplate=f"{score.title}: {plus_minus(mean, two_sem)}{detail}<extra>{whose}</extra>",
        name=whose,
        showlegend=whose not in [trace.name for trace in figure.data],
    )  # fmt: skip


def _references(result: Figure1, theme: Theme) -> go.Figure:
    """Right panel: test ROC-AUC against k, with X-Gradient as a level."""
    figure = go.Figure()
    scores = result.references
    shade = method_colour("expected_gradients", theme)
    figure.add_scatter(
        x=[score.samples for score in scores],
        y=[score.mean for score in scores],
        error_y={"array": [score.two_sem for score in scores], "width": 5},
        mode="lines+markers",
        line={"color": shade},
        name="Expected Gradients, here",
        hovertemplate="k = %{x}: %{y:.4f}<extra>here</extra>",
    )
    published = [score for score in scores if score.paper is not None]
    figure.add_scatter(
        x=[score.samples for score in published],
        y=[score.paper.mean for score in published],
        error_y={
            "array": [score.paper.two_sem for score in published],
            "width": 5,
            "thickness": 1,
        },
        mode="lines+markers",
        line={"color": shade, "dash": "dot"},
        marker={"symbol": "circle-open", "size": 9},
        name="Expected Gradients, the paper",
        hovertemplate="k = %{x}: %{y:.4f}<extra>the paper</extra>",
    )
    for score in result.methods:
        if score.method == "x_gradient":
            _add_level(figure, score, [point.samples for point in scores], theme)
    ticks = [score.samples for score in scores]
    figure.update_xaxes(type="log", title="references k", tickvals=ticks, ticktext=ticks)
    figure.update_yaxes(title="test ROC-AUC")
    return figure


def _add_level(figure: go.Figure, score: Score, span: Sequence[int], theme: Theme) -> None:
    """X-Gradient as a horizontal line, ours and the paper's."""
    shade = method_colour(score.method, theme)
    levels = [("here", score.mean, "solid")]
    if score.paper is not None:
        levels.append(("the paper", score.paper.mean, "dot"))
    for whose, level, dash in levels:
        figure.add_scatter(
            x=[min(span), max(span)],
            y=[level, level],
            mode="lines",
            line={"color": shade, "dash": dash},
            name=f"X-Gradient, {whose}",
            hovertemplate=f"X-Gradient: %{{y:.4f}}<extra>{whose}</extra>",
        )


def _strengths(scores: Sequence[Score], result: Figure1, theme: Theme) -> go.Figure:
    """Test ROC-AUC against λ, a line and its band a method; a ring at the λ that was chosen."""
    figure = go.Figure()
    for method in dict.fromkeys(score.method for score in scores):
        line = [score for score in scores if score.method == method]
        shade = method_colour(method, theme)
        strengths = [score.strength for score in line]
        chosen = [strength == result.scores[method].strength for strength in strengths]
        edges = [score.mean + score.two_sem for score in line]
        edges += [score.mean - score.two_sem for score in reversed(line)]
        figure.add_scatter(
            x=[*strengths, *reversed(strengths)], y=edges, fill="toself", fillcolor=shade,
            opacity=0.2, line={"width": 0}, hoverinfo="skip", showlegend=False,
        )  # fmt: skip
        figure.add_scatter(
            x=strengths,
            y=[score.mean for score in line],
            mode="lines+markers",
            line={"color": shade},
            marker={
                "size": [14 if ring else 6 for ring in chosen],
                "symbol": ["circle-open" if ring else "circle" for ring in chosen],
                "color": shade,
                "line": {"width": [2.5 if ring else 0 for ring in chosen], "color": shade},
            },
            name=line[0].title,
            text=[
                f"λ = {decimal_label(score.strength)}: {plus_minus(score.mean, score.two_sem)}"
                for score in line
            ],
            hovertemplate="%{text}",
        )
    ticks = sorted({score.strength for score in scores})
    labels = [decimal_label(tick) for tick in ticks]
    figure.update_xaxes(type="log", title="λ", tickvals=ticks, ticktext=labels)
    figure.update_yaxes(title="test ROC-AUC")
    return figure


def _draw_table(figure: Figure1) -> None:
    """All scores as a table."""
    unique = list(figure.scores.values())
    st.dataframe(
        {
            "method": [score.title for score in unique],
            "λ": [_strength(score) for score in unique],
            "here": [plus_minus(score.mean, score.two_sem) for score in unique],
            "gain over no prior (95 %)": [
                with_interval(score.gain) if score.gain else "–" for score in unique
            ],
            "paper": [
                plus_minus(score.paper.mean, score.paper.two_sem) if score.paper else "–"
                for score in unique
            ],
            "validation": [f"{score.validation_mean:.4f}" for score in unique],
            "Gini": [f"{score.gini:.3f}" for score in unique],
        },
        hide_index=True,
        height=_HEIGHT + 34,
    )


def _strength(score: Score) -> str:
    regularised = parse_method(score.method).card.regularised
    return decimal_label(score.strength) if regularised else "–"
