"""The heavy work of Convergence: every rule at every number of calls, coarse first."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace

from pages.common.cache import results
from pages.common.jobs import CHUNK, Job, Part
from pages.common.progress import Progress
from pages.common.view import View
from xdnn_core.experiments.convergence import DEFAULT_RULES, measure_convergence, with_captum
from xdnn_core.experiments.convergence_result import COUNTS, REFERENCES, Convergence, Reference
from xdnn_core.models.zoo import PretrainedModel


@dataclass(frozen=True)
class ConvergenceSettings:
    """How much is computed: numbers of calls, the reference, Captum's curve or not."""

    counts: tuple[int, ...] = COUNTS
    reference: Reference = "paper"
    captum: bool = False

    @property
    def evaluations(self) -> int:
        """Gradient evaluations a network takes, as if no points of the rules coincided."""
        curves = len(DEFAULT_RULES) + self.captum
        return curves * sum(self.counts) + REFERENCES[self.reference][1]

    def covers(self, requested: ConvergenceSettings) -> bool:
        """Whether all of other settings is in these."""
        same = (self.counts, self.reference) == (requested.counts, requested.reference)
        return same and (self.captum or not requested.captum)


COARSE = ConvergenceSettings(COUNTS[:5], "quick")


def measurements(view: View, target: int, requested: ConvergenceSettings) -> list[Job]:
    """What was asked for, then what may stand in for it; the coarse picture last."""
    full = ConvergenceSettings()
    levels = (requested, replace(requested, captum=True), replace(full, captum=True), full, COARSE)
    return [_measurement(view, target, settings) for settings in levels]


def _measurement(view: View, target: int, settings: ConvergenceSettings) -> Job:
    """All rules are measured, whichever are drawn: most of their points coincide."""

    def key(model: PretrainedModel, settings: ConvergenceSettings) -> Hashable:
        return ("convergence", model.name, view.photo.digest, target, settings)

    def compute(model: PretrainedModel, progress: Progress) -> Convergence:
        inputs = view.inputs.to(next(model.network.parameters()))
        without = results().get(key(model, replace(settings, captum=False)))
        if settings.captum and without is not None:
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

    parts = (
        Part(
            key(model, settings),
            lambda progress, model=model: compute(model, progress),
            settings.evaluations,
        )
        for model in view.models
    )
    return Job(settings, tuple(parts))
