"""The heavy work of Convergence: every rule at every number of calls, coarse first."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from pages.common.cache import results
from pages.common.jobs import CHUNK, Job, compute_missing, kept, refine
from xdnn_core.experiments.convergence import (
    DEFAULT_RULES,
    measure_convergence,
    with_captum,
)
from xdnn_core.experiments.convergence_result import COUNTS, REFERENCES, Convergence, Reference
from xdnn_core.models.zoo import PretrainedModel


@dataclass(frozen=True)
class Depth:
    """How much is computed: numbers of calls, the reference, Captum's curve or not."""

    counts: tuple[int, ...] = COUNTS
    reference: Reference = "paper"
    captum: bool = False

    @property
    def evaluations(self) -> int:
        """Gradient evaluations a network takes, as if no points of the rules coincided."""
        curves = len(DEFAULT_RULES) + self.captum
        return curves * sum(self.counts) + REFERENCES[self.reference][1]

    def covers(self, wanted: Depth) -> bool:
        """Whether all of another depth is in this one."""
        same = (self.counts, self.reference) == (wanted.counts, wanted.reference)
        return same and (self.captum or not wanted.captum)


COARSE = Depth(COUNTS[:5], "quick")


@dataclass(frozen=True)
class ConvergenceWork:
    """What is to be measured: both networks, the normalised image (1, 3, H, W), the class.

    All rules are measured, whichever are drawn: most of their points coincide.
    """

    models: Sequence[PretrainedModel]
    inputs: Tensor
    digest: str
    target: int
    wanted: Depth

    def best(self) -> tuple[list[Convergence], Depth]:
        """The best there is of what was asked for; the coarse picture, computed, if nothing is."""
        both = [replace(self.wanted, captum=captum) for captum in (self.wanted.captum, True)]
        for depth in (*both, Depth(captum=True), Depth(), COARSE):
            found = kept([self._key(model, depth) for model in self.models])
            if found is not None:
                return found, depth
        most = COARSE.counts[-1]
        return self._compute(COARSE, f"Measuring up to {most} gradient calls"), COARSE

    def refine(self, offer: str, label: str) -> None:
        """Compute what was asked for, then draw the page again; or leave it at what there is."""
        refine(
            self._key(self.models[0], self.wanted),
            offer,
            lambda: self._compute(self.wanted, label),
        )

    def _key(self, model: PretrainedModel, depth: Depth) -> Hashable:
        return ("convergence", model.name, self.digest, self.target, depth)

    def _compute(self, depth: Depth, label: str) -> list[Convergence]:
        def job(model: PretrainedModel) -> Job:
            inputs = self.inputs.to(next(model.network.parameters()))
            without = results().get(self._key(model, replace(depth, captum=False)))
            if depth.captum and without is not None:
                return lambda progress: with_captum(
                    without, model.network, inputs, self.target, depth.counts, progress
                )
            return lambda progress: measure_convergence(
                model.network,
                inputs,
                self.target,
                counts=depth.counts,
                reference=depth.reference,
                captum=depth.captum,
                chunk=CHUNK,
                progress=progress,
            )

        jobs = {self._key(model, depth): job(model) for model in self.models}
        return compute_missing(jobs, label, depth.evaluations * len(jobs))
