"""What every page begins with: the whole app around it, and the CSS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.pages_manager import PagesManager

from pages.common.theme import CSS

if TYPE_CHECKING:
    import pandas as pd


def begin_page() -> None:
    """Add what the pages share; every page calls it first.

    Until a server has run app.py once, Streamlit takes a link to pages/NAME.py for a page that
    runs alone. Then this turns that mode off and starts over, through app.py.
    """
    if PagesManager.uses_pages_directory:
        PagesManager.uses_pages_directory = False
        st.rerun()
    st.html(CSS)


def two_columns(name: str, border: bool = False) -> Sequence[DeltaGenerator]:
    """Two columns, one below the other where a chart or a table would not fit beside another.

    `name` tells them from others of the page.
    """
    with st.container(key=f"wrap_{name}"):
        return st.columns(2, gap="medium", border=border)


def facts_html(facts: Mapping[str, str]) -> str:
    """Numbers with their labels, one below the other."""
    cells = "".join(
        f"<span>{escape(label)}</span><span>{escape(fact)}</span>" for label, fact in facts.items()
    )
    return f'<div class="facts">{cells}</div>'


def draw_grid(
    frame: pd.DataFrame, number: str = "%g", formats: Mapping[str, str] | None = None
) -> None:
    """A table with names on the left, numbers and intervals, which are text, on the right.

    `number` is the format of numbers where `formats` has none for their column.
    """
    columns = {
        name: st.column_config.NumberColumn(format=(formats or {}).get(name, number))
        if frame[name].dtype.kind in "if"
        else st.column_config.TextColumn(alignment="right")
        for name in frame.columns[1:]
    }
    st.dataframe(frame, hide_index=True, width="stretch", column_config=columns)
