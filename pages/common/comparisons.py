"""A pair of networks on a photograph, compared: the heavy work, and its panels on one scale."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace

import numpy as np

from pages.common.cache import results
from pages.common.jobs import CHUNK, Job, Part
from pages.common.progress import Progress
from pages.common.view import View
from xdnn_core.experiments.comparison import Comparison, IntegrationSettings, compare
from xdnn_core.figures.panels import (
    DisplaySettings,
    Panel,
    attribution_facts,
    biases_panel,
    draw_map,
    map_panel,
)
from xdnn_core.figures.rendering import Scale, shared_scale
from xdnn_core.models.zoo import PretrainedModel
from xdnn_core.text import duration, percent

COARSE_STEPS = 16  # of the picture that appears first


def comparisons(view: View, target: int, requested: IntegrationSettings) -> list[Job]:
    """The picture that was asked for and, where that is another, the coarse one after it."""
    coarse = replace(requested, steps=min(requested.steps, COARSE_STEPS), tolerance=None)
    finer = requested.steps if requested.tolerance is None else None

    def key(model: PretrainedModel, settings: IntegrationSettings) -> Hashable:
        return comparison_key(view, model, target, settings)

    def compare_coarsely(model: PretrainedModel, progress: Progress) -> Comparison:
        return compare(model, view.inputs, target, coarse, progress, CHUNK, finer=finer)

    def compare_fully(model: PretrainedModel, progress: Progress) -> Comparison:
        known = None if requested == coarse else results().get(key(model, coarse))
        return compare(model, view.inputs, target, requested, progress, CHUNK, known=known)

    levels = {requested: compare_fully}
    levels.setdefault(coarse, compare_coarsely)
    return [
        Job(
            settings,
            tuple(
                Part(
                    key(model, settings),
                    lambda progress, model=model, run=run: run(model, progress),
                    settings.steps,
                )
                for model in view.models
            ),
        )
        for settings, run in levels.items()
    ]


def comparison_key(
    view: View, model: PretrainedModel, target: int, settings: IntegrationSettings
) -> Hashable:
    """Name of one network's result."""
    return ("compare", model.name, view.photo.digest, target, settings)


def comparison_rows(
    models: Sequence[PretrainedModel],
    comparisons: Sequence[Comparison],
    image: np.ndarray,
    display: DisplaySettings,
) -> tuple[list[list[Panel]], Scale]:
    """Draw single-gradient attribution, Integrated Gradients, difference and biases, row by row.

    `image`: what the networks see, (H, W, 3), uint8.
    """
    maps = [
        _compared_maps(model, comparison, display)
        for model, comparison in zip(models, comparisons, strict=True)
    ]
    scale = shared_scale([one.picture for row in maps for one in row], display.percentile)
    return [[draw_map(one, scale, image, display) for one in row] for row in maps], scale


def _compared_maps(
    model: PretrainedModel, comparison: Comparison, display: DisplaySettings
) -> list[Panel]:
    """The maps of one network, which have no scale yet."""
    fast, integrated = comparison.fast, comparison.integrated
    apart = {"Distance to IG": percent(comparison.distance)}
    both = {
        "Gradient calls": f"{fast.gradient_calls} + {integrated.gradient_calls}",
        "Time": duration(fast.seconds + integrated.seconds),
    }
    itself = attribution_facts(integrated) | {"Distance to IG": percent(0.0)}
    maps = [
        map_panel(model, method, values, facts, comparison.target_logit, display)
        for method, values, facts in (
            (fast.method, fast.values, attribution_facts(fast) | apart),
            (integrated.method, integrated.values, itself),
            ("difference", comparison.difference, both | apart),
        )
    ]
    return maps if model.is_xdnn else [*maps, biases_panel(model, comparison.ledger, display)]
