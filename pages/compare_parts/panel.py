"""Draw a panel: picture, colour bar, numbers."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.common.page import facts_html
from pages.common.theme import Theme
from xdnn_core.experiments.comparison import Prediction
from xdnn_core.figures.export import colour_bar_css
from xdnn_core.figures.panels import Panel
from xdnn_core.text import percent


def draw_panel(panel: Panel, theme: Theme, description: str) -> DeltaGenerator:
    """Draw a panel; returns the place below its numbers."""
    # The key is what the CSS in theme.py hangs the proportions on.
    with st.container(horizontal=True, gap="small", key=f"panel_{panel.key}"):
        with st.container(gap="xsmall"):
            st.image(panel.picture, width="stretch", output_format="PNG", alt=description)
            st.html(_colour_bar(panel, theme))
        below = st.container(gap="small")
        below.html(facts_html(panel.facts))
    return below


def _colour_bar(panel: Panel, theme: Theme) -> str:
    middle = "zero everywhere" if panel.near_zero else f"0 · {panel.unit} a pixel"
    return (
        f'<div class="bar" style="background:{colour_bar_css(theme)}"></div>'
        f'<div class="ends"><span>−{panel.limit:.2g}</span><span>{escape(middle)}</span>'
        f"<span>+{panel.limit:.2g}</span></div>"
    )


def draw_top5(predictions: Sequence[Prediction], target: int) -> None:
    """Draw the five most confident classes as bars, the explained one in bold."""
    rows = "".join(
        f'<div class="{"target" if p.index == target else ""}">'
        f'<i style="width:{100 * p.confidence:.1f}%"></i>'
        f"<span>{escape(p.name)}</span><span>{percent(p.confidence)}</span></div>"
        for p in predictions[:5]
    )
    st.html(f'<div class="top5">{rows}</div>')
