"""Integrated Gradients by quadrature."""

from __future__ import annotations

import time

import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from xdnn_core.attribution.path import (
    Progress,
    chunk_rows,
    path_gradient_sums,
    straight_path,
)
from xdnn_core.attribution.quadrature import quadrature
from xdnn_core.attribution.result import Attribution, completeness_gap
from xdnn_core.attribution.target import Target, target_outputs
from xdnn_core.checks import check_inputs
from xdnn_core.device import full_float32, synchronise
from xdnn_core.errors import UserError


@full_float32()
def integrated_gradients(
    network: nn.Module,
    inputs: Tensor,
    target: Target = None,
    *,
    baseline: Tensor | None = None,
    steps: int = 128,
    rule: str = "gauss_legendre",
    chunk: int | None = None,
    progress: Progress | None = None,
) -> Attribution:
    """Return Integrated Gradients (x − x') ⊙ ∫₀¹ ∂F(x' + t(x − x'))/∂x dt.

    Parameters
    ----------
    network
        Maps (B, ...) to logits (B, classes), (B, 1) or (B,); in evaluation mode.
    inputs
        x, (B, ...).
    target
        Class index, one per input (B,), or None for a network with one output.
    baseline
        x', broadcastable to the inputs; None is zero, for a normalised image the mean image.
    steps
        Points on the path, that is gradient calls for each input.
    rule
        One of `quadrature.RULES`.
    chunk
        Rows a gradient call; None chooses by the memory budget.
    progress
        Called with (points done, steps) after every chunk; may raise to cancel.

    Returns
    -------
    Attribution
        `values` (B, ...), and `estimated_error` (B,): the relative L1 distance between the rule
        and the half rule made of every other point, which costs no further gradient.

    Raises
    ------
    ValueError
        If inputs or baseline are not finite, the shapes do not match, the target is out of
        range, or the rule or the number of steps is not allowed.

    Source: Sundararajan et al. 2017, Equation 1.
    """
    check_inputs(inputs)
    start = baseline_like(inputs, baseline)
    points, weights = quadrature(rule, steps)
    began = time.perf_counter()
    outputs = target_outputs(network, inputs, target)
    baseline_outputs = target_outputs(network, start, target)
    path = straight_path(network, inputs.detach(), start)
    both = torch.stack([weights, _half_rule(weights)])  # (2, n)
    sums = path_gradient_sums(path, target, points, both, chunk_rows(path, chunk), progress)
    full, half = (inputs.detach() - start) * sums  # (B, ...) each
    synchronise(inputs.device)
    return Attribution(
        values=full,
        outputs=outputs,
        baseline_outputs=baseline_outputs,
        completeness_gap=completeness_gap(full, outputs, baseline_outputs),
        gradient_calls=steps,
        seconds=time.perf_counter() - began,
        method="integrated_gradients",
        # One point makes no half rule: its error is not known.
        estimated_error=_relative_change(full, half) if steps > 1 else outputs * torch.nan,
    )


def _half_rule(weights: Tensor) -> Tensor:
    """Weights of a rule with half the points: of each pair one, alternately the outer and inner.

    Taking always the first of a pair would lean to the left and measure that lean instead of
    the rule's error.
    """
    position = torch.arange(len(weights)) % 4
    kept = torch.where((position == 0) | (position == 3), weights, torch.zeros_like(weights))
    return kept / kept.sum()


def _relative_change(full: Tensor, half: Tensor) -> Tensor:
    """‖full − half‖₁ / ‖full‖₁ for every input, (B,); 0 where both are zero."""
    size = full.abs().flatten(1).sum(dim=1)
    change = (full - half).abs().flatten(1).sum(dim=1)
    return torch.where(change == 0, change, change / size)


def baseline_like(inputs: Tensor, baseline: Tensor | None) -> Tensor:
    """The baseline in the shape of the inputs; checked."""
    if baseline is None:
        return torch.zeros_like(inputs)
    try:
        start = baseline.detach().to(inputs).expand_as(inputs)
    except RuntimeError as error:
        raise UserError(
            f"baseline has shape {tuple(baseline.shape)}, which does not broadcast to the inputs' "
            f"{tuple(inputs.shape)}."
        ) from error
    check_inputs(start, "baseline")
    return start


def blurred_baseline(inputs: Tensor, sigma: float = 20.0) -> Tensor:
    """Return the inputs under a Gaussian blur, a baseline that keeps colours but no shapes.

    Parameters
    ----------
    inputs
        (B, C, H, W).
    sigma
        Standard deviation, pixels.

    Returns
    -------
    Tensor
        (B, C, H, W), same dtype and device.
    """
    array = inputs.detach().cpu().numpy()
    blurred = gaussian_filter(array, sigma=(0, 0, sigma, sigma), mode="nearest")
    return torch.from_numpy(blurred).to(inputs)
