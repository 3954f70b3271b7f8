"""The heavy work of Contrast: one sweep a network, coarse first."""

from __future__ import annotations

from functools import partial

from pages.common.jobs import CHUNK, Job, Part
from pages.common.view import View
from pages.contrast_parts.packing import measure_contrast

COARSE_CELLS = 20  # one for every stop up to α = 1
CELLS = 128


def sweep(view: View, target: int, cells: int) -> Job:
    """Sweep both networks' contrast for a class, with so many cells up to α = 1."""
    parts = (
        Part(
            ("contrast", model.name, view.photo.digest, target, cells),
            partial(measure_contrast, model, view.inputs, target, cells, CHUNK),
            cells,
        )
        for model in view.models
    )
    return Job(cells, tuple(parts))
