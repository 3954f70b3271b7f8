"""The panels of Compare's figure, on one scale, and the prediction of a network."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
import streamlit as st

from xdnn_core.experiments.comparison import Comparison, Prediction
from xdnn_core.figures.panels import (
    DisplaySettings,
    Panel,
    attribution_facts,
    biases_panel,
    draw_map,
    map_panel,
)
from xdnn_core.figures.rendering import Scale, shared_scale
from xdnn_core.models.zoo import PretrainedModel
from xdnn_core.text import duration, percent


def comparison_rows(
    models: Sequence[PretrainedModel],
    comparisons: Sequence[Comparison],
    image: np.ndarray,
    display: DisplaySettings,
) -> tuple[list[list[Panel]], Scale]:
    """Draw single-gradient attribution, Integrated Gradients, difference and biases, row by row.

    `image`: what the networks see, (H, W, 3), uint8.
    """
    maps = [
        _compared_maps(model, comparison, display)
        for model, comparison in zip(models, comparisons, strict=True)
    ]
    scale = shared_scale([one.picture for row in maps for one in row], display.percentile)
    return [[draw_map(one, scale, image, display) for one in row] for row in maps], scale


def _compared_maps(
    model: PretrainedModel, comparison: Comparison, display: DisplaySettings
) -> list[Panel]:
    """The maps of one network, which have no scale yet."""
    fast, integrated = comparison.fast, comparison.integrated
    apart = {"Distance to IG": percent(comparison.distance)}
    both = {
        "Gradient calls": f"{fast.gradient_calls} + {integrated.gradient_calls}",
        "Time": duration(fast.seconds + integrated.seconds),
    }
    itself = attribution_facts(integrated) | {"Distance to IG": percent(0.0)}
    maps = [
        map_panel(model, method, values, facts, comparison.target_logit, display)
        for method, values, facts in (
            (fast.method, fast.values, attribution_facts(fast) | apart),
            (integrated.method, integrated.values, itself),
            ("difference", comparison.difference, both | apart),
        )
    ]
    return maps if model.is_xdnn else [*maps, biases_panel(model, comparison.ledger, display)]


def draw_top5(predictions: Sequence[Prediction], target: int) -> None:
    """Draw the five most confident classes as bars, the explained one in bold."""
    rows = "".join(
        f'<div class="{"target" if p.index == target else ""}">'
        f'<i style="width:{100 * p.confidence:.1f}%"></i>'
        f"<span>{escape(p.name)}</span><span>{percent(p.confidence)}</span></div>"
        for p in predictions[:5]
    )
    st.html(f'<div class="top5">{rows}</div>')
