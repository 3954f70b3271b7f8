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
    from pages.common.jobs import Job, is_requested, request, run_requested
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
    from pages.convergence_parts.work import (
        COARSE,
        FULL,
        ConvergenceSettings,
        Measured,
        measure,
        measurement,
    )
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
    with answer:
        shown = measure(
            view, target, requested, f"Measuring up to {COARSE.counts[-1]} gradient calls"
        )
        measured = shown.networks
        for model, one in zip(models, measured, strict=True):
            st.markdown(calls_needed(network_name(model), model.is_xdnn, one))
    theme = current_theme()
    with plots:
        draw_errors(models, measured, rules, theme)
        _draw_cost(measured)
        draw_maps(view, target, measured)
        _draw_rest(models, measured, rules, theme)
    with answer:
        if shown.stored is not None:
            _offer_afresh(shown, measurement(view, target, FULL))
        if not shown.settings.covers(requested):
            _offer_more(shown, requested, measurement(view, target, requested))


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


def _offer_afresh(shown: Measured, job: Job) -> None:
    """Say that what is shown was stored, and how; the same computed now, once it is asked for."""
    made = shown.stored.provenance
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(
            f"Stored with the app: computed on {made.date[:10]} by `{made.command}` "
            f"({made.hardware}).",
            width="content",
        )
        if not is_requested(job):
            st.button(
                f"Compute afresh: {job.evaluations:,} gradients", key="afresh",
                icon=":material/refresh:", on_click=request, args=(job,),
            )  # fmt: skip
    run_requested(job, "Computing afresh")


def _offer_more(shown: Measured, requested: ConvergenceSettings, job: Job) -> None:
    """Offer what was asked for beyond what is shown, with what it takes."""
    aim = _aim(shown.settings, requested)
    if not is_requested(job):
        takes = f"{job.evaluations:,} gradients"
        if shown.stored is None:  # else the time is that of another machine
            takes += f", about {shown.time_for(job.evaluations)}"
        st.button(
            f"Go on to {aim}: {takes}", key="more", icon=":material/add:", on_click=request,
            args=(job,),
        )  # fmt: skip
    run_requested(job, f"Computing {aim}")


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
