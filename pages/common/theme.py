"""The look of the pages: the theme, one palette, all CSS, and what Plotly figures share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import streamlit as st

if TYPE_CHECKING:
    import plotly.graph_objects as go

Theme = Literal["light", "dark"]

# Okabe and Ito's colours, which the common forms of colour blindness keep apart; the lighter of
# each hue on dark ground.
_PALETTE: Mapping[Theme, Mapping[str, str]] = {
    "light": {
        "orange": "#d55e00", "blue": "#0072b2", "green": "#009e73", "purple": "#a6558a",
        "yellow": "#b58900", "sky": "#3a9fd6", "grey": "#6b7280", "ink": "#121926",
        "faint ink": "rgba(18, 25, 38, 0.45)",
    },
    "dark": {
        "orange": "#f0883a", "blue": "#56b4e9", "green": "#2cc79b", "purple": "#dd9cc2",
        "yellow": "#f0e442", "sky": "#9ad4f5", "grey": "#9aa7b8", "ink": "#e8edf4",
        "faint ink": "rgba(232, 237, 244, 0.5)",
    },
}  # fmt: skip
CONFIG = {"displaylogo": False, "displayModeBar": "hover"}  # of Plotly

CSS = """
<style>
.block-container { padding: 4rem 2rem 2rem; max-width: 1480px; }
/* What is chosen keeps the colour of text: in the primary colour it is too faint on dark ground. */
button[data-variant][data-selected="true"], button[data-variant][data-selected="true"] *,
[data-testid="stSliderThumbValue"] { color: inherit !important; }
/* A table of ours and the paper's side by side, or one below the other where there is no room. */
[class*="st-key-beside_"] [data-testid="stHorizontalBlock"] { flex-wrap: wrap; }
[class*="st-key-beside_"] [data-testid="stColumn"]:nth-child(1) { flex: 3 1 600px; }
[class*="st-key-beside_"] [data-testid="stColumn"]:nth-child(2) { flex: 2 1 400px; }
.st-key-beside_cost [data-testid="stColumn"]:nth-child(2) { flex: 3 1 500px; }
[class*="st-key-wrap_"] [data-testid="stHorizontalBlock"] { flex-wrap: wrap; }
[class*="st-key-wrap_"] [data-testid="stColumn"] { flex: 1 1 460px; }
/* Photograph and maps of the start page: five in a row, two on a phone. */
.st-key-start_maps [data-testid="stHorizontalBlock"] { display: grid;
  grid-template-columns: repeat(auto-fit, minmax(120px, 1fr)); }
.st-key-start_maps [data-testid="stColumn"] { width: auto; min-width: 0; }
[class*="st-key-why_"] button p { font-size: 0.92rem; white-space: nowrap; }
@media (max-width: 560px) { [class*="st-key-why_"] button p { white-space: normal; } }
.facts { display: grid; grid-template-columns: max-content auto; gap: 1px 8px; font-size: 0.78rem;
  font-variant-numeric: tabular-nums; line-height: 1.6; }
.st-key-axioms_detail .facts { width: fit-content; }
.facts span:nth-child(odd) { opacity: 0.68; }
.facts span:nth-child(even) { text-align: right; }
.bar { height: 8px; border-radius: 3px; border: 1px solid rgba(128, 128, 128, 0.35); }
.ends { display: flex; justify-content: space-between; font-size: 0.74rem; opacity: 0.75;
  font-variant-numeric: tabular-nums; }
/* Streamlit keeps a chart's predecessor beside it until the run ends, which is long while a picture
   is refined. */
[data-stale="false"]:has(.stPlotlyChart) + [data-stale="true"]:has(.stPlotlyChart) {
  display: none; }
/* Without a mouse the buttons of a chart would always lie over its title. */
@media (hover: none) { .stPlotlyChart .modebar-container { display: none; } }
.top5 { display: grid; gap: 4px; font-size: 0.85rem; font-variant-numeric: tabular-nums; }
.top5 div { position: relative; display: flex; justify-content: space-between; padding: 1px 6px;
  border-radius: 4px; overflow: hidden; }
.top5 div > i { position: absolute; inset: 0 auto 0 0; background: rgba(70, 140, 220, 0.22);
  border-radius: 4px; }
.top5 div > span { position: relative; overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap; }
.top5 .target > span:first-of-type { font-weight: 650; }
/* Three charts and the table, in as many rows as there is room for. */
.st-key-prior_small > div { flex: 1 1 225px !important; min-width: 0; }
.st-key-prior_small > div:last-child { flex: 1.3 1 300px !important; }
.features, .tests { display: grid; gap: 2px 10px; font-size: 0.8rem;
  font-variant-numeric: tabular-nums; align-items: center; }
.features { grid-template-columns: minmax(0, 1fr) max-content max-content; }
.features > div { position: relative; padding: 0 6px; border-radius: 3px; overflow: hidden;
  white-space: nowrap; text-overflow: ellipsis; line-height: 1.32rem; }
.features i { position: absolute; inset: 1px auto 1px 0; border-radius: 3px; opacity: 0.3; }
.features div > span { position: relative; }
.features > span, .tests > span { text-align: right; }
.features .head, .tests .head { opacity: 0.65; font-size: 0.74rem; }
.tests { line-height: 1.5rem; }
.tests > div { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.tests b { display: inline-block; width: 10px; height: 10px; border-radius: 50%;
  margin-right: 6px; }
</style>
"""


def current_theme() -> Theme:
    """The theme on screen."""
    return "dark" if st.context.theme.type == "dark" else "light"


def colour(name: str, theme: Theme) -> str:
    """A colour of the palette by name, as CSS."""
    return _PALETTE[theme][name]


def network_colour(is_xdnn: bool, theme: Theme) -> str:
    """The colour of a network in every chart: X-networks blue, those with biases orange."""
    return colour("blue" if is_xdnn else "orange", theme)


def colour_bar(theme: Theme) -> str:
    """The palette of maps as a CSS gradient from −v (left) to +v (right)."""
    from xdnn_core.figures.rendering import palette_colours  # not before torch may be loaded

    return f"linear-gradient(90deg, {', '.join(palette_colours(theme))})"


def figure(title: str, height: int, **layout: Any) -> go.Figure:
    """An empty figure with the shared layout."""
    import plotly.graph_objects as go  # not before a chart is drawn: the first page waits for it

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
