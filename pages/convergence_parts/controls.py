"""The controls of Convergence; every one of them is in the address, so that a view is a link."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.common.address import choices
from pages.common.choices import choose

if TYPE_CHECKING:
    from xdnn_core.experiments.convergence_result import Reference

# By the name that stands in the address.
_REFERENCES: dict[str, Reference] = {"300 calls": "paper", "2,048 calls": "fine"}

RULE_TITLES = {
    "graded": "graded",
    "gauss_legendre": "Gauss–Legendre",
    "midpoint": "midpoint",
    "trapezoid": "trapezoid",
    "left": "left",
    "right": "right",
    "captum": "Captum",
}


def choose_plot() -> tuple[list[str], Reference]:
    """Draw the choice of curves to show, Captum's among them, and of the reference."""
    titles = {title: rule for rule, title in RULE_TITLES.items()}
    chosen = st.pills(
        "Rules",
        selection_mode="multi",
        default=list(titles)[:4],
        help="Captum's own curve shares no points with the others and takes as long again.",
        **choices("rules", list(titles)),
    )
    reference = choose(
        "reference", "Errors against", list(_REFERENCES),
        help="300 Gauss–Legendre points are the paper's reference; 2,048 graded ones take longer.",
    )  # fmt: skip
    return [titles[title] for title in titles if title in chosen], _REFERENCES[reference]
