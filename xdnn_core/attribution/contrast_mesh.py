"""The mesh of a ray: points that hold every stop, and their weights up to each of them.

A cell reaches half-way to its point's neighbours. A stop is a point itself and splits its cell in
two: the left half belongs to the integral that ends there, the right half to what follows. So the
gradient and the logits at the stop come with the integral.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from xdnn_core.attribution.quadrature import GRADING
from xdnn_core.errors import UserError


@dataclass(frozen=True)
class RayMesh:
    """Points on the ray and their weights, float64."""

    points: Tensor  # t > 0, ascending, (n,)
    stops: Tensor  # (S,), the first is 0
    stop_points: Tensor  # position among the points of every stop but 0, (S − 1,)
    increments: Tensor  # weights of the integral from each stop to the next, (S − 1, n)
    coarse_increments: Tensor  # the same by every other point, (S − 1, n)

    def stops_in(self, first: int, count: int) -> Tensor:
        """Which of `stop_points` lie among `count` points from `first` on."""
        inside = (self.stop_points >= first) & (self.stop_points < first + count)
        return inside.nonzero()[:, 0]

    def weights_to(self, stop: int) -> Tensor:
        """Weights of the integral from 0 to stop number `stop`, (n,); they sum to that stop."""
        return self.increments[:stop].sum(dim=0)


def position_of_one(stops: Tensor) -> int:
    """Where α = 1 stands among the stops, (S,)."""
    return int((stops == 1).nonzero()[0, 0])


def ray_mesh(cells: int, stops: Sequence[float]) -> RayMesh:
    """Lay the mesh."""
    if cells < 1:
        raise UserError(f"cells is {cells}; give 1 or more.")
    _check_stops(stops)
    points = _graded_points(cells, stops)
    positions = torch.searchsorted(points, torch.tensor(stops[1:], dtype=torch.float64))
    ends = torch.tensor(stops, dtype=torch.float64)
    # Of the points every other one, counted from the last, so that the end of the ray is held.
    chosen = torch.arange(len(points) - 1, -1, -2).flip(0)
    coarse = torch.zeros(len(ends) - 1, len(points), dtype=torch.float64)
    coarse[:, chosen] = _increments(points[chosen], ends)
    return RayMesh(points, ends, positions, _increments(points, ends), coarse)


def _check_stops(stops: Sequence[float]) -> None:
    ascending = all(a < b for a, b in itertools.pairwise(stops))
    finite = all(math.isfinite(stop) for stop in stops)
    if not (finite and ascending and len(stops) > 1 and stops[0] == 0 and 1 in stops):
        raise UserError(
            f"The stops are {', '.join(f'{stop:g}' for stop in stops) or 'none'}; give contrasts "
            "that rise from 0 and hold 1."
        )


def _graded_points(cells: int, stops: Sequence[float]) -> Tensor:
    """Points that hold every stop but 0; between two stops evenly in t^(1/1.5)."""
    points: list[Tensor] = []
    for left, right in itertools.pairwise(stops):
        a, b = left ** (1 / GRADING), right ** (1 / GRADING)
        count = max(1, round(cells * (b - a)))
        steps = torch.arange(1, count + 1, dtype=torch.float64)
        # Next to 0 there is no point to the left: the first one lies half a step from it.
        share = (steps - 0.5) / (count - 0.5) if left == 0 else steps / count
        inner = (a + (b - a) * share) ** GRADING
        inner[-1] = right  # to the last bit
        points.append(inner)
    return torch.cat(points)


def _increments(points: Tensor, ends: Tensor) -> Tensor:
    """How much of every point's cell lies between each stop and the next, (S − 1, n)."""
    middles = (points[1:] + points[:-1]) / 2
    edges = torch.cat([ends[:1], middles, ends[-1:]])  # (n + 1,)
    reached = edges.clamp(max=ends[:, None])  # (S, n + 1): what lies below each stop
    return reached.diff(dim=1).diff(dim=0)  # cells below each stop, then between stops


def top_class(logits: Tensor, stops: Tensor) -> Tensor:
    """Class with the largest logit of every row (S, K); in a tie that of α = 1 where it is in it.

    Without biases all logits are 0 at α = 0, which is no other prediction.
    """
    highest, best = logits.max(dim=1)
    at_one = best[position_of_one(stops)]
    return torch.where(logits[:, at_one] == highest, at_one, best)
