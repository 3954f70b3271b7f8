"""How Integrated Gradients converges with the number of gradient calls, rule by rule.

One pass over the union of all points serves every rule and every number of points: points that
coincide are evaluated once.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise, product
from typing import Final

import torch
from torch import Tensor, nn

from xdnn_core.attribution.gradients import single_gradient
from xdnn_core.attribution.path import chunk_rows, path_gradients, straight_path
from xdnn_core.attribution.quadrature import cell_weights, combine, doubled_steps, quadrature
from xdnn_core.attribution.result import completeness_gap
from xdnn_core.attribution.target import target_outputs
from xdnn_core.device import full_float32
from xdnn_core.errors import UserError
from xdnn_core.experiments.convergence_result import (
    COUNTS,
    PICTURED,
    REFERENCES,
    Convergence,
    Reference,
    RuleCurve,
)
from xdnn_core.homogeneity.checks import check_inputs
from xdnn_core.metrics.distance import relative_l1
from xdnn_core.progress import Progress, part_of

DEFAULT_RULES: Final = ("gauss_legendre", "graded", "midpoint", "trapezoid", "left", "right")
_CAPTUM_ROWS = 32


@full_float32()
def measure_convergence(
    network: nn.Module,
    inputs: Tensor,
    target: int,
    *,
    rules: tuple[str, ...] = DEFAULT_RULES,
    counts: tuple[int, ...] = COUNTS,
    reference: Reference = "paper",
    captum: bool = False,
    chunk: int | None = None,
    progress: Progress | None = None,
) -> Convergence:
    """Measure the error of every rule at every number of gradient calls.

    `network`: maps (1, C, H, W) to logits; in evaluation mode. `inputs`: x, one normalised image
    (1, C, H, W). `progress`: called with (gradient calls done, in all); may raise to cancel.

    Source: after Hesse et al. 2021, Appendix B.5 and Figure 3, whose measure is the mean absolute
    difference; ours is relative, ‖I_n − R‖₁ / ‖R‖₁, so that networks can be compared.
    """
    _check(inputs, rules, counts, reference)
    began = time.perf_counter()
    x = inputs.detach()
    alone = _rules_alone(rules, counts, reference)
    points, weights = combine(alone)
    total = len(points) + (sum(counts) if captum else 0)
    values, slopes = _all_at_once(
        network, x, target, points, weights, chunk, part_of(progress, 0, total)
    )
    exact = values[-1:]  # (1, C, H, W)
    fast = single_gradient(network, x, target)
    rise = float(fast.outputs - target_outputs(network, torch.zeros_like(x), target))
    measured = {
        (rule, n): (doubled_steps(rule, n), values[row : row + 1])
        for row, (rule, n) in enumerate(product(rules, counts))
    }
    curves = tuple(
        _curve(rule, {n: measured[rule, n] for n in counts}, exact, rise) for rule in rules
    )
    inner = points > 0
    whole = Convergence(
        curves=curves,
        captum=None,
        fast_error=float(relative_l1(fast.values, exact)[0]),
        reference=reference,
        reference_calls=REFERENCES[reference][1],
        points=points[inner],
        point_weights=cell_weights(points[inner]),
        path_gradient=slopes[inner],
        output_at_zero=float(fast.outputs) - rise,
        output_at_one=float(fast.outputs),
        gradient_calls=len(points) + 1,
        gradient_calls_separately=sum(len(own) for own, _ in alone) + 1,
        captum_calls=0,
        reference_values=exact,
        seconds=time.perf_counter() - began,
    )
    if not captum:
        return whole
    rest = part_of(progress, len(points), total)
    return with_captum(whole, network, x, target, counts, rest)


@lru_cache
def calls_planned(counts: tuple[int, ...] = COUNTS, reference: Reference = "paper") -> int:
    """Gradient evaluations that `measure_convergence` takes, but for Captum's curve."""
    return len(combine(_rules_alone(DEFAULT_RULES, counts, reference))[0]) + 1


def _rules_alone(
    rules: tuple[str, ...], counts: tuple[int, ...], reference: Reference
) -> list[tuple[Tensor, Tensor]]:
    """Points and weights of every rule at every count, then of the reference."""
    alone = [quadrature(rule, doubled_steps(rule, n)) for rule, n in product(rules, counts)]
    return [*alone, quadrature(*REFERENCES[reference])]


