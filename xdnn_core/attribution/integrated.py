"""Integrated Gradients by quadrature."""

from __future__ import annotations

import math
import time
from typing import NamedTuple

import torch
from torch import Tensor, nn

from xdnn_core.attribution.baseline import baseline_like
from xdnn_core.attribution.gate import check_repeatable
from xdnn_core.attribution.path import (
    Path,
    Progress,
    chunk_rows,
    path_gradient_sums,
    straight_path,
)
from xdnn_core.attribution.quadrature import combine, doubled_steps, half_rule, quadrature
from xdnn_core.attribution.result import (
    Attribution,
    PartialIntegral,
    completeness_gap,
    relative_l1,
)
from xdnn_core.attribution.target import Classes, Target, check_request, target_outputs
from xdnn_core.device import full_float32, synchronise
from xdnn_core.errors import UserError

# The change from 4 points to 8 says little; 8 to 16 is the first that is judged.
_FIRST_CELLS = 8


@full_float32()
def integrated_gradients(
    network: nn.Module,
    inputs: Tensor,
    target: Target = None,
    *,
    baseline: Tensor | None = None,
    steps: int = 128,
    rule: str = "gauss_legendre",
    tolerance: float | None = None,
    max_steps: int = 1024,
    finer: int | None = None,
    begun: Attribution | None = None,
    chunk: int | None = None,
    progress: Progress | None = None,
) -> Attribution:
    """Return Integrated Gradients (x − x') ⊙ ∫₀¹ ∂F(x' + t(x − x'))/∂x dt.

    A caller's autocast, TF32 and inference mode are switched off inside.

    Parameters
    ----------
    network
        Maps (B, ...) to logits (B, classes), (B, 1) or (B,); in evaluation mode.
    inputs
        x, (B, ...).
    target
        Class index; one per input (B,), as tensor, array or list; or None for a network with one
        output.
    baseline
        x', broadcastable to the inputs; None is zero, for a normalised image the mean image.
    steps
        Points on the path, that is gradient calls for each input.
    rule
        One of `quadrature.RULES`.
    tolerance
        In place of `steps`: double the points, from 8, until no input's attribution changes by
        more than this, relative L1. Rules whose points nest ("graded" does) evaluate each once.
    max_steps
        With a tolerance, cap on the points of the last integral; `tolerance_met` says whether it
        was enough.
    finer
        In place of a tolerance: `steps` of an integral that is to come, by the same rule.
    begun
        The attribution that was made with `finer` for this integral, of the same inputs, target and
        baseline: points that it has evaluated are not evaluated again.
    chunk
        Rows a gradient call; None chooses by the memory budget.
    progress
        Called with (points done, points in all, with a tolerance up to the end of this doubling)
        after every chunk; may raise to cancel.

    Returns
    -------
    Attribution
        `values` (B, ...), and `estimated_error` (B,): the relative L1 distance between the rule
        and the half rule made of every other point, which costs no further gradient; with a
        tolerance the last change. It is about twice the true error.

    Raises
    ------
    UserError
        If inputs or baseline are not finite, the shapes do not match, the target is out of
        range, or the rule, the number of steps, the tolerance or its cap is not allowed, or what
        was begun is another integral; and for a network as `gradient` refuses it.

    References
    ----------
    Sundararajan et al. 2017, Equation 1.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> network = nn.Linear(2, 1, bias=False)
    >>> network.weight.data = torch.tensor([[2.0, -1.0]])
    >>> x = torch.tensor([[1.0, 3.0]])
    >>> integrated_gradients(network, x, steps=4).values.round(decimals=3)
    tensor([[ 2., -3.]])
    """
    if tolerance is not None and (finer or begun):
        raise UserError(
            "finer and begun go on from a given number of steps; leave them out with a tolerance."
        )
    x, classes = check_request(network, inputs, target)
    start = baseline_like(x, baseline)
    check_repeatable(network, x)
    began, elsewhere = time.perf_counter(), 0.0

    def report_progress(done: int, total: int) -> None:
        """The caller's progress may wait for others, which is no time of this method."""
        nonlocal elsewhere
        paused = time.perf_counter()
        if progress is not None:
            progress(done, total)
        elsewhere += time.perf_counter() - paused

    if begun is None:
        outputs, baseline_outputs = (target_outputs(network, at, classes) for at in (x, start))
    else:
        outputs, baseline_outputs = begun.outputs, begun.baseline_outputs
    path = straight_path(network, x, start)
    difference, rows = x - start, chunk_rows(path, chunk)
    if tolerance is None:
        integral = _integrate(
            path, difference, classes, rule, steps, rows, report_progress, finer,
            None if begun is None else _checked(begun.begun, rule, steps, difference),
        )  # fmt: skip
    else:
        integral = _refine(
            path, difference, classes, rule, tolerance, max_steps, rows, report_progress
        )
    synchronise(x.device)
    return Attribution(
        values=integral.values,
        outputs=outputs,
        baseline_outputs=baseline_outputs,
        completeness_gap=completeness_gap(integral.values, outputs, baseline_outputs),
        gradient_calls=integral.gradient_calls,
        seconds=time.perf_counter() - began - elsewhere + (begun.seconds if begun else 0.0),
        method="integrated_gradients",
        estimated_error=integral.change,
        tolerance_met=None if tolerance is None else integral.change <= tolerance,
        steps=integral.steps,
        begun=integral.begun,
    )


