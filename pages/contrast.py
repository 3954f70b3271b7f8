"""Contrast: what becomes of prediction and attributions when the photograph fades."""

from __future__ import annotations

import streamlit as st

from pages.common.choices import choose_class, choose_pair
from pages.common.errors import for_screen
from pages.common.networks import store
from pages.common.page import begin_page, current_theme
from pages.common.photo import choose_photo
from pages.common.terms import explain

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
    from pages.common.jobs import predictions
    from pages.contrast_parts.canvas import (
        CHARTS_KEY,
        canvas_message,
        contrast_canvas,
        current_view,
    )
    from pages.contrast_parts.charts import draw_accuracy, draw_curves
    from pages.contrast_parts.sentences import what_contrast_changes
    from pages.contrast_parts.work import SweepWork
    from xdnn_core.errors import UserError
    from xdnn_core.figures.panels import network_name


def main() -> None:
    """Draw the page."""
    with toolbar:
        pair = choose_pair()
    try:
        with loading:
            models = [store().get(name, visible=True) for name in (pair.regular, pair.x)]
    except UserError as error:
        answer.error(for_screen(error), icon=":material/cloud_off:")
        return
    inputs = models[0].preprocess(photo.image)[None]  # (1, 3, H, W)
    predicted = predictions(models, inputs, photo.digest)
    with toolbar:
        target = choose_class(models[0].classes, predicted)
        explain(
            "contrast", "fixed_target", "similarity", label="What is this?", key="explain_contrast"
        )
    work = SweepWork(models, inputs, photo.digest, target)
    with working:
        contrasts, is_coarse = work.best()
    with answer:
        said = (
            what_contrast_changes(network_name(model), model.is_xdnn, contrast)
            for model, contrast in zip(models, contrasts, strict=True)
        )
        st.markdown(" ".join(said))
    theme = current_theme()
    with canvas:
        seen = models[0].to_display(inputs[0])
        contrast_canvas(canvas_message(models, contrasts, seen, photo.title, theme, current_view()))
    with below, st.container(key=CHARTS_KEY):
        draw_curves(models, contrasts, models[0].classes[target], theme)
        draw_accuracy(models, theme)
    with working:
        if is_coarse:
            work.refine()


main()
