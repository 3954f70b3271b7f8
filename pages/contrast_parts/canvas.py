"""The Contrast page's slider and all it moves, drawn in the browser without the server.

Everything it needs is one message (see canvas.js for its layout); only where the slider
came to rest is reported back, for the address.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from pages.common.address import is_between, read
from pages.common.theme import Theme
from pages.contrast_parts.packing import (
    NetworkContrast,
    PackedMaps,
    mean_colour,
    nearest_stop,
    palette_table,
    scale_at_one,
)
from xdnn_core.attribution.contrast_sweep import STOPS
from xdnn_core.experiments.comparison import fast_method
from xdnn_core.figures.export import colour_bar_css
from xdnn_core.figures.panels import METHOD_TITLES, network_name
from xdnn_core.models.zoo import PretrainedModel
from xdnn_core.text import percent

CHARTS_KEY = "contrast_charts"  # container of the charts in which a line follows the slider
COLOURS = ("own", "shared")
_TICKS = (0, 0.5, 1, 1.5)

_HERE = Path(__file__).parent
_HTML = """
<div class="contrast">
  <div class="top">
    <div class="photo"></div>
    <div class="controls">
      <label for="alpha">Contrast</label>
      <input class="alpha" id="alpha" type="range" min="0" step="1" aria-label="Contrast α">
      <output for="alpha" aria-hidden="true"></output>
      <div class="ticks" aria-hidden="true"></div>
      <span class="bar-name"></span><div class="classes"></div>
      <span class="bar-name"></span><div class="classes"></div>
      <div class="bar">
        <button class="play" type="button">▶ Play</button>
        <fieldset>
          <legend>Colours</legend>
          <label><input type="radio" name="colours" value="own"> each map its own scale</label>
          <label><input type="radio" name="colours" value="shared"> the scale of α = 1</label>
        </fieldset>
      </div>
    </div>
  </div>
  <div class="networks"></div>
  <div class="scale"><i></i><span></span></div>
</div>
"""

_canvas = st.components.v2.component(
    "xdnn_contrast_canvas",
    html=_HTML,
    css=(_HERE / "canvas.css").read_text(),
    js=(_HERE / "canvas.js").read_text(),
)


@dataclass(frozen=True)
class View:
    """Where the slider stands and how maps are coloured."""

    alpha: float = 1.0  # contrast
    colours: str = "own"  # "own": every map on its own scale; "shared": all on that of α = 1


class _Block:
    """The bytes after the header, with where each part lies."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._known: dict[int, list[int]] = {}

    def add(self, array: np.ndarray) -> list[int]:
        """Append an array once; returns where it starts and how many bytes it has."""
        if id(array) not in self._known:
            self._known[id(array)] = [self._size, array.nbytes]
            self._parts.append(array.tobytes())
            self._size += array.nbytes
        return self._known[id(array)]

    def after(self, header: dict[str, object]) -> bytes:
        """The whole message."""
        text = json.dumps(header).encode()
        return b"".join([len(text).to_bytes(4, "little"), text, *self._parts])


def canvas_message(
    models: Sequence[PretrainedModel],
    contrasts: Sequence[NetworkContrast],
    photo: np.ndarray,
    title: str,
    theme: Theme,
    view: View,
) -> bytes:
    """Put all that the slider moves into one message."""
    limit = scale_at_one(contrasts).limit
    stops = contrasts[0].stops
    block = _Block()
    hues = "Orange speaks for the class, blue against it."
    header: dict[str, object] = {
        "stops": stops,
        "labels": [f"{alpha:.2f}" for alpha in stops],
        "ticks": [[alpha / stops[-1], f"{alpha:g}"] for alpha in _TICKS],
        "start": nearest_stop(stops, view.alpha),
        "colours": view.colours,
        "size": photo.shape[:2],
        "charts": CHARTS_KEY,
        "photo": {
            "title": title,
            "at": block.add(photo),
            "mean": mean_colour(models[0].preprocessing),
        },
        "palette": block.add(palette_table(theme)),
        "gradient": colour_bar_css(theme),
        "scale_notes": [
            f"Each map on a scale of its own, as in the paper: sizes are not comparable. {hues}",
            f"All maps from −{limit:.2g} to +{limit:.2g} % of the logit at α = 1 a pixel. {hues}",
        ],
        "networks": [
            _network(model, one, limit, block) for model, one in zip(models, contrasts, strict=True)
        ],
    }
    return block.after(header)


def _network(
    model: PretrainedModel, contrast: NetworkContrast, limit: float, block: _Block
) -> dict[str, object]:
    """What the browser needs of one network."""
    name, target = network_name(model), model.classes[contrast.target]
    stops = [
        {
            "name": top.name,
            "is_target": top.index == contrast.target,
            "says": f"{top.name} {percent(top.confidence)}",
            "logit": f"logit of {target}: {logit:.1f}",
        }
        for top, logit in zip(contrast.predictions, contrast.curves.target_logits, strict=True)
    ]

    def described(method: str, packed: PackedMaps) -> dict[str, object]:
        return {
            "title": METHOD_TITLES[method],
            "label": f"{METHOD_TITLES[method]} of {name} for {target}",
            "at": block.add(packed.codes),
            "ranges": packed.ranges.tolist(),
            "limits": packed.limits.tolist(),
            "shared_limit": limit,
        }

    methods = (fast_method(model), "integrated_gradients")
    both = [described(*one) for one in zip(methods, contrast.maps, strict=True)]
    return {"name": name, "stops": stops, "maps": both}


@st.fragment
def contrast_canvas(message: bytes) -> None:
    """Draw the slider with its pictures; where it comes to rest stands in the address.

    A fragment, so that the rest of the page is not run again for that.
    """
    result = _canvas(key="contrast_canvas", data=message, on_view_change=lambda: None)
    if result.view:
        view = View(STOPS[result.view["stop"]], result.view["colours"])
        st.session_state["contrast_view"] = view
    view = current_view()
    st.query_params["alpha"] = f"{view.alpha:g}"
    st.query_params["colours"] = view.colours


def current_view() -> View:
    """The view of this session; at first that of the address."""
    if "contrast_view" not in st.session_state:
        st.session_state["contrast_view"] = _view_of_address()
    return st.session_state["contrast_view"]


def _view_of_address() -> View:
    """The view the link names; what it does not name rightly is the default."""
    default = View()
    alpha = read("alpha", lambda text: is_between(text, STOPS[0], STOPS[-1], float))
    colours = read("colours", COLOURS.__contains__)
    stop = nearest_stop(STOPS, default.alpha if alpha is None else float(alpha))
    return View(STOPS[stop], colours or default.colours)
