"""Take a table of axioms away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd
import streamlit as st

from xdnn_core.axioms.axioms import Cell
from xdnn_core.experiments.table1 import Table1
from xdnn_core.experiments.table1_network import NetworkTable1
from xdnn_core.figures.export import settings_json


def draw_downloads(table: Table1 | NetworkTable1, cells: Sequence[Cell], stem: str) -> None:
    """Draw the popover: the cells as CSV, everything as JSON."""
    rows = pd.DataFrame([asdict(cell) for cell in cells])
    with st.popover("Download", icon=":material/download:"):
        options = {"on_click": "ignore", "width": "stretch"}
        st.download_button(
            "Cells, CSV", rows.to_csv(index=False), f"{stem}.csv", "text/csv", **options
        )
        st.download_button(
            "Everything, JSON", settings_json(asdict(table)), f"{stem}.json", "application/json",
            **options,
        )  # fmt: skip
