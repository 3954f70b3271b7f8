"""Compare: Input×Gradient, X-Gradient and Integrated Gradients side by side on one photograph."""

from __future__ import annotations

import streamlit as st

from pages.common.choices import choose_class, choose_other_class
from pages.common.page import begin_page
from pages.common.photo import choose_photo
from pages.common.theme import current_theme

begin_page()
photo = choose_photo()
toolbar = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
answer = st.container()
loading = st.container()  # a place of its own: what stands below must not move when it goes
grid = st.container()

with loading, st.spinner("Loading the networks …", show_time=True):
    from pages.common.comparisons import COARSE_STEPS, comparisons
    from pages.common.jobs import best, refine, run_requested
    from pages.common.view import load_view
    from pages.compare_parts.captum_check import captum_checks, draw_checks
    from pages.compare_parts.controls import choose_integration
    from pages.compare_parts.ledger import draw_ledger
    from pages.compare_parts.maps import draw_maps
    from pages.compare_parts.prediction import draw_top5
    from pages.compare_parts.sentences import ledger_sentence
    from xdnn_core.experiments.comparison import Comparison, IntegrationSettings
    from xdnn_core.figures.panels import network_name
    from xdnn_core.models.zoo import PretrainedModel
    from xdnn_core.text import duration, percent, times


def main() -> None:
    """Draw the page."""
    view = load_view(photo, toolbar, answer, loading)
    if view is None:
        return
    models = view.models
    with toolbar:
        target = choose_class(view.classes, view.predictions)
        other = choose_other_class(view.classes, view.predictions, target)
        settings = choose_integration()
    targets = [target] if other is None else [target, other]
    jobs = [comparisons(view, each, settings) for each in targets]
    with answer:
        cards = st.columns(2, border=True, wrap=True)
    sentences = [card.container() for card in cards]
    for card, predictions in zip(cards, view.predictions, strict=True):
        with card:
            draw_top5(predictions, target)
    with answer:
        drawn = [best(each, "Computing the coarse picture") for each in jobs]
    compared, shown = drawn[0]
    class_name = view.classes[target]
    for sentence, model, comparison in zip(sentences, models, compared, strict=True):
        sentence.markdown(_answer(model, comparison, shown.settings.baseline, class_name))
        if missed := _missed(comparison, shown.settings):
            sentence.warning(missed, icon=":material/vertical_align_top:")
    checks = captum_checks(view, target, shown.settings, compared)
    with grid:
        draw_maps(view, targets, shown.settings, [values for values, _ in drawn])
        draw_checks(models, checks)
        draw_ledger(models, compared, current_theme(), class_name)
    with answer:
        for check in checks.values():
            run_requested(check, "Checking against Captum in float64")
        for (_, coarse), (full, *_) in zip(drawn, jobs, strict=True):
            if coarse is not full:
                aim = _aim(settings)
                refine(
                    full,
                    f"Refining from {COARSE_STEPS} calls to {aim}",
                    f"Coarse picture, {COARSE_STEPS} calls. Refine to {aim}",
                )


def _aim(settings: IntegrationSettings) -> str:
    """What refining ends at."""
    if settings.tolerance is None:
        return f"{settings.steps} gradient calls"
    return f"an error of {percent(settings.tolerance)}"


def _answer(model: PretrainedModel, one: Comparison, baseline: str, class_name: str) -> str:
    """The sentence that matters, with the numbers of this picture."""
    calls = one.integrated.gradient_calls
    if model.is_xdnn and baseline == "zero":
        return (
            f"**{network_name(model)}.** X-Gradient equals Integrated Gradients within "
            f"**{percent(one.distance)}**, at **1 gradient call instead of {calls}**: "
            f"{times(one.speedup)} faster, {duration(one.fast.seconds)} instead of "
            f"{duration(one.integrated.seconds)}."
        )
    if model.is_xdnn:
        apart = percent(one.distance)
        return (
            f"**{network_name(model)}.** X-Gradient is Integrated Gradients from the zero "
            f"baseline. From the {baseline} baseline chosen here they differ by **{apart}**."
        )
    return (
        f"**{network_name(model)}.** {ledger_sentence(one.ledger, class_name)} Input×Gradient "
        f"differs from Integrated Gradients by **{percent(one.distance)}**."
    )


def _missed(one: Comparison, settings: IntegrationSettings) -> str:
    """What is to be said where the cap came before the tolerance."""
    integrated = one.integrated
    if integrated.tolerance_met is None or bool(integrated.tolerance_met[0]):
        return ""
    error = percent(float(integrated.estimated_error[0]))
    return (
        f"The cap of {settings.steps} gradient calls was reached at an estimated error of {error}, "
        f"above {percent(settings.tolerance)}."
    )


main()
