"""Points and weights for ∫₀¹ g(t) dt.

Along the path of Integrated Gradients a ReLU network's gradient is piecewise constant, so every
rule here converges like 1/n; "graded" puts its points denser near t = 0, where the gradient
varies most. The points of "graded", "left", "right" and "trapezoid" are among those of the rule
with half the spacing (see `doubled_steps`), so that refining wastes no gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from xdnn_core.errors import UserError

Rule = Literal["gauss_legendre", "graded", "midpoint", "trapezoid", "left", "right"]
RULES: tuple[Rule, ...] = get_args(Rule)

# Points (i/n)^1.5: of the exponents 1 to 3 the one with the smallest error on AlexNet.
GRADING = 1.5


def quadrature(rule: str, steps: int) -> tuple[Tensor, Tensor]:
    """Return the points and weights of a rule on [0, 1], (n,)."""
    if rule not in RULES:
        raise UserError(f"Rule {rule!r} is not known; choose one of {', '.join(RULES)}.")
    least = 2 if rule == "trapezoid" else 1
    if steps < least:
        raise UserError(f"{steps} steps are too few for rule {rule!r}; give {least} or more.")
    points, weights = _points_and_weights(rule, steps)
    return torch.from_numpy(points), torch.from_numpy(weights)


def _points_and_weights(rule: str, n: int) -> tuple[np.ndarray, np.ndarray]:
    if rule == "gauss_legendre":
        nodes, weights = np.polynomial.legendre.leggauss(n)  # on [-1, 1]
        return (nodes + 1) / 2, weights / 2
    if rule == "trapezoid":
        weights = np.full(n, 1 / (n - 1))
        weights[[0, -1]] /= 2
        return np.linspace(0, 1, n), weights
    edges = np.linspace(0, 1, n + 1)
    if rule == "graded":
        points = edges[1:] ** GRADING
        return points, _cells(points)
    weights = np.diff(edges)
    if rule == "left":
        return edges[:-1].copy(), weights
    if rule == "right":
        return edges[1:].copy(), weights
    return (edges[:-1] + edges[1:]) / 2, weights


def _cells(points: np.ndarray) -> np.ndarray:
    """Widths of the cells of ascending points: half-way to the neighbours, at the ends 0 and 1."""
    middles = (points[1:] + points[:-1]) / 2
    return np.diff(np.concatenate([[0.0], middles, [1.0]]))


def cell_weights(points: Tensor) -> Tensor:
    """Weights of ascending points of [0, 1], (n,): each for the part of it that is nearest."""
    return torch.from_numpy(_cells(points.double().numpy()))


def doubled_steps(rule: str, cells: int) -> int:
    """Steps with which a rule has so many cells: doubling the cells then keeps points.

    The trapezoid has one point more than cells; of "gauss_legendre" and "midpoint" no points are
    kept whatever the steps.
    """
    return cells + 1 if rule == "trapezoid" else cells


def combine(rules: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Lay several rules over one another; points that coincide are one."""
    # Equal points of two rules may differ in the last bits.
    rounded = [points.numpy().round(12) for points, _ in rules]
    _, first, position = np.unique(np.concatenate(rounded), return_index=True, return_inverse=True)
    points = torch.cat([points for points, _ in rules])[torch.from_numpy(first)]
    weights = torch.zeros(len(rules), len(points), dtype=torch.float64)
    first_point = 0
    for row, (_, own) in enumerate(rules):
        weights[row, torch.from_numpy(position[first_point : first_point + len(own)])] = own
        first_point += len(own)
    return points, weights


def half_rule(rule: str, points: Tensor, weights: Tensor) -> Tensor:
    """Weights of a rule with half the points, (n,).

    Every other graded point makes the graded rule of half the size. Of other rules one of each
    pair is taken, alternately the outer and the inner: taking always the first would lean to the
    left and measure that lean instead of the rule's error.
    """
    half = torch.zeros_like(weights)
    if rule == "graded":
        kept = torch.arange(len(points) - 1, -1, -2).flip(0)
        half[kept] = cell_weights(points[kept])
        return half
    position = torch.arange(len(weights)) % 4
    kept = (position == 0) | (position == 3)
    half[kept] = weights[kept] / weights[kept].sum()
    return half
