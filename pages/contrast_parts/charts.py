"""The charts of Contrast: curves against α, in which a line follows the slider."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
import streamlit as st

from pages.common.errors import for_screen
from pages.common.theme import CONFIG, Theme, figure, network_colour
from pages.contrast_parts.packing import NetworkContrast
from xdnn_core.errors import UserError
from xdnn_core.experiments.figure2 import load_figure2
from xdnn_core.figures.panels import network_name
from xdnn_core.models.zoo import PretrainedModel

_HEIGHT = 250
_AXIS = "contrast α"


def draw_curves(
    models: Sequence[PretrainedModel],
    contrasts: Sequence[NetworkContrast],
    class_name: str,
    theme: Theme,
) -> None:
    """Draw logit, confidence and both similarities against α, both networks in each."""
    logit = figure(f"Logit of {class_name}", _HEIGHT, showlegend=True)
    confidence = figure("Confidence", _HEIGHT, showlegend=False, yaxis_tickformat=".0%")
    share = {"yaxis_rangemode": "tozero"}
    cosine = figure("Cosine with the map at α = 1", _HEIGHT, showlegend=True, **share)
    ssim = figure("SSIM with the map at α = 1", _HEIGHT, showlegend=False, **share)
    for model, contrast in zip(models, contrasts, strict=True):
        name, curves = network_name(model), contrast.curves
        ink = network_colour(model.is_xdnn, theme)
        _line(logit, curves.stops, curves.target_logits, name, ink)
        _line(confidence, curves.stops, curves.confidences, name, ink)
        one_map = contrast.maps[0] is contrast.maps[1]
        _line(cosine, curves.stops, curves.integrated_cosine, _titled(name, one_map), ink)
        _line(ssim, curves.stops, curves.integrated_ssim, _titled(name, one_map), ink)
        if not one_map:
            fast = f"{name}, I×G"
            _line(cosine, curves.stops, curves.fast_cosine, fast, ink, "dot")
            _line(ssim, curves.stops, curves.fast_ssim, fast, ink, "dot")
    drawn = {"logit": logit, "confidence": confidence, "cosine": cosine, "ssim": ssim}
    columns = st.columns(2)
    for number, (key, one) in enumerate(drawn.items()):
        one.update_xaxes(title=_AXIS, range=[0, curves.stops[-1]])
        with columns[number % 2]:
            st.plotly_chart(
                one, key=f"chart_{key}", config=CONFIG, alt=f"{one.layout.title.text} against α"
            )


def _titled(name: str, one_map: bool) -> str:
    return name if one_map else f"{name}, IG"


def _line(made: go.Figure, x: object, y: object, name: str, ink: str, dash: str = "solid") -> None:
    """Add a curve; where it has no value (there is no map at α = 0) it has a gap."""
    made.add_scatter(x=x, y=y, name=name, mode="lines", line={"color": ink, "dash": dash})


def draw_accuracy(models: Sequence[PretrainedModel], theme: Theme) -> None:
    """Draw accuracy against contrast over an image set, from the stored result."""
    try:
        _, stored = load_figure2()
    except UserError as error:
        st.caption(for_screen(error))
        return
    made = stored.provenance
    names = {model.name: network_name(model) for model in models}
    title = f"Top-1 accuracy, {made.data_set}"
    drawn = figure(title, _HEIGHT, showlegend=True, yaxis_tickformat=".0%")
    changed = []
    for curve in stored.curves:
        name = names.get(curve.network, curve.network)
        _line(drawn, stored.alphas, curve.top1, name, network_colour(curve.is_xdnn, theme))
        changed.append(f"{name} **{curve.changed:,}**")
    drawn.update_xaxes(title=_AXIS, range=[0, stored.alphas[0]])
    drawn.update_yaxes(rangemode="tozero")
    chart, words = st.columns(2, gap="medium", vertical_alignment="center")
    chart.plotly_chart(drawn, key="chart_accuracy", config=CONFIG, alt=f"{title} against α")
    words.markdown(
        f"Of {made.images:,} images, those whose prediction changes when the contrast falls from 1 "
        f"to {stored.alphas[-1]:g}: {', '.join(changed)}."
    )
    words.caption(f"`{made.command}`")
