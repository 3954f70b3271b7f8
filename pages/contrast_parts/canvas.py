"""The Contrast page's slider and all it moves, drawn in the browser without the server.

Everything it needs is one message: that of the map canvas, and what the slider moves beside the
maps. Only where controls came to rest is reported back, for the address.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import streamlit as st

from pages.common.address import is_between, read
from pages.common.maps_canvas import CSS, SCRIPT, MapPanel, MapsScene, maps_message
from pages.common.maps_view import MapsView, current_view
from pages.common.theme import Theme
from pages.contrast_parts.packing import NetworkContrast, mean_colour, nearest_stop
from xdnn_core.attribution.contrast_sweep import STOPS
from xdnn_core.experiments.comparison import fast_method
from xdnn_core.figures.panels import METHOD_TITLES, network_name
from xdnn_core.models.zoo import PretrainedModel
from xdnn_core.text import percent

KEY = "contrast_canvas"
CHARTS_KEY = "contrast_charts"  # container of the charts in which a line follows the slider
_TICKS = (0, 0.5, 1, 1.5)

_HERE = Path(__file__).parent
_HTML = """
<div class="contrast">
  <div class="sweep">
    <label for="alpha">Contrast</label>
    <input class="alpha" id="alpha" type="range" min="0" step="1" aria-label="Contrast α">
    <output for="alpha" aria-hidden="true"></output>
    <div class="ticks" aria-hidden="true"></div>
    <button class="play" type="button">▶ Play</button>
    <span class="bar-name"></span><div class="classes"></div>
    <span class="bar-name"></span><div class="classes"></div>
  </div>
  <div class="maps"></div>
</div>
"""

_canvas = st.components.v2.component(
    "xdnn_contrast_canvas",
    html=_HTML,
    css=CSS + (_HERE / "canvas.css").read_text(),
    js=SCRIPT + (_HERE / "canvas.js").read_text(),
)


def canvas_message(
    models: Sequence[PretrainedModel],
    contrasts: Sequence[NetworkContrast],
    photo: np.ndarray,
    title: str,
    theme: Theme,
) -> bytes:
    """Put all that the slider moves into one message."""
    stops, one = contrasts[0].stops, contrasts[0].at_one
    panels = [MapPanel("photo", "Photograph", line=title, alt=f"Photograph: {title}", photo=True)]
    for model, contrast in zip(models, contrasts, strict=True):
        panels += _panels(model, contrast)
    class_name = models[0].classes[contrasts[0].target]
    scene = MapsScene(
        "contrast", (class_name,), tuple(panels), photo, {}, tools=False, columns=5, beside=True
    )
    more = {
        "stops": stops,
        "at_one": one,
        "at": " at α = 1",
        "labels": [f"{alpha:.2f}" for alpha in stops],
        "ticks": [[alpha / stops[-1], f"{alpha:g}"] for alpha in _TICKS],
        "start": nearest_stop(stops, current_alpha()),
        "charts": CHARTS_KEY,
        "mean": mean_colour(models[0].preprocessing),
        "scales": {"own": "each map its own", "shared": "that of α = 1"},
        "networks": [
            {"name": network_name(model), "stops": _stops(model, contrast)}
            for model, contrast in zip(models, contrasts, strict=True)
        ],
    }
    return maps_message(scene, _maps_view(photo.shape[:2]), theme, more)


def _maps_view(size: tuple[int, int]) -> MapsView:
    """What the canvas's controls are set to; maps have scales of their own to begin with."""
    return current_view(KEY, MapsView(scale="own"), [], size)


def _stops(model: PretrainedModel, contrast: NetworkContrast) -> list[dict[str, object]]:
    """What a network says at every contrast."""
    target = model.classes[contrast.target]
    return [
        {
            "name": top.name,
            "is_target": top.index == contrast.target,
            "says": f"{top.name} {percent(top.confidence)}",
            "logit": f"logit of {target} {logit:.1f}",
        }
        for top, logit in zip(contrast.predictions, contrast.curves.target_logits, strict=True)
    ]


def _panels(model: PretrainedModel, contrast: NetworkContrast) -> list[MapPanel]:
    """Both attributions of one network at every contrast."""
    name, target = network_name(model), model.classes[contrast.target]
    logit = float(contrast.curves.target_logits[contrast.at_one])
    methods = (fast_method(model), "integrated_gradients")
    return [
        MapPanel(
            key=f"{model.name}.{method}",
            title=METHOD_TITLES[method],
            network=name,
            alt=f"{METHOD_TITLES[method]} of {name} for {target}",
            stack=(packed.codes, packed.ranges.tolist()),
            logits=(logit,),
        )
        for method, packed in zip(methods, contrast.maps, strict=True)
    ]


@st.fragment
def contrast_canvas(message: bytes, size: tuple[int, int]) -> None:
    """Draw the slider with its pictures; where it comes to rest stands in the address.

    A fragment, so that the rest of the page is not run again for that.
    """
    result = _canvas(
        key=KEY, data=message, on_view_change=lambda: None, on_stop_change=lambda: None
    )
    if result.stop is not None:
        st.session_state["contrast_alpha"] = STOPS[result.stop]
    st.query_params["alpha"] = f"{current_alpha():g}"
    _maps_view(size)


def current_alpha() -> float:
    """The contrast of this session; at first that of the address."""
    if "contrast_alpha" not in st.session_state:
        alpha = read("alpha", lambda text: is_between(text, STOPS[0], STOPS[-1], float))
        nearest = nearest_stop(STOPS, 1.0 if alpha is None else float(alpha))
        st.session_state["contrast_alpha"] = STOPS[nearest]
    alpha_now: float = st.session_state["contrast_alpha"]
    return alpha_now
