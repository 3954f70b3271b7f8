"""Convergence: how many gradient calls Integrated Gradients needs, and what one already gives."""

from __future__ import annotations

import streamlit as st

from pages.common.choices import choose_class
from pages.common.page import begin_page, two_columns
from pages.common.photo import choose_photo
from pages.common.terms import explain
from pages.common.theme import Theme, current_theme

begin_page()
photo = choose_photo()
toolbar = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
answer = st.container()
# A place of its own: what comes and goes here must not move what follows, which would be mounted
# anew.
loading = st.container()
plots = st.container()

with loading, st.spinner("Loading the networks …", show_time=True):
    from pages.common.jobs import best, refine
    from pages.common.view import load_view
    from pages.convergence_parts.charts import (
        draw_calls_needed,
        draw_errors,
        draw_figure3,
        draw_gap,
        draw_path,
    )
    from pages.convergence_parts.controls import choose_plot
    from pages.convergence_parts.maps import draw_maps
    from pages.convergence_parts.sentences import (
        calls_needed,
        least_telling_gap,
        slope_along_the_path,
    )
    from pages.convergence_parts.work import COARSE, ConvergenceSettings, measurements
    from xdnn_core.experiments.convergence_result import Convergence
    from xdnn_core.figures.panels import network_name
    from xdnn_core.models.zoo import PretrainedModel


def main() -> None:
    """Draw the page."""
    view = load_view(photo, toolbar, answer, loading)
    if view is None:
        return
    models = view.models
    with toolbar:
        target = choose_class(view.classes, view.predictions)
        rules, reference = choose_plot()
    requested = ConvergenceSettings(reference=reference, captum="captum" in rules)
    jobs = measurements(view, target, requested)
    with answer:
        measured, shown = best(jobs, f"Measuring up to {COARSE.counts[-1]} gradient calls")
        for model, one in zip(models, measured, strict=True):
            st.markdown(calls_needed(network_name(model), model.is_xdnn, one))
    theme = current_theme()
    with plots:
        draw_errors(models, measured, rules, theme)
        _draw_cost(measured)
        draw_maps(view, target, measured)
        _draw_rest(models, measured, rules, theme)
    with answer:
        if not shown.settings.covers(requested):
            aim = _aim(shown.settings, requested)
            refine(jobs[0], f"Computing {aim}", f"Go on to {aim}")


def _draw_cost(measured: list[Convergence]) -> None:
    """What the plots cost."""
    calls = sum(one.gradient_calls for one in measured)
    separately = sum(one.gradient_calls_separately for one in measured)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(
            f"Both plots together cost **{calls:,}** gradient calls, all six rules included. Curve "
            f"by curve and number by number they would have cost {separately:,}; points that "
            "coincide are computed once.",
            width="content",
        )
        explain("rule", "distance", "estimated_error", label="What is this?", key="explain_errors")


def _draw_rest(
    models: list[PretrainedModel], measured: list[Convergence], rules: list[str], theme: Theme
) -> None:
    """The gap, the path, the calls needed."""
    left, right = two_columns("gap")
    with left:
        draw_gap(models[0], measured[0], rules, theme)
        st.markdown(least_telling_gap(measured[0], rules))
    with right:
        draw_path(models, measured, theme)
        st.markdown(slope_along_the_path(network_name(models[1]), measured[1]))
    left, right = two_columns("needed")
    with left:
        st.markdown("**Gradient calls needed**, by the estimated error")
        draw_calls_needed(models, measured, rules)
    with right:
        draw_figure3(models, theme)


def _aim(shown: ConvergenceSettings, requested: ConvergenceSettings) -> str:
    """What was asked for beyond what is shown."""
    is_finer = shown.reference != requested.reference == "fine"
    what = [
        *([f"{requested.counts[-1]} gradient calls"] if shown.counts != requested.counts else []),
        *(["the 2,048-call reference"] if is_finer else []),
        *(["Captum's curve"] if requested.captum and not shown.captum else []),
    ]
    return " and ".join(what)


main()
