"""The heavy work of Compare: coarse picture, refinement, and the check against Captum."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st
from torch import Tensor

from pages.common.cache import results
from pages.common.jobs import CHUNK, Job, compute_missing, kept, refine
from xdnn_core.experiments.comparison import (
    COARSE_STEPS,
    Comparison,
    IntegrationSettings,
    compare,
    named_baseline,
)
from xdnn_core.models.zoo import PretrainedModel
from xdnn_core.text import compact, percent

if TYPE_CHECKING:
    from xdnn_core.attribution.captum import Agreement

_CAPTUM_WEIGHT = 4  # a gradient in float64, one point at a time, takes about as long as four


@dataclass(frozen=True)
class Work:
    """What is to be attributed, and how.

    Attributes
    ----------
    models
        The pair.
    inputs
        The normalised image, (1, 3, H, W).
    digest
        Names the image.
    target
        Class index.
    settings
        Of Integrated Gradients.
    """

    models: Sequence[PretrainedModel]
    inputs: Tensor
    digest: str
    target: int
    settings: IntegrationSettings

    def key(self, number: int, settings: IntegrationSettings) -> Hashable:
        """Name of one network's result."""
        return ("compare", self.models[number].name, self.digest, self.target, settings)

    def kept(self, settings: IntegrationSettings) -> list[Comparison] | None:
        """Both networks' results, if both are there."""
        return kept([self.key(number, settings) for number in range(len(self.models))])

    def compute(self, settings: IntegrationSettings, label: str) -> list[Comparison]:
        """Compute what is not there yet, with progress."""

        def job(number: int) -> Job:
            is_coarse = settings != self.settings
            goes_on = is_coarse and self.settings.tolerance is None
            finer = self.settings.steps if goes_on else None
            coarse = None if is_coarse else results().get(self.key(number, _coarse(settings)))
            return lambda progress: compare(
                self.models[number], self.inputs, self.target, settings, progress, CHUNK,
                finer=finer, known=coarse,
            )  # fmt: skip

        jobs = {self.key(number, settings): job(number) for number in range(len(self.models))}
        return compute_missing(jobs, label, settings.steps * len(jobs))


@dataclass(frozen=True)
class Found:
    """The best picture there is at the moment."""

    work: Work
    comparisons: list[Comparison]
    is_coarse: bool

    @property
    def settings(self) -> IntegrationSettings:
        """The settings the comparisons were computed with."""
        return _coarse(self.work.settings) if self.is_coarse else self.work.settings

    def refine(self) -> None:
        """Compute the full picture, then draw the page again; or leave it at the coarse one."""
        work, settings = self.work, self.work.settings
        if settings.tolerance is None:
            aim = f"{settings.steps} gradient calls"
        else:
            aim = f"an error of {percent(settings.tolerance)}"
        refine(
            work.key(0, settings),
            f"Coarse picture, {COARSE_STEPS} calls. Refine to {aim}",
            lambda: work.compute(settings, f"Refining from {COARSE_STEPS} calls to {aim}"),
        )


def _coarse(settings: IntegrationSettings) -> IntegrationSettings:
    return replace(settings, steps=min(settings.steps, COARSE_STEPS), tolerance=None)


def best_comparisons(work: Work) -> Found:
    """Return the full picture if it is there, else the coarse one, computed if need be."""
    full = work.kept(work.settings)
    if full is not None:
        return Found(work, full, is_coarse=False)
    coarse = _coarse(work.settings)
    found = work.kept(coarse) or work.compute(coarse, "Computing the coarse picture")
    return Found(work, found, is_coarse=coarse != work.settings)


def _check_key(work: Work, number: int, method: str, settings: IntegrationSettings) -> Hashable:
    return ("captum", method, work.key(number, settings))


def draw_check(work: Work, number: int, method: str, settings: IntegrationSettings) -> None:
    """Draw the badge of a check that was made, or the button that asks for it."""
    key = _check_key(work, number, method, settings)
    agreement: Agreement | None = results().get(key)
    if agreement is None:
        st.button(
            "Check with Captum",
            key=f"check_{number}_{method}",
            icon=":material/fact_check:",
            type="tertiary",
            on_click=lambda: st.session_state.update(check=(number, method)),
        )
        return
    difference = agreement.largest_difference
    agrees = difference <= 1e-6
    st.badge(
        f"{'agrees with' if agrees else 'differs from'} Captum: {compact(difference)}",
        icon=":material/check:" if agrees else ":material/priority_high:",
        color="green" if agrees else "orange",
    )


def run_check(found: Found) -> None:
    """Run the check that was asked for, in float64, then draw the page again."""
    asked = st.session_state.get("check")
    if asked is None:
        return
    # Captum takes seconds to import, which the first picture should not wait for.
    from xdnn_core.attribution.captum import compare_with_captum

    number, method = asked
    work, settings = found.work, found.settings
    model = work.models[number]
    options = {}
    if method == "integrated_gradients":
        baseline = named_baseline(settings.baseline, model, work.inputs)
        points = found.comparisons[number].integrated.steps
        options = {"steps": points, "rule": settings.rule, "baseline": baseline}
    slot = st.container(horizontal=True, vertical_alignment="center")
    slot.button(
        "Cancel", icon=":material/close:", on_click=lambda: st.session_state.pop("check", None)
    )
    with slot:
        jobs: dict[Hashable, Job] = {
            _check_key(work, number, method, settings): lambda progress: compare_with_captum(
                method, model.network, work.inputs, work.target, progress, **options
            )
        }
        evaluations = options.get("steps", 1) * _CAPTUM_WEIGHT
        compute_missing(jobs, "Checking against Captum in float64", evaluations)
    st.session_state.pop("check", None)
    st.rerun()
