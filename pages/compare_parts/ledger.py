"""The ledger of the regular network's logit on Compare: the biases' map and the way from 0."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
import streamlit as st

from pages.common.terms import explain
from pages.common.theme import CONFIG, Theme, colour, figure
from pages.compare_parts.sentences import biases_caption
from xdnn_core.attribution.ledger import Ledger
from xdnn_core.experiments.comparison import Comparison
from xdnn_core.figures.ledger import waterfall
from xdnn_core.figures.panels import network_name
from xdnn_core.models.zoo import PretrainedModel
from xdnn_core.text import signed

_BAR = 25  # pixels


def draw_ledger(
    models: Sequence[PretrainedModel],
    comparisons: Sequence[Comparison],
    theme: Theme,
    class_name: str,
) -> None:
    """Draw the way from 0 to the regular network's logit."""
    regular, x_network = (network_name(model) for model in models)
    ledger, of_x = (comparison.ledger for comparison in comparisons)
    size = models[0].preprocessing.size
    with st.container(border=True, gap="xsmall"):
        explain("ledger", label=f"{regular} · From 0 to the logit", key="why_ledger")
        st.plotly_chart(
            _waterfall(ledger, theme), key="ledger", config=CONFIG,
            alt=f"What pixels and biases of {regular} put into its logit for {class_name}",
        )  # fmt: skip
        biases = ledger.biases_map((size, size)).cpu().numpy()
        st.caption(
            f"{biases_caption(comparisons[0].fast.values, biases)} {x_network} has no biases: its "
            f"pixels hold the whole logit, {signed(float(of_x.outputs[0]))}."
        )


def _waterfall(ledger: Ledger, theme: Theme) -> go.Figure:
    """Bars from 0 to the logit, each beginning where the one above it ends."""
    steps, logit = waterfall(ledger), float(ledger.outputs[0])
    at_zero = float(ledger.baseline_outputs[0])
    made = figure(
        "", 84 + _BAR * (len(steps) + 1), showlegend=False, hovermode="closest",
        margin={"l": 100, "r": 40, "t": 24, "b": 40},
    )  # fmt: skip
    inks = [colour("orange" if step.value > 0 else "blue", theme) for step in steps]
    made.add_bar(
        orientation="h",
        y=[*(step.label for step in steps), "Logit"],
        base=[*(step.start for step in steps), 0.0],
        x=[*(step.value for step in steps), logit],
        marker={"color": [*inks, colour("grey", theme)], "line": {"width": 0}},
        text=[signed(value) for value in (*(step.value for step in steps), logit)],
        textposition="outside",
        cliponaxis=False,
        customdata=[*(step.detail for step in steps), "F(x)"],
        hovertemplate="%{y}, %{customdata}: %{text}<extra></extra>",
    )
    made.add_vline(
        at_zero, line={"dash": "dot", "width": 1.5, "color": colour("grey", theme)},
        annotation={"text": f"F(0) {signed(at_zero)}, the mean image", "yanchor": "bottom"},
        annotation_position="top",
    )  # fmt: skip
    made.update_yaxes(autorange="reversed", ticks="")
    made.update_xaxes(title="logits", zeroline=True)
    return made
