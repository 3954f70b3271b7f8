"""Integrated Gradients to a tolerance: double the points until the attribution stands still."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from xdnn_core.attribution.path import Path, Progress, path_gradient_sums
from xdnn_core.attribution.quadrature import combine, doubled_steps, quadrature
from xdnn_core.attribution.result import Begun, relative_l1
from xdnn_core.attribution.target import Classes
from xdnn_core.errors import UserError

# The change from 4 points to 8 says little; 8 to 16 is the first that is judged.
FIRST_CELLS = 8


@dataclass(frozen=True)
class Refinement:
    """The finest integral that was computed.

    Attributes
    ----------
    values
        (B, ...).
    change
        Relative L1 distance to the integral with half the points, (B,).
    gradient_calls
        Spent on each input, over all doublings.
    steps
        Points of this integral.
    begun
        Where a finer one goes on; None if it was not asked for.
    """

    values: Tensor
    change: Tensor
    gradient_calls: int
    steps: int
    begun: Begun | None = None


def refine(
    path: Path,
    difference: Tensor,
    target: Classes,
    rule: str,
    tolerance: float,
    max_steps: int,
    rows: int,
    progress: Progress | None = None,
) -> Refinement:
    """Double the points until every input's attribution changes by no more than the tolerance.

    A point is evaluated once: the weighted sums of all later doublings are kept along with its
    own, in place of its gradient.

    Parameters
    ----------
    path
        From `straight_path`.
    difference
        x − x', (B, ...).
    target
        Class index, one per input, or None.
    rule
        One of `quadrature.RULES`.
    tolerance
        Largest relative change, above 0.
    max_steps
        Cap on the points of the last integral.
    rows
        Rows a gradient call, see `chunk_rows`.
    progress
        Called with (points done, points at the end of this doubling) after every chunk; may
        raise to cancel.

    Raises
    ------
    ValueError
        If the tolerance is not above 0, or the cap leaves no doubling.
    """
    points, weights = combine(_doublings(rule, tolerance, max_steps))  # (n,), (K, n)
    unseen = torch.ones(len(points), dtype=torch.bool)
    sums = difference.new_zeros(len(weights), *difference.shape)  # (K, B, ...)
    previous: Tensor | None = None
    calls = 0
    for level in range(len(weights)):
        new = (weights[level] != 0) & unseen
        unseen &= ~new
        sums[level:] += path_gradient_sums(
            path, target, points[new], weights[level:, new], rows, _after(progress, calls)
        )
        calls += int(new.sum())
        values = difference * sums[level]
        if previous is not None:
            change = relative_l1(previous, values)
            if bool((change <= tolerance).all()):
                break
        previous = values
    return Refinement(values, change, calls, int((weights[level] != 0).sum()))


def _doublings(rule: str, tolerance: float, max_steps: int) -> list[tuple[Tensor, Tensor]]:
    """Points and weights of every doubling up to the cap; checks both."""
    if not 0 < tolerance < math.inf:
        raise UserError(f"tolerance is {tolerance}; give a relative error above 0, such as 0.025.")
    doublings = []
    cells = FIRST_CELLS
    while (steps := doubled_steps(rule, cells)) <= max_steps:
        doublings.append(quadrature(rule, steps))
        cells *= 2
    if len(doublings) < 2:
        least = doubled_steps(rule, 2 * FIRST_CELLS)
        raise UserError(f"max_steps is {max_steps}; with a tolerance give {least} or more.")
    return doublings


def _after(progress: Progress | None, calls: int) -> Progress | None:
    """Progress that goes on counting from earlier calls."""
    if progress is None:
        return None
    return lambda done, total: progress(calls + done, calls + total)
