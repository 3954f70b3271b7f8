"""The check of Compare's attributions against Captum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from pages.common.comparisons import comparison_key
from pages.common.jobs import Job, Part, request
from pages.common.progress import Progress
from pages.common.terms import explain
from pages.common.view import View
from xdnn_core.experiments.comparison import (
    Comparison,
    IntegrationSettings,
    fast_method,
    named_baseline,
)
from xdnn_core.figures.panels import METHOD_TITLES, network_name
from xdnn_core.models.zoo import PretrainedModel
from xdnn_core.text import compact

if TYPE_CHECKING:
    from xdnn_core.attribution.captum import Agreement

_TIES = (
    "In a surface of one colour several positions of a max-pool are equal, and rounding decides "
    "which of them gets the gradient. Each choice is a right attribution; with the pixels told "
    "apart by noise of a billionth the two agree."
)
_CAPTUM_WEIGHT = 4  # a gradient in float64, one point at a time, takes about as long as four


def captum_checks(
    view: View, target: int, settings: IntegrationSettings, shown: Sequence[Comparison]
) -> dict[tuple[str, str], Job]:
    """Checks in float64 of what is shown, by the network's name and the method."""
    return {
        (model.name, method): _captum_check(view, model, target, settings, comparison, method)
        for model, comparison in zip(view.models, shown, strict=True)
        for method in (fast_method(model), "integrated_gradients")
    }


def _captum_check(
    view: View, model: PretrainedModel, target: int, settings: IntegrationSettings,
    comparison: Comparison, method: str,
) -> Job:  # fmt: skip
    is_integrated = method == "integrated_gradients"
    points = comparison.integrated.steps if is_integrated else 1

    def compute(progress: Progress) -> Agreement:
        # Captum takes seconds to import, which the first picture should not wait for.
        from xdnn_core.attribution.captum import compare_with_captum

        options = {}
        if is_integrated:
            baseline = named_baseline(settings.baseline, model, view.inputs)
            options = {"steps": points, "rule": settings.rule, "baseline": baseline}
        return compare_with_captum(method, model.network, view.inputs, target, progress, **options)

    key = ("captum", method, comparison_key(view, model, target, settings))
    return Job(settings, (Part(key, compute, points * _CAPTUM_WEIGHT),))


def draw_checks(models: Sequence[PretrainedModel], checks: Mapping[tuple[str, str], Job]) -> None:
    """Draw a check of each attribution, in one row."""
    names = {model.name: network_name(model) for model in models}
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.caption("Checked against Captum in float64:", width="content")
        for (name, method), check in checks.items():
            draw_check(check, f"{names[name]} · {METHOD_TITLES[method]}", f"check_{name}.{method}")
        explain("captum", label="What is this?", key="explain_captum")


def draw_check(check: Job, title: str, key: str) -> None:
    """Draw the badge of a check that was made, or the button, of that key, that asks for it."""
    agreements: list[Agreement] | None = check.cached()
    if agreements is None:
        st.button(
            f"Check {title}",
            key=key,
            icon=":material/fact_check:",
            type="tertiary",
            on_click=request,
            args=(check,),
        )
        return
    agreement = agreements[0]
    text = f"{title} {'agrees with' if agreement.agrees else 'differs from'} Captum"
    if agreement.agrees_but_for_ties:
        text += " but for ties"
    st.badge(
        f"{text}: {compact(agreement.largest_difference)}",
        icon=":material/check:" if agreement.agrees else ":material/priority_high:",
        color="green" if agreement.agrees else "orange",
        help=_TIES if agreement.agrees_but_for_ties else None,
    )
