"""What the Convergence page says of a measurement."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from pages.convergence_parts.charts import thumbnails
from pages.convergence_parts.sentences import most_misleading
from xdnn_core.experiments.convergence_result import Convergence, RuleCurve
from xdnn_core.figures.rendering import colourise, light_blur, shared_scale


def curve(rule: str, errors: tuple[float, ...], gaps: tuple[float, ...]) -> RuleCurve:
    nothing: dict[int, torch.Tensor] = {}
    return RuleCurve(rule, (1, 2, 4)[: len(errors)], errors, gaps, errors, nothing)


def measured(*curves: RuleCurve) -> Convergence:
    rest: dict[str, Any] = {
        name: None for name in Convergence.__dataclass_fields__ if name != "curves"
    }
    return Convergence(curves=curves, **rest)


def test_the_most_misleading_place_has_the_largest_error_for_its_gap() -> None:
    left = curve("left", (0.5, 0.2, 0.1), (0.4, 0.01, 0.1))
    graded = curve("graded", (0.5, 0.1), (0.001, 0.0))
    assert most_misleading(measured(left, graded), ["left"]) == (left, 1)
    assert most_misleading(measured(left, graded), ["left", "graded"])[0] is graded
    assert most_misleading(measured(left, graded), [])[0] is graded


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_thumbnails_share_one_scale(theme: Any) -> None:
    maps = {4: torch.randn(9, 9), 1: 2 * torch.randn(9, 9)}
    drawn = thumbnails(maps, theme)
    assert list(drawn) == [1, 4]
    blurred = {calls: light_blur(one.double().numpy()) for calls, one in maps.items()}
    limit = shared_scale(list(blurred.values())).limit
    for calls, picture in drawn.items():
        assert np.array_equal(picture, colourise(blurred[calls], limit, theme))
