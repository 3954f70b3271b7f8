"""Compare: Input×Gradient, X-Gradient and Integrated Gradients side by side on one photograph."""

from __future__ import annotations

import streamlit as st

from pages.common.choices import choose_class
from pages.common.page import begin_page
from pages.common.photo import choose_photo
from pages.common.terms import explain
from pages.common.theme import Theme, current_theme

begin_page()
photo = choose_photo()
toolbar = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
answer = st.container()
grid = st.container()

with grid, st.spinner("Loading the networks …", show_time=True):
    from pages.common.jobs import Job, best, refine, run_requested
    from pages.common.view import load_view
    from pages.compare_parts.controls import choose_display, choose_integration
    from pages.compare_parts.downloads import draw_downloads
    from pages.compare_parts.ledger import draw_ledger
    from pages.compare_parts.panel import comparison_rows, draw_panel, draw_top5
    from pages.compare_parts.sentences import ledger_sentence
    from pages.compare_parts.work import COARSE_STEPS, captum_checks, comparisons, draw_check
    from xdnn_core.experiments.comparison import Comparison, IntegrationSettings
    from xdnn_core.figures.panels import Panel, network_name
    from xdnn_core.figures.rendering import Scale
    from xdnn_core.models.zoo import PretrainedModel
    from xdnn_core.text import duration, percent, times


def main() -> None:
    """Draw the page."""
    view = load_view(photo, toolbar, answer, grid)
    if view is None:
        return
    models = view.models
    with toolbar:
        target = choose_class(view.classes, view.predictions)
        settings = choose_integration()
        display = choose_display(current_theme())
    jobs = comparisons(view, target, settings)
    with answer:
        pictured, *cards = st.columns([0.56, 1, 1], border=True, wrap=True)
        pictured.image(view.image, width="stretch", alt=f"{photo.title}, as the networks see it")
        if note := models[0].preprocessing.seen_of(photo.image):
            pictured.caption(note)
    sentences = [card.container() for card in cards]
    for card, predictions in zip(cards, view.predictions, strict=True):
        with card:
            draw_top5(predictions, target)
    with answer:
        compared, shown = best(jobs, "Computing the coarse picture")
    class_name = view.classes[target]
    for sentence, model, comparison in zip(sentences, models, compared, strict=True):
        sentence.markdown(_answer(model, comparison, shown.settings.baseline, class_name))
        if missed := _missed(comparison, shown.settings):
            sentence.warning(missed, icon=":material/vertical_align_top:")
    rows, scale = comparison_rows(models, compared, view.image, display)
    checks = captum_checks(view, target, shown.settings, compared)
    with grid:
        _draw_scale_note(scale, display.shared, display.unit)
        for row in rows:
            _draw_row(row[:3], checks, display.theme, class_name)
        draw_ledger(models, compared, rows[0][3], display.theme, class_name)
    with toolbar:
        draw_downloads(view, target, shown.settings, compared, rows, display)
    with answer:
        for check in checks.values():
            run_requested(check, "Checking against Captum in float64")
        if shown is not jobs[0]:
            aim = _aim(settings)
            refine(
                jobs[0],
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


def _draw_scale_note(scale: Scale, shared: bool, unit: str) -> None:
    """What the colours mean, and how much is clipped."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if shared:
            text = (
                f"One scale for all maps, ±{scale.limit:.2g} {unit} a pixel; "
                f"{percent(scale.clipped_share)} of the pixels lie beyond."
            )
        else:
            text = "Each map has a scale of its own: **not comparable**."
        st.caption(f"{text} Orange speaks for the class, blue against it.", width="content")
        explain("scale", "confidence", label="What is this?", key="explain_scale")


def _draw_row(
    row: list[Panel], checks: dict[tuple[str, str], Job], theme: Theme, class_name: str
) -> None:
    """The three panels of one network."""
    for column, panel in zip(st.columns(3, border=True, wrap=True), row, strict=True):
        name, _, method = panel.key.rpartition(".")
        with column.container(gap="xsmall"):
            explain(*_terms_of(method), label=panel.heading, key=f"why_{panel.key}")
            below = draw_panel(panel, theme, f"{panel.title} of {panel.network} for {class_name}")
        if method != "difference":
            with below:
                draw_check(checks[name, method], f"check_{panel.key}")


def _terms_of(method: str) -> list[str]:
    """The words that stand on a panel."""
    if method == "difference":
        return ["difference", "distance"]
    terms = [method, "gradient_calls", "completeness_gap", "distance", "captum"]
    return [*terms, "estimated_error"] if method == "integrated_gradients" else terms


main()
