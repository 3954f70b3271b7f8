"""Sentences say what the numbers beside them say, and no more."""

from __future__ import annotations

from dataclasses import replace

import torch

from pages.contrast_parts.packing import NetworkContrast, measure_contrast
from pages.contrast_parts.sentences import what_contrast_changes
from pages.convergence_parts.sentences import (
    calls_needed,
    least_telling_gap,
    slope_along_the_path,
)
from tests.experiments.small_pair import make_pair
from xdnn_core.experiments.convergence import measure_convergence
from xdnn_core.experiments.convergence_result import Convergence

IMAGE = torch.linspace(-2, 2, 3 * 64 * 64).sin().reshape(1, 3, 64, 64)
COUNTS = (1, 2, 4, 8)


def measured(is_xdnn: bool) -> Convergence:
    model = make_pair()[int(is_xdnn)]
    return measure_convergence(model.network, IMAGE, 1, counts=COUNTS, reference="quick")


def with_curve(one: Convergence, **changes: tuple[float, ...]) -> Convergence:
    """The same measurement with other numbers on the curve of the default rule."""
    curves = [replace(c, **changes) if c.rule == "graded" else c for c in one.curves]
    return replace(one, curves=tuple(curves))


def test_calls_needed_are_those_of_the_estimated_error() -> None:
    one = with_curve(measured(False), estimated_errors=(float("nan"), 0.04, 0.02, 0.011))
    said = calls_needed("AlexNet", False, one)
    assert "**2 gradient calls** for an estimated error of 5\u00a0%" in said
    assert ", **4** for 2.5\u00a0%, **more than 8** for 1\u00a0%" in said
    assert said.endswith("graded rule.")


def test_one_call_is_said_with_its_distance() -> None:
    one = replace(measured(True), fast_error=3e-6)
    assert "**1 gradient call**: X-Gradient is within **3e-4\u00a0%**" in calls_needed(
        "X-AlexNet", True, one
    )


def test_the_least_telling_gap_is_where_error_over_gap_is_largest() -> None:
    gaps, errors = (0.1, 0.2, 0.001, 0.01), (0.9, 0.5, 0.2, 0.1)
    one = with_curve(measured(False), completeness_gaps=gaps, errors=errors)
    said = least_telling_gap(one, ["graded"])
    assert (
        "with 4 calls (graded) it is **0.1\u00a0%** while the map is off by **20\u00a0%**" in said
    )


def test_the_slope_is_said_to_be_as_constant_as_it_is() -> None:
    one = measured(True)
    slope = one.path_gradient.double()
    spread = float((slope - slope.mean()).abs().max() / slope.mean().abs())
    assert one.slope_spread == spread < 1e-3
    bent = replace(one, path_gradient=torch.tensor([1.0, 1.0, 4.0]))
    assert "within **100\u00a0%** of its mean" in slope_along_the_path("X-AlexNet", bent)


def swept(is_xdnn: bool) -> NetworkContrast:
    return measure_contrast(make_pair()[int(is_xdnn)], IMAGE, 1, cells=8)


def test_contrast_says_how_many_contrasts_were_tried() -> None:
    contrast = swept(True)
    tried = sum(stop > 0 for stop in contrast.stops)
    said = what_contrast_changes("X-AlexNet", True, contrast)
    assert f"the same at all {tried} contrasts above 0; its attributions only scale." in said
    steady = replace(contrast.curves, changes_below=None, changes_above=None)
    regular = what_contrast_changes("AlexNet", False, replace(swept(False), curves=steady))
    assert regular.endswith("contrasts above 0."), "no such thing is known of its attributions"


def test_contrast_says_where_the_prediction_changes_and_the_cosine_at_half() -> None:
    contrast = swept(False)
    curves = replace(contrast.curves, changes_below=contrast.stops[3], changes_above=None)
    said = what_contrast_changes("AlexNet", False, replace(contrast, curves=curves))
    assert f"at **α = {contrast.stops[3]:g}**, to {contrast.predictions[3].name};" in said
    half = min(range(len(contrast.stops)), key=lambda n: abs(contrast.stops[n] - 0.5))
    assert f"cosine of **{curves.fast_cosine[half]:.2f}** with that at α = 1" in said
