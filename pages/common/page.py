"""What every page begins with: the whole app around it, the shared CSS, the theme."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.pages_manager import PagesManager

Theme = Literal["light", "dark"]

_CSS = """
<style>
.block-container { padding-top: 4rem; padding-bottom: 2rem; max-width: 1480px; }
/* A panel: picture, and the numbers beside it, or below it where there is no room. */
[class*="st-key-panel_"] > div:nth-child(1) { flex: 5 1 180px !important; min-width: 0; }
[class*="st-key-panel_"] > div:nth-child(2) { flex: 4 1 148px !important; min-width: 0; }
/* A table of ours and the paper's side by side, or one below the other where there is no room. */
.st-key-beside_the_paper [data-testid="stHorizontalBlock"] { flex-wrap: wrap; }
.st-key-beside_the_paper [data-testid="stColumn"]:nth-child(1) { flex: 3 1 600px; }
.st-key-beside_the_paper [data-testid="stColumn"]:nth-child(2) { flex: 2 1 400px; }
[class*="st-key-wrap_"] [data-testid="stHorizontalBlock"] { flex-wrap: wrap; }
[class*="st-key-wrap_"] [data-testid="stColumn"] { flex: 1 1 460px; }
[class*="st-key-why_"] button p { font-size: 0.92rem; white-space: nowrap; }
.facts { display: grid; grid-template-columns: max-content auto; gap: 1px 8px; font-size: 0.78rem;
  font-variant-numeric: tabular-nums; line-height: 1.6; }
.facts span:nth-child(odd) { opacity: 0.68; }
.facts span:nth-child(even) { text-align: right; }
.bar { height: 8px; border-radius: 3px; border: 1px solid rgba(128, 128, 128, 0.35); }
.ends { display: flex; justify-content: space-between; font-size: 0.74rem; opacity: 0.75;
  font-variant-numeric: tabular-nums; }
/* Streamlit keeps a chart's predecessor beside it until the run ends, which is long while a picture
   is refined. */
[data-stale="false"]:has(.stPlotlyChart) + [data-stale="true"]:has(.stPlotlyChart) {
  display: none; }
.top5 { display: grid; gap: 4px; font-size: 0.85rem; font-variant-numeric: tabular-nums; }
.top5 div { position: relative; display: flex; justify-content: space-between; padding: 1px 6px;
  border-radius: 4px; overflow: hidden; }
.top5 div > i { position: absolute; inset: 0 auto 0 0; background: rgba(70, 140, 220, 0.22);
  border-radius: 4px; }
.top5 div > span { position: relative; overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap; }
.top5 .target > span:first-of-type { font-weight: 650; }
</style>
"""


def begin_page() -> None:
    """Add what the pages share; every page calls it first.

    Until a server has run app.py once, Streamlit takes a link to pages/NAME.py for a page that
    runs alone. Then this turns that mode off and starts over, through app.py.
    """
    if PagesManager.uses_pages_directory:
        PagesManager.uses_pages_directory = False
        st.rerun()
    st.html(_CSS)


def two_columns(name: str, border: bool = False) -> Sequence[DeltaGenerator]:
    """Two columns, one below the other where a chart or a table would not fit beside another.

    `name` tells them from others of the page.
    """
    with st.container(key=f"wrap_{name}"):
        return st.columns(2, gap="medium", border=border)


def current_theme() -> Theme:
    """The theme on screen."""
    return "dark" if st.context.theme.type == "dark" else "light"
