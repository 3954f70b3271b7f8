"""Attributions from a single gradient: Gradient, Input×Gradient, X-Gradient."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from xdnn_core.attribution.result import Attribution, completeness_gap
from xdnn_core.attribution.target import Target, check_target, select_target
from xdnn_core.checks import check_inputs
from xdnn_core.device import full_float32, synchronise
from xdnn_core.homogeneity import NotHomogeneousError, require_homogeneous_layers

# Euler's theorem, relative to Σ|x·∇F|: float32 rounding stays far below, a broken layer far above.
_EULER_TOLERANCE = 1e-3


def gradient(network: nn.Module, inputs: Tensor, target: Target = None) -> Attribution:
    """Return the gradient ∂F/∂x (Simonyan et al. 2014).

    Parameters
    ----------
    network
        Maps (B, ...) to logits (B, classes), (B, 1) or (B,); in evaluation mode.
    inputs
        x, (B, ...).
    target
        Class index, one per input (B,), or None for a network with one output.

    Returns
    -------
    Attribution
        `values` (B, ...).

    Raises
    ------
    ValueError
        If the inputs are not finite, or the target is out of range.
    """
    return _single_gradient(network, inputs, target, "gradient", lambda x, g: g)


def input_x_gradient(network: nn.Module, inputs: Tensor, target: Target = None) -> Attribution:
    """Return Input×Gradient x ⊙ ∂F/∂x (Shrikumar et al. 2016).

    Parameters, returns and errors are those of `gradient`. It equals Integrated Gradients with
    the zero baseline only where F(αx) = αF(x); see `x_gradient`.
    """
    return _single_gradient(network, inputs, target, "input_x_gradient", torch.mul)


def x_gradient(network: nn.Module, inputs: Tensor, target: Target = None) -> Attribution:
    """Return X-Gradient x ⊙ ∂F/∂x, exact Integrated Gradients of a homogeneous network.

    Parameters and returns are those of `gradient`.

    Raises
    ------
    NotHomogeneousError
        If a layer breaks F(αx) = αF(x), or if Σ x·∂F/∂x differs from F(x) (Euler's theorem,
        which catches what no layer shows).
    ValueError
        As for `gradient`.

    Source: Hesse et al. 2021, Equation 5.
    """
    require_homogeneous_layers(network)
    result = _single_gradient(network, inputs, target, "x_gradient", torch.mul, at_zero=False)
    size = result.values.abs().flatten(1).sum(dim=1)  # (B, ...) -> (B,)
    gap = (result.values.flatten(1).sum(dim=1) - result.outputs).abs()
    worst = float((gap / size.clamp_min(torch.finfo(size.dtype).tiny)).max())
    if worst > _EULER_TOLERANCE:
        raise NotHomogeneousError(
            f"X-Gradient needs F(αx) = αF(x), but Σ x·∂F/∂x differs from F(x) by {worst:.1%} of "
            "its size: an operation outside the layers breaks it; use input_x_gradient."
        )
    return result


@full_float32()
def _single_gradient(
    network: nn.Module,
    inputs: Tensor,
    target: Target,
    method: str,
    formula: Callable[[Tensor, Tensor], Tensor],
    at_zero: bool = True,
) -> Attribution:
    """One forward and one backward pass; `at_zero` False where F(0) is known to be 0."""
    check_inputs(inputs)
    began = time.perf_counter()
    rows = inputs.detach().requires_grad_()
    with torch.enable_grad():
        outputs = network(rows)
        check_target(target, outputs)
        picked = select_target(outputs, target)  # (B,)
        (slope,) = torch.autograd.grad(picked.sum(), rows)  # (B, ...)
    values = formula(inputs.detach(), slope)
    synchronise(inputs.device)
    seconds = time.perf_counter() - began
    picked = picked.detach()
    baseline_outputs = _output_at_zero(network, inputs, target) if at_zero else picked * 0
    return Attribution(
        values=values,
        outputs=picked,
        baseline_outputs=baseline_outputs,
        completeness_gap=completeness_gap(values, picked, baseline_outputs),
        gradient_calls=1,
        seconds=seconds,
        method=method,
    )


def _output_at_zero(network: nn.Module, inputs: Tensor, target: Target) -> Tensor:
    """F(0) for the target of every input, (B,), from one row."""
    with torch.no_grad():
        outputs = network(torch.zeros_like(inputs[:1]))
    return select_target(outputs.expand(len(inputs), *outputs.shape[1:]), target)
