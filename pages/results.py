"""Results: the paper's tables recomputed, beside what was published."""

from __future__ import annotations

import streamlit as st

from pages.common.choices import choose
from pages.common.page import begin_page

begin_page()
bar = st.container(horizontal=True, vertical_alignment="center", gap="small")
loading = st.empty()  # a place of its own: what stands below must not move when it goes
body = st.container()

with loading, st.spinner("Loading …", show_time=True):
    from pages.common.theme import current_theme
    from pages.results_parts.run import draw_run
    from pages.results_parts.tables import TABLES, choose_result, draw_table

_OTHERS = {
    "pages/axioms.py": "Table 1: axioms",
    "pages/prior_training.py": "Figure 1: attribution priors",
    "pages/contrast.py": "Figure 2: contrast",
    "pages/convergence.py": "Figure 3: convergence",
}


def main() -> None:
    """Draw the page."""
    with bar:
        # The labels are what stands in the address.
        labels = {card.label: name for name, card in TABLES.items()}
        label = choose("table", "Table", list(labels), label_visibility="collapsed")
        name = labels[label]
        st.markdown(f"**{TABLES[name].title}**", width="content")
        result = choose_result(name)
    with body:
        if result is not None:
            draw_table(name, result, current_theme())
        draw_run()
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            st.caption("The paper's other results:", width="content")
            for page, title in _OTHERS.items():
                st.page_link(page, label=title, width="content")


main()
