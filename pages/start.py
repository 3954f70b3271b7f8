"""Start: what this is, seen on one photograph, and the three doors."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.common.page import begin_page
from pages.common.photo import FIRST, gallery_photo
from pages.common.theme import colour_bar, current_theme

begin_page()
st.markdown(
    "### See what an attribution says about an image, how far to trust it, and what it costs"
)
loading = st.empty()  # a place of its own: what stands below must not move when it goes
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

with loading, st.spinner("Loading the networks …", show_time=True):
    from pages.common.comparisons import COARSE_STEPS, comparison_rows, comparisons
    from pages.common.errors import for_screen
    from pages.common.jobs import best
    from pages.common.networks import PAIRS, load_pair
    from pages.common.view import View, view_of
    from xdnn_core.errors import UserError
    from xdnn_core.experiments.comparison import Comparison, IntegrationSettings
    from xdnn_core.figures.panels import DisplaySettings, network_name
    from xdnn_core.text import percent


def main() -> None:
    """Draw the photograph, the two maps that differ and the two that do not."""
    try:
        view = view_of(load_pair(next(iter(PAIRS.values()))), gallery_photo(FIRST))
    except UserError as error:
        seen.error(for_screen(error))
        return
    jobs = comparisons(view, view.predictions[0][0].index, IntegrationSettings())
    with seen:
        compared, shown = best(jobs, "Computing four maps")
        draw_panels(view, compared)
        (regular, x), (apart, together) = (
            map(network_name, view.models),
            (percent(comparison.distance) for comparison in compared),
        )
        st.markdown(
            f"Two maps of **{regular}** that are meant to say the same differ by **{apart}**. Two "
            f"of **{x}**, the same network fine-tuned without biases, by **{together}**: there one "
            "gradient is enough."
        )
        if shown.settings.steps == COARSE_STEPS:
            st.caption(f"Integrated Gradients with {COARSE_STEPS} gradients, coarse.")


def draw_panels(view: View, compared: Sequence[Comparison]) -> None:
    """The photograph, with the scale of all maps below it, and two maps a network."""
    theme = current_theme()
    rows, scale = comparison_rows(view.models, compared, view.image, DisplaySettings(theme=theme))
    photo, *columns = st.container(key="start_maps").columns(5, gap="small")
    class_name = view.predictions[0][0].name
    photo.image(view.image, width="stretch", alt=view.photo.title)
    photo.caption(f"{view.photo.title}. Orange speaks for {class_name}, blue against.")
    photo.html(
        f'<div class="bar" style="background:{colour_bar(theme)}"></div><div class="ends">'
        f"<span>−{scale.limit:.2g}</span><span>0 · {rows[0][0].unit} a pixel</span>"
        f"<span>+{scale.limit:.2g}</span></div>"
    )
    panels = [panel for row in rows for panel in row[:2]]
    for column, panel in zip(columns, panels, strict=True):
        name = f"{panel.title} of {panel.network}"
        column.image(panel.picture, width="stretch", output_format="PNG", alt=name)
        calls = panel.facts["Gradient calls"]
        column.caption(
            f"**{panel.title}**, {panel.network}, {calls} gradient{'s' if calls != '1' else ''}"
        )


main()
