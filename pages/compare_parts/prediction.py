"""What a network predicts."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from xdnn_core.experiments.comparison import Prediction
from xdnn_core.text import percent


def draw_top5(predictions: Sequence[Prediction], target: int) -> None:
    """Draw the five most confident classes as bars, the explained one in bold."""
    rows = "".join(
        f'<div class="{"target" if p.index == target else ""}">'
        f'<i style="width:{100 * p.confidence:.1f}%"></i>'
        f"<span>{escape(p.name)}</span><span>{percent(p.confidence)}</span></div>"
        for p in predictions[:5]
    )
    st.html(f'<div class="top5">{rows}</div>')
