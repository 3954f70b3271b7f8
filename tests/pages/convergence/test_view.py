"""What the Convergence page says of a measurement."""

from __future__ import annotations

from typing import Any

import torch

from pages.convergence_parts.sentences import most_misleading
from xdnn_core.experiments.convergence_result import Convergence, RuleCurve


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
