"""The look that Plotly figures share: the networks' colours, thin frames, no decoration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from pages.common.page import Theme

# Okabe and Ito's colours, which the common forms of colour blindness keep apart; the lighter of
# each hue on dark ground.
_OKABE_ITO: Mapping[Theme, Mapping[str, str]] = {
    "light": {
        "orange": "#d55e00", "blue": "#0072b2", "green": "#009e73", "purple": "#a6558a",
        "yellow": "#b58900", "sky": "#3a9fd6", "grey": "#6b7280",
    },
    "dark": {
        "orange": "#f0883a", "blue": "#56b4e9", "green": "#2cc79b", "purple": "#dd9cc2",
        "yellow": "#f0e442", "sky": "#9ad4f5", "grey": "#9aa7b8",
    },
}  # fmt: skip
CONFIG = {"displaylogo": False, "displayModeBar": "hover"}


def colour(name: str, theme: Theme) -> str:
    """A colour of the palette by name, as CSS."""
    return _OKABE_ITO[theme][name]


def network_colour(is_xdnn: bool, theme: Theme) -> str:
    """The colour of a network in every chart: X-networks blue, those with biases orange."""
    return colour("blue" if is_xdnn else "orange", theme)


def figure(title: str, height: int, **layout: Any) -> go.Figure:
    """An empty figure with the shared layout.

    Parameters
    ----------
    title
        Stands above the axes, on the left.
    height
        Pixels.
    layout
        Further settings of Plotly's layout.
    """
    made = go.Figure()
    made.update_layout(
        title={"text": title, "font": {"size": 14}, "x": 0, "xanchor": "left", "y": 0.98},
        height=height,
        margin={"l": 52, "r": 12, "t": 34, "b": 42},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 1, "xanchor": "right"},
        hovermode="x unified",
    )
    made.update_layout(**layout)
    return made
