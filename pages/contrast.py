"""Contrast: what becomes of prediction and attributions when the photograph fades."""

from __future__ import annotations

import streamlit as st

from pages.common.choices import choose_class
from pages.common.page import begin_page
from pages.common.photo import choose_photo
from pages.common.terms import explain
from pages.common.theme import current_theme

begin_page()
photo = choose_photo()
toolbar = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
answer = st.container()
# Bars come and go; what stands beside them would be drawn twice until the run ends.
working = st.container()
# A place of its own: what comes and goes here must not move what follows, which would be mounted
# anew.
loading = st.container()
canvas = st.container()
below = st.container()

with loading, st.spinner("Loading the networks …", show_time=True):
    from pages.common.jobs import best, refine
    from pages.common.view import load_view
    from pages.contrast_parts.canvas import (
        CHARTS_KEY,
        canvas_message,
        contrast_canvas,
    )
    from pages.contrast_parts.charts import draw_accuracy, draw_curves
    from pages.contrast_parts.sentences import what_contrast_changes
    from pages.contrast_parts.work import CELLS, COARSE_CELLS, sweep
    from xdnn_core.figures.panels import network_name


def main() -> None:
    """Draw the page."""
    view = load_view(photo, toolbar, answer, loading)
    if view is None:
        return
    models = view.models
    with toolbar:
        target = choose_class(view.classes, view.predictions)
        explain(
            "contrast", "fixed_target", "similarity", label="What is this?", key="explain_contrast"
        )
    full, coarse = (sweep(view, target, cells) for cells in (CELLS, COARSE_CELLS))
    with working:
        contrasts, shown = best((full, coarse), "Sweeping the contrast, coarse picture")
    with answer:
        sentences = (
            what_contrast_changes(network_name(model), model.is_xdnn, contrast)
            for model, contrast in zip(models, contrasts, strict=True)
        )
        st.markdown(" ".join(sentences))
    theme = current_theme()
    with canvas:
        message = canvas_message(models, contrasts, view.image, photo.title, theme)
        contrast_canvas(message, view.image.shape[:2])
    with below, st.container(key=CHARTS_KEY):
        draw_curves(models, contrasts, view.classes[target], theme)
        draw_accuracy(models, theme)
    with working:
        if shown is coarse:
            refine(
                full,
                f"Refining from {COARSE_CELLS} to {CELLS} gradient calls up to α = 1",
                f"Coarse picture, {COARSE_CELLS} gradient calls up to α = 1. Refine to {CELLS}",
            )


main()
