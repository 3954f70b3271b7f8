"""The table of methods and axioms; one of its cells is chosen, and stands in the address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import streamlit as st

from pages.common.address import read
from pages.common.theme import Theme, colour
from xdnn_core.axioms.axioms import AXIOMS, Cell, verdict

_KEY = "axioms_table"
_CHOSEN = "axioms_cell"
# The cell to begin with, if it fails: why the paper does not stop at one gradient of any network.
_FIRST = ("input_x_gradient.sensitivity_a", "input_x_gradient.completeness")

_HERE = Path(__file__).parent
_table = st.components.v2.component(
    "xdnn_axioms_table",
    html='<div class="axioms" role="group" aria-label="Methods and axioms"></div>',
    css=(_HERE / "table.css").read_text(),
    js=(_HERE / "table.js").read_text(),
)


def draw_table(
    titles: Mapping[str, str], cells: Sequence[Cell], notes: Mapping[str, str], theme: Theme
) -> Cell:
    """Draw the table; returns the chosen cell."""
    known = {cell_key(cell): cell for cell in cells}
    chosen = known[_chosen(known)]
    rows = [
        {
            "title": title,
            "cells": [
                _cell(titles, known[f"{name}.{axiom}"], notes[f"{name}.{axiom}"])
                for axiom in AXIOMS
            ],
        }
        for name, title in titles.items()
    ]
    data = {
        "columns": [axiom.title for axiom in AXIOMS.values()],
        "rows": rows,
        "chosen": cell_key(chosen),
        "colours": {"holds": colour("blue", theme), "violated": colour("orange", theme)},
    }
    _table(key=_KEY, data=data, on_picked_change=_pick)
    st.query_params["cell"] = cell_key(chosen)
    return chosen


def cell_key(cell: Cell) -> str:
    """What a cell is called in the address."""
    return f"{cell.method}.{cell.axiom}"


def how_often(cell: Cell) -> str:
    """In how many trials it was refuted, to stand below the verdict."""
    return f"in {cell.violated:,} of {cell.trials:,}"


def _cell(titles: Mapping[str, str], cell: Cell, note: str) -> dict[str, object]:
    """What the browser needs of one cell."""
    return {
        "key": cell_key(cell),
        "holds": cell.holds,
        "verdict": verdict(cell.holds),
        "note": note,
        "label": f"{titles[cell.method]}, {AXIOMS[cell.axiom].title}: "
        f"{verdict(cell.holds)}, {note}",
    }


def _pick() -> None:
    """Keep the cell that was clicked."""
    st.session_state[_CHOSEN] = st.session_state[_KEY]["picked"]


def _chosen(known: Mapping[str, Cell]) -> str:
    """The cell of this session or of the address; else one that fails, or the first."""
    asked = st.session_state.get(_CHOSEN) or read("cell", known.__contains__)
    if asked in known:
        return asked
    failed = [key for key in (*_FIRST, *known) if key in known and not known[key].holds]
    return (failed or list(known))[0]
