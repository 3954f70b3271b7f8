"""The heavy work of Contrast: one sweep a network, coarse first."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from torch import Tensor

from pages.common.jobs import CHUNK, Job, compute_missing, kept, refine
from pages.contrast_parts.packing import NetworkContrast, measure_contrast
from xdnn_core.models.zoo import PretrainedModel

COARSE_CELLS = 20  # one for every stop up to α = 1
CELLS = 128


@dataclass(frozen=True)
class SweepWork:
    """What is to be swept: both networks, the normalised image (1, 3, H, W), the class."""

    models: Sequence[PretrainedModel]
    inputs: Tensor
    digest: str
    target: int

    def key(self, model: PretrainedModel, cells: int) -> Hashable:
        """Name of one network's result."""
        return ("contrast", model.name, self.digest, self.target, cells)

    def best(self) -> tuple[list[NetworkContrast], bool]:
        """The best results there are, the coarse ones computed if need be; are they coarse?"""
        full = kept([self.key(model, CELLS) for model in self.models])
        if full is not None:
            return full, False
        return self._compute(COARSE_CELLS, "Sweeping the contrast, coarse picture"), True

    def refine(self) -> None:
        """Compute the full results, then draw the page again; or leave it at the coarse ones."""
        label = f"Refining from {COARSE_CELLS} to {CELLS} gradient calls up to α = 1"
        refine(
            self.key(self.models[0], CELLS),
            f"Coarse picture, {COARSE_CELLS} gradient calls up to α = 1. Refine to {CELLS}",
            lambda: self._compute(CELLS, label),
        )

    def _compute(self, cells: int, label: str) -> list[NetworkContrast]:
        def job(model: PretrainedModel) -> Job:
            return lambda progress: measure_contrast(
                model, self.inputs, self.target, cells, CHUNK, progress
            )

        jobs = {self.key(model, cells): job(model) for model in self.models}
        return compute_missing(jobs, label, cells * len(jobs))
