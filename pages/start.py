"""Start: what this is, seen on one photograph, and the three doors."""

from __future__ import annotations

import streamlit as st

from pages.common.page import begin_page
from pages.common.photo import FIRST, gallery_photo
from pages.common.theme import current_theme

begin_page()
st.markdown(
    "### See what an attribution says about an image, how far to trust it, and what it costs"
)
seen = st.container()
doors = st.container()


def draw_doors() -> None:
    """Three cards, the groups of the navigation."""
    for column, (title, text, links) in zip(
        st.columns(3, border=True),
        (
            (
                "Look",
                "Attributions of two networks side by side, on your photograph or one of ours.",
                ("compare", "contrast", "convergence"),
            ),
            (
                "Check",
                "Which axioms a method keeps, by trying to break them; the paper's tables, "
                "computed again.",
                ("axioms", "results"),
            ),
            (
                "Train",
                "Fit a network with a prior on its attributions and watch it live, on your data "
                "or on a cohort.",
                ("prior_training",),
            ),
        ),
        strict=True,
    ):
        with column:
            st.markdown(f"**{title}**")
            st.caption(text)
            with st.container(horizontal=True, gap="small"):
                for link in links:
                    st.page_link(f"pages/{link}.py")


with doors:
    draw_doors()

with seen, st.spinner("Loading the networks …", show_time=True):
    from pages.common.jobs import best
    from pages.common.networks import PAIRS, load_pair
    from pages.common.view import view_of
    from pages.compare_parts.panel import comparison_rows
    from pages.compare_parts.work import COARSE_STEPS, comparisons
    from xdnn_core.experiments.comparison import IntegrationSettings
    from xdnn_core.figures.panels import DisplaySettings, network_name
    from xdnn_core.text import percent


def main() -> None:
    """Draw the photograph, the two maps that differ and the two that do not."""
    view = view_of(load_pair(next(iter(PAIRS.values()))), gallery_photo(FIRST))
    target = view.predictions[0][0].index
    with seen:
        compared, shown = best(
            comparisons(view, target, IntegrationSettings()), "Computing four maps"
        )
        theme = current_theme()
        rows, _ = comparison_rows(view.models, compared, view.image, DisplaySettings(theme=theme))
        columns = st.container(key="start_maps").columns(5, gap="small")
        columns[0].image(view.image, width="stretch", alt=view.photo.title)
        columns[0].caption(
            f"{view.photo.title}. Orange speaks for {view.classes[target]}, blue against."
        )
        places = iter(columns[1:])
        for row in rows:
            for panel in row[:2]:
                column = next(places)
                column.image(
                    panel.picture, width="stretch", output_format="PNG",
                    alt=f"{panel.title} of {panel.network}",
                )  # fmt: skip
                calls = panel.facts["Gradient calls"]
                column.caption(
                    f"**{panel.title}**, {panel.network}, {calls} gradient"
                    + ("" if calls == "1" else "s")
                )
        regular, x = (percent(comparison.distance) for comparison in compared)
        st.markdown(
            f"Two maps of **{network_name(view.models[0])}** that are meant to say the same differ "
            f"by **{regular}**. Two of **{network_name(view.models[1])}**, the same network "
            f"without biases, by **{x}**: there one gradient is enough."
        )
        if shown.settings.steps == COARSE_STEPS:
            st.caption(f"Integrated Gradients with {COARSE_STEPS} gradients, coarse.")


main()
