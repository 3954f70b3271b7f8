"""What the map canvas's controls are set to, in the session and in the address."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import streamlit as st

from pages.common.address import is_between, read
from xdnn_core.figures.rendering import BLUR_SIGMA, SCALE_PERCENTILE


@dataclass(frozen=True)
class MapsView:
    """What the controls of the canvas are set to."""

    tool: str = "look"  # or "rectangle", "brush"
    mode: str = "heatmap"  # or "overlay", "positive", "negative"
    unit: str = "relative"  # to the logit; or "raw", logits
    scale: str = "shared"  # or "own", every map its own
    blur: float = BLUR_SIGMA  # σ, pixels
    clip: float = SCALE_PERCENTILE  # percentile of |values| at the ends of the scale
    opacity: float = 100  # of an overlay, per cent
    mix: float = 0  # 0 the first class, 50 its difference to the second, 100 minus the second
    top: float = 100  # per cent of the pixels, the most important first
    keep: bool = True  # those pixels; False removes them
    order: str = ""  # key of the panel that ranks the pixels
    brush: int = 8  # radius, pixels
    rectangle: tuple[int, int, int, int] | None = None  # the region: x, y, width, height, pixels


# Of the address: parameter, field, what the text may be and how it is read and written.
_MODES = ("heatmap", "overlay", "positive", "negative")
_UNITS = {"relative to logit": "relative", "raw": "raw"}
_SCALES = {"shared": "shared", "per panel": "own"}
_BLURS = {"true": BLUR_SIGMA, "false": 0.0}  # of links made when blur was on or off


def _view_of_address(view: MapsView, orders: Sequence[str], size: tuple[int, int]) -> MapsView:
    """The view the link names; what it does not name rightly is the default."""
    chosen: dict[str, Any] = {}

    def take(
        key: str, name: str, accepts: Callable[[str], bool], kind: Callable[[str], Any]
    ) -> None:
        text = read(key, accepts)
        if text is not None:
            chosen[name] = kind(text)

    def within(low: float, high: float) -> Callable[[str], bool]:
        return lambda text: is_between(text, low, high, float)

    take("picture", "mode", _MODES.__contains__, str)
    take("values", "unit", _UNITS.__contains__, _UNITS.__getitem__)
    take("colours", "scale", ("own", "shared").__contains__, str)  # Contrast, before the canvas
    take("scale", "scale", _SCALES.__contains__, _SCALES.__getitem__)
    take(
        "blur", "blur", lambda text: text in _BLURS or within(0, 8)(text),
        lambda text: _BLURS[text] if text in _BLURS else float(text),
    )  # fmt: skip
    take("clip", "clip", within(90, 100), float)
    take("opacity", "opacity", within(0, 100), float)
    take("mix", "mix", within(0, 100), float)
    take("top", "top", within(1, 100), float)
    take("pixels", "keep", ("keep", "remove").__contains__, lambda text: text == "keep")
    take("order", "order", list(orders).__contains__, str)
    take("region", "rectangle", lambda text: _rectangle(text, size) is not None,
         lambda text: _rectangle(text, size))  # fmt: skip
    return replace(view, **chosen)


def _rectangle(text: str, size: tuple[int, int]) -> tuple[int, ...] | None:
    """``x,y,width,height`` inside a picture of (height, width) pixels."""
    parts = text.split(",")
    height, width = size
    if len(parts) != 4 or not all(is_between(part, 0, max(size)) for part in parts):
        return None
    x, y, across, down = map(int, parts)
    fits = across > 0 and down > 0 and x + across <= width and y + down <= height
    return (x, y, across, down) if fits else None


def _into_address(view: MapsView, default: MapsView) -> None:
    """Write what is not the default, and nothing else."""
    unit, scale = ({value: text for text, value in texts.items()} for texts in (_UNITS, _SCALES))
    texts = {
        "picture": view.mode,
        "values": unit[view.unit],
        "scale": scale[view.scale],
        "pixels": "keep" if view.keep else "remove",
        "order": view.order,
        "region": ",".join(map(str, view.rectangle)) if view.rectangle else "",
    } | {name: f"{getattr(view, name):g}" for name in ("blur", "clip", "opacity", "mix", "top")}
    names = {"picture": "mode", "values": "unit", "pixels": "keep", "region": "rectangle"}
    for key, text in texts.items():
        name = names.get(key, key)
        if getattr(view, name) == getattr(default, name):
            st.query_params.pop(key, None)
        else:
            st.query_params[key] = text
    st.query_params.pop("colours", None)  # which is `scale` now


def current_view(
    key: str, default: MapsView, orders: Sequence[str], size: tuple[int, int], subject: str = ""
) -> MapsView:
    """The view of a canvas, by its key, in this session; at first that of the address.

    `orders`: keys of the panels that may rank the pixels. `size`: of the picture, (H, W).
    `subject`: the scene's; a region that was drawn on another is lifted.
    """
    default = replace(default, order=orders[0] if orders else "")
    kept = f"{key} view"
    reported = st.session_state.get(key, {}).get("view")
    if reported:
        known = {f.name: reported[f.name] for f in fields(MapsView) if f.name in reported}
        if known.get("rectangle"):
            known["rectangle"] = tuple(known["rectangle"])
        st.session_state[kept] = replace(default, **known), reported.get("subject", subject)
    elif kept not in st.session_state:
        st.session_state[kept] = _view_of_address(default, orders, size), subject
    view: MapsView
    view, seen = st.session_state[kept]
    if subject and seen != subject:
        view = replace(view, rectangle=None)
        st.session_state[kept] = view, subject
    if view.order not in orders:
        view = replace(view, order=default.order)
    _into_address(view, default)
    return view
