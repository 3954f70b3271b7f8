"""The heavy work of Convergence: every rule at every number of calls, coarse first."""

from __future__ import annotations

import logging
from collections.abc import Hashable
from dataclasses import dataclass, replace

import streamlit as st

from pages.common.cache import results
from pages.common.jobs import CHUNK, Job, Part
from pages.common.progress import Progress
from pages.common.view import View
from xdnn_core.errors import UserError
from xdnn_core.experiments.convergence import calls_planned, measure_convergence, with_captum
from xdnn_core.experiments.convergence_result import COUNTS, Convergence, Reference
from xdnn_core.experiments.convergence_stored import StoredConvergence, load_convergence
from xdnn_core.models.zoo import PretrainedModel


@dataclass(frozen=True)
class ConvergenceSettings:
    """How much is computed: numbers of calls, the reference, Captum's curve or not."""

    counts: tuple[int, ...] = COUNTS
    reference: Reference = "paper"
    captum: bool = False

    @property
    def evaluations(self) -> int:
        """Gradient evaluations a network takes."""
        return calls_planned(self.counts, self.reference) + self.captum * sum(self.counts)

    def covers(self, requested: ConvergenceSettings) -> bool:
        """Whether all of other settings is in these."""
        same = (self.counts, self.reference) == (requested.counts, requested.reference)
        return same and (self.captum or not requested.captum)


FULL = ConvergenceSettings()
# Started unasked; both networks together take no more than Compare's 128 points for each.
COARSE = ConvergenceSettings(COUNTS[:5], "quick")


@dataclass(frozen=True)
class Measured:
    """What is shown."""

    networks: list[Convergence]  # one a network
    settings: ConvergenceSettings
    stored: StoredConvergence | None = None  # where it was not computed on this server

    def time_for(self, evaluations: int) -> str:
        """How long so many gradient evaluations take at the pace of those that were done."""
        calls = sum(one.gradient_calls + one.captum_calls for one in self.networks)
        seconds = evaluations * sum(one.seconds for one in self.networks) / calls
        return f"{max(1, round(seconds))} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def measure(view: View, target: int, requested: ConvergenceSettings, label: str) -> Measured:
    """What was asked for, or the best that may stand in for it; the coarse picture last."""
    levels = (requested, replace(requested, captum=True), replace(FULL, captum=True), FULL)
    for settings in levels:
        values = measurement(view, target, settings).cached()
        if values is not None:
            return Measured(values, settings)
    stored, networks = _stored()
    names = [model.name for model in view.models]
    if (
        stored is not None
        and (stored.image, stored.target) == (view.photo.key, target)
        and [network.name for network in stored.networks] == names
    ):
        return Measured(networks, FULL, stored)
    job = measurement(view, target, COARSE)
    return Measured(job.cached() or job.compute(label), COARSE)


@st.cache_resource(show_spinner=False)
def _stored() -> tuple[StoredConvergence | None, list[Convergence]]:
    """The measurement stored with the app; none where its file cannot be read."""
    try:
        return load_convergence()
    except UserError as error:  # then it is computed as for any other photograph
        logging.getLogger(__name__).warning("%s", error)
        return None, []


def measurement(view: View, target: int, settings: ConvergenceSettings) -> Job:
    """All rules are measured, whichever are drawn: most of their points coincide."""

    def key(model: PretrainedModel, settings: ConvergenceSettings) -> Hashable:
        return ("convergence", model.name, view.photo.digest, target, settings)

    def without_captum(model: PretrainedModel) -> Convergence | None:
        """What Captum's curve only needs to be added to."""
        kept = results().get(key(model, replace(settings, captum=False)))
        return kept if settings.captum else None

    def compute(model: PretrainedModel, progress: Progress) -> Convergence:
        inputs = view.inputs.to(next(model.network.parameters()))
        without = without_captum(model)
        if without is not None:
            return with_captum(without, model.network, inputs, target, settings.counts, progress)
        return measure_convergence(
            model.network,
            inputs,
            target,
            counts=settings.counts,
            reference=settings.reference,
            captum=settings.captum,
            chunk=CHUNK,
            progress=progress,
        )

    parts = []
    for model in view.models:
        without = without_captum(model)
        parts.append(
            Part(
                key(model, settings),
                lambda progress, model=model: compute(model, progress),
                settings.evaluations - (without.gradient_calls if without else 0),
            )
        )
    return Job(settings, tuple(parts))
