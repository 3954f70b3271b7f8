"""Axioms: Table 1 of the paper with every cell tried, on random networks and on one of yours."""

from __future__ import annotations

import streamlit as st

from pages.common.choices import choose
from pages.common.page import begin_page

begin_page()
view = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
loading = st.empty()  # a place of its own: what stands below must not move when it goes
body = st.container()

with loading, st.spinner("Loading …", show_time=True):
    from pages.axioms_parts.network import draw_network_view
    from pages.axioms_parts.random import draw_random_view

_RANDOM, _NETWORK = "Random networks", "One network, one photograph"


def main() -> None:
    """Draw the page."""
    with view:
        shown = choose("tried", "Tried on", [_RANDOM, _NETWORK], wrap=True)
    if shown == _NETWORK:
        draw_network_view(body)
    else:
        draw_random_view(view, body)


main()