@full_float32()
def with_captum(
    measured: Convergence,
    network: nn.Module,
    inputs: Tensor,
    target: int,
    counts: tuple[int, ...] = COUNTS,
    progress: Progress | None = None,
) -> Convergence:
    """Add Captum's Gauss–Legendre curve to a measurement, against the same reference.

    `progress`: called with (gradient calls done, in all); may raise to cancel.
    """
    began = time.perf_counter()
    by_captum = _by_captum(network, inputs.detach(), target, counts, progress)
    rise = measured.output_at_one - measured.output_at_zero
    return replace(
        measured,
        captum=_curve("captum", by_captum, measured.reference_values, rise),
        captum_calls=sum(counts),
        seconds=measured.seconds + time.perf_counter() - began,
    )


def _check(inputs: Tensor, rules: tuple[str, ...], counts: tuple[int, ...], reference: str) -> None:
    check_inputs(inputs)
    if inputs.ndim != 4 or len(inputs) != 1:
        raise UserError(f"inputs has shape {tuple(inputs.shape)}; give one image, (1, C, H, W).")
    if not rules or len(set(rules)) != len(rules):
        raise UserError(
            f"The rules are {', '.join(rules) or 'none'}; give each once, at least one."
        )
    doubling = all(b == 2 * a for a, b in pairwise(counts))
    if not counts or counts[0] < 1 or not doubling:
        raise UserError(
            f"The counts are {', '.join(map(str, counts)) or 'none'}; give numbers from 1 on, each "
            "twice the one before."
        )
    if reference not in REFERENCES:
        raise UserError(
            f"Reference {reference!r} is not known; choose one of {', '.join(REFERENCES)}."
        )


def _all_at_once(
    network: nn.Module,
    x: Tensor,
    target: int,
    points: Tensor,
    weights: Tensor,
    chunk: int | None,
    progress: Progress | None,
) -> tuple[Tensor, Tensor]:
    """Attributions by K sets of weights, (K, C, H, W), and ⟨∇F(tx), x⟩ at the points, (n,)."""
    target_outputs(network, x, target)  # checks the target
    path = straight_path(network, x, torch.zeros_like(x))
    sums = path.start.new_zeros(len(weights), path.start.numel())  # (K, N)
    along = path.direction.flatten()
    slopes = []
    weights = weights.to(path.start)
    for part in path_gradients(path, target, points, chunk_rows(path, chunk), progress):
        flat = part.gradients.flatten(1)  # (k, 1, ...) -> (k, N)
        sums.addmm_(weights[:, part.first : part.first + len(flat)], flat)
        slopes.append(flat @ along)
    values = x * path.to_input(sums.view(len(weights), *path.start.shape[1:]))
    return values, torch.cat(slopes).cpu()


# Of one integral: how many gradient calls it takes, and its values (1, C, H, W).
_Measured = tuple[int, Tensor]


def _curve(rule: str, measured: dict[int, _Measured], exact: Tensor, rise: float) -> RuleCurve:
    """Errors of one rule; `measured` by number of cells, each twice the one before."""
    calls, integrals = zip(*measured.values(), strict=True)
    changes = [float(relative_l1(few, many)[0]) for few, many in pairwise(integrals)]
    ends = exact.new_tensor([rise]), exact.new_tensor([0.0])
    return RuleCurve(
        rule=rule,
        counts=calls,
        errors=tuple(float(relative_l1(values, exact)[0]) for values in integrals),
        completeness_gaps=tuple(float(completeness_gap(values, *ends)[0]) for values in integrals),
        estimated_errors=(math.nan, *changes),
        maps={n: measured[n][1][0].sum(dim=0).cpu() for n in PICTURED if n in measured},
    )


def _by_captum(
    network: nn.Module, x: Tensor, target: int, counts: tuple[int, ...], progress: Progress | None
) -> dict[int, _Measured]:
    """Captum's Gauss–Legendre rule at every count, by its public interface."""
    # Captum takes seconds to import, which other curves should not wait for.
    from xdnn_core.attribution.captum import captum_attribution

    measured: dict[int, _Measured] = {}
    for n in counts:
        values = captum_attribution(
            "integrated_gradients", network, x, target, steps=n, internal_batch_size=_CAPTUM_ROWS
        ).values
        measured[n] = n, values
        if progress is not None:
            progress(sum(measured), sum(counts))
    return measured
