"""One cell of the table: what the axiom asks, what was tried, what came out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import pandas as pd
import streamlit as st

from pages.axioms_parts.textbook import StepExample, step_example
from pages.common.page import facts_html
from pages.common.terms import explain
from pages.common.theme import CONFIG, Theme, colour, figure
from pages.common.wording import plain
from xdnn_core.axioms.axioms import AXIOMS, Cell, verdict
from xdnn_core.axioms.functions import STEP
from xdnn_core.experiments.table1 import Table1
from xdnn_core.experiments.table1_network import NetworkTable1
from xdnn_core.figures.export import settings_json
from xdnn_core.text import percent

_HEIGHT = 270


def draw_detail(
    cell: Cell, title: str, reading: str, facts: Mapping[str, str], theme: Theme
) -> None:
    """Draw a cell's statement, its witness and its numbers; the textbook's example as a chart."""
    axiom = AXIOMS[cell.axiom]
    is_textbook = cell.witness.startswith(STEP)
    with st.container(border=True, key="axioms_detail"):
        text, *drawn = st.columns([1, 0.8] if is_textbook else 1, gap="medium", wrap=True)
        with text:
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                explain(cell.axiom, label=f"{title}: {axiom.title}", key=f"why_{cell.axiom}")
                st.badge(
                    verdict(cell.holds),
                    icon=":material/check:" if cell.holds else ":material/close:",
                    color="blue" if cell.holds else "orange",
                )
            st.markdown(axiom.statement)
            sentence = f"{cell.witness[0].upper()}{cell.witness[1:]}."
            st.markdown(f"**{reading}.** {plain(sentence)}")
            st.html(facts_html(facts))
    if is_textbook:
        with drawn[0]:
            _draw_step(step_example(cell.method), title, theme)


def _draw_step(example: StepExample, title: str, theme: Theme) -> None:
    """Draw 1 − ReLU(1 − x): F rises from the baseline to x, where it is flat."""
    made = figure("F(x) = 1 − ReLU(1 − x)", _HEIGHT, showlegend=False, hovermode="closest")
    made.update_layout(margin={"l": 40, "r": 12, "t": 34, "b": 42})
    grey, ink = colour("grey", theme), colour("orange", theme)
    made.add_scatter(
        x=example.xs, y=example.ys, mode="lines", hoverinfo="skip",
        line={"color": colour("blue", theme), "width": 2.5},
    )  # fmt: skip
    made.add_scatter(
        x=[example.x, example.x], y=[example.at_baseline, example.at_x], mode="lines",
        hoverinfo="skip", line={"color": grey, "dash": "dot", "width": 1.5},
    )  # fmt: skip
    made.add_scatter(
        x=[example.baseline, example.x],
        y=[example.at_baseline, example.at_x],
        mode="markers+text",
        marker={"size": 11, "color": [grey, ink], "symbol": ["circle-open", "circle"],
                "line": {"width": 2}},
        text=["baseline x′ = 0", f"x = {example.x:g}"],
        textposition=["bottom right", "top center"],
        hovertemplate="x = %{x:g}, F = %{y:g}<extra></extra>",
    )  # fmt: skip
    made.add_annotation(
        x=example.x, y=(example.at_baseline + example.at_x) / 2, xanchor="left", showarrow=False,
        xshift=6, text=f"F changes by {example.at_x - example.at_baseline:g}", align="left",
    )  # fmt: skip
    made.add_annotation(
        x=0.98, y=0.02, xref="paper", yref="paper", xanchor="right", yanchor="bottom",
        showarrow=False, font={"color": ink}, text=f"<b>{title}: {example.attribution:g}</b>",
    )  # fmt: skip
    made.update_xaxes(title="x", range=[example.xs[0], example.xs[-1]], zeroline=False)
    made.update_yaxes(range=[-0.75, 1.4], tickvals=[0, 0.5, 1], zeroline=False)
    st.plotly_chart(
        made, key="axioms_step", config=CONFIG, height=_HEIGHT,
        alt=f"1 − ReLU(1 − x) is flat at x = {example.x:g}: F changes by "
        f"{example.at_x - example.at_baseline:g} from the baseline, {title} attributes "
        f"{example.attribution:g}",
    )  # fmt: skip


def facts_of(cell: Cell, tried: str) -> dict[str, str]:
    """The numbers of every cell: how often tried and violated, how badly."""
    return {
        tried: f"{cell.trials:,}",
        "Refuted in": f"{cell.violated:,}",
        "Worst violation": percent(cell.worst),
    }


def draw_downloads(table: Table1 | NetworkTable1, stem: str) -> None:
    """Draw the popover that takes a table away: the cells as CSV, everything as JSON."""
    csv = pd.DataFrame(map(asdict, table.cells)).to_csv(index=False)
    everything = settings_json(asdict(table))
    with st.popover("Download", icon=":material/download:"):
        for label, data, ending, kind in (
            ("Cells, CSV", csv, "csv", "text/csv"),
            ("Everything, JSON", everything, "json", "application/json"),
        ):
            st.download_button(
                label, data, f"{stem}.{ending}", kind, on_click="ignore", width="stretch"
            )