class _Integral(NamedTuple):
    values: Tensor  # (B, ...)
    change: Tensor  # relative L1 distance to the integral with half the points, (B,)
    gradient_calls: int  # for each input
    steps: int
    begun: PartialIntegral | None = None


def _integrate(
    path: Path,
    difference: Tensor,
    target: Classes,
    rule: str,
    steps: int,
    rows: int,
    progress: Progress | None,
    finer: int | None,
    begun: PartialIntegral | None,
) -> _Integral:
    """The integral with a given number of points, and its distance to that with half of them."""
    own = _with_half(rule, steps)
    points, weights = combine([*own, *(_with_half(rule, finer) if finer else ())])  # (n,), (K, n)
    new = weights[0] != 0
    if begun is not None:  # equal points may differ in the last bits
        new &= ~torch.isin(points.round(decimals=12), begun.points.round(decimals=12))
    sums = path_gradient_sums(path, target, points[new], weights[:, new], rows, progress)
    if begun is not None:
        sums[:2] += begun.sums
    full, half = difference * sums[:2]
    # One point makes no half rule: its error is not known.
    unknown = difference.new_full((len(difference),), torch.nan)
    change = relative_l1(half, full) if steps > 1 else unknown
    to_come = PartialIntegral(rule, finer, points[new], sums[2:]) if finer else None
    return _Integral(full, change, steps, steps, to_come)


def _refine(
    path: Path,
    difference: Tensor,
    target: Classes,
    rule: str,
    tolerance: float,
    max_steps: int,
    rows: int,
    progress: Progress,
) -> _Integral:
    """Double the points until every input's attribution changes by no more than the tolerance.

    A point is evaluated once: the weighted sums of all later doublings are kept along with its
    own, in place of its gradient.
    """
    points, weights = combine(_doublings(rule, tolerance, max_steps))  # (n,), (K, n)
    unseen = torch.ones(len(points), dtype=torch.bool)
    sums = difference.new_zeros(len(weights), *difference.shape)  # (K, B, ...)
    previous: Tensor | None = None
    calls = 0

    def report(done: int, total: int) -> None:
        progress(calls + done, calls + total)

    for level in range(len(weights)):
        new = (weights[level] != 0) & unseen
        unseen &= ~new
        sums[level:] += path_gradient_sums(
            path, target, points[new], weights[level:, new], rows, report
        )
        calls += int(new.sum())
        values = difference * sums[level]
        if previous is not None:
            change = relative_l1(previous, values)
            if bool((change <= tolerance).all()):
                break
        previous = values
    return _Integral(values, change, calls, int((weights[level] != 0).sum()))


def _doublings(rule: str, tolerance: float, max_steps: int) -> list[tuple[Tensor, Tensor]]:
    """Points and weights of every doubling up to the cap; checks both."""
    if not 0 < tolerance < math.inf:
        raise UserError(f"tolerance is {tolerance}; give a relative error above 0, such as 0.025.")
    doublings = []
    cells = _FIRST_CELLS
    while (steps := doubled_steps(rule, cells)) <= max_steps:
        doublings.append(quadrature(rule, steps))
        cells *= 2
    if len(doublings) < 2:
        least = doubled_steps(rule, 2 * _FIRST_CELLS)
        raise UserError(f"max_steps is {max_steps}; with a tolerance give {least} or more.")
    return doublings


def _with_half(rule: str, steps: int) -> list[tuple[Tensor, Tensor]]:
    """Points and weights of a rule, and of its half rule on the same points."""
    points, weights = quadrature(rule, steps)
    return [(points, weights), (points, half_rule(rule, points, weights))]


def _checked(
    begun: PartialIntegral | None, rule: str, steps: int, difference: Tensor
) -> PartialIntegral:
    expected = rule, steps, difference.shape
    if begun is None or (begun.rule, begun.steps, begun.sums.shape[1:]) != expected:
        raise UserError(
            f"begun is not the beginning of {steps} steps by rule {rule!r} on these inputs; give "
            f"what integrated_gradients(…, finer={steps}) returned for them."
        )
    return begun
