"""Attributions from a single gradient: Gradient, Input×Gradient, X-Gradient."""

from __future__ import annotations

import time
from collections.abc import Callable

from torch import Tensor, nn

from xdnn_core.attribution.gate import (
    Check,
    check_choice,
    check_repeatable,
    require_layers,
    require_scaling,
)
from xdnn_core.attribution.result import Attribution, completeness_gap
from xdnn_core.attribution.target import (
    Target,
    check_request,
    input_gradient,
    output_at_zero,
    select_target,
)
from xdnn_core.device import full_float32, synchronise
from xdnn_core.homogeneity.inspection import NotHomogeneousError


def gradient(network: nn.Module, inputs: Tensor, target: Target = None) -> Attribution:
    """Return the gradient ∂F/∂x (Simonyan et al. 2014).

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

    Returns
    -------
    Attribution
        `values` (B, ...).

    Raises
    ------
    UserError
        If the inputs are not finite, the target is out of range, the network returns anything but
        one tensor of logits, or it draws at random or uses batch statistics, as dropout and batch
        normalisation do in training mode.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> network = nn.Linear(2, 1, bias=False)
    >>> network.weight.data = torch.tensor([[2.0, -1.0]])
    >>> x = torch.tensor([[1.0, 3.0]])
    >>> gradient(network, x).values
    tensor([[ 2., -1.]])
    """
    return _by_one_gradient(network, inputs, target, "gradient")


def input_x_gradient(network: nn.Module, inputs: Tensor, target: Target = None) -> Attribution:
    """Return Input×Gradient x ⊙ ∂F/∂x (Shrikumar et al. 2016).

    A caller's autocast, TF32 and inference mode are switched off inside.
    Parameters, returns and errors are those of `gradient`. It equals Integrated Gradients with
    the zero baseline only where F(αx) = αF(x); see `x_gradient`.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> network = nn.Linear(2, 1, bias=False)
    >>> network.weight.data = torch.tensor([[2.0, -1.0]])
    >>> x = torch.tensor([[1.0, 3.0]])
    >>> input_x_gradient(network, x).values
    tensor([[ 2., -3.]])
    """
    return _by_one_gradient(network, inputs, target, "input_x_gradient")


def x_gradient(
    network: nn.Module, inputs: Tensor, target: Target = None, *, check: Check = "once"
) -> Attribution:
    """Return X-Gradient x ⊙ ∂F/∂x, exact Integrated Gradients of a homogeneous network.

    A caller's autocast, TF32 and inference mode are switched off inside.
    Parameters and returns are those of `gradient`, and further:

    Parameters
    ----------
    check
        How often F(αx) = αF(x) is checked. "once": a network and shape of input, and again when a
        parameter, buffer or layer has changed; it costs one forward pass and one gradient, which
        `gradient_calls` and `seconds` do not count. "full": at every call. Either way Euler's sum
        is checked at every call, which costs nothing. "off": never; the caller knows.

    Raises
    ------
    NotHomogeneousError
        If a layer that the inputs reach breaks F(αx) = αF(x), or if Σ x·∂F/∂x is not F(x) (Euler's
        theorem), F(0) not 0, F(x/2) not F(x)/2 or the gradient at x/2 not that at x, which catch
        what no layer shows.
    UserError
        As for `gradient`.

    References
    ----------
    Hesse et al. 2021, Equation 4.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> network = nn.Linear(2, 1, bias=False)
    >>> network.weight.data = torch.tensor([[2.0, -1.0]])
    >>> x = torch.tensor([[1.0, 3.0]])
    >>> x_gradient(network, x).values
    tensor([[ 2., -3.]])
    """
    check_choice(check)
    return _by_one_gradient(network, inputs, target, "x_gradient", check)


def single_gradient_method(is_xdnn: bool) -> Callable[..., Attribution]:
    """The single-gradient method that suits a network: X-Gradient, or Input×Gradient."""
    return x_gradient if is_xdnn else input_x_gradient


def single_gradient(network: nn.Module, inputs: Tensor, target: Target = None) -> Attribution:
    """X-Gradient where the network is found to be homogeneous, else Input×Gradient."""
    try:
        return x_gradient(network, inputs, target)
    except NotHomogeneousError:
        return input_x_gradient(network, inputs, target)


@full_float32()
def _by_one_gradient(
    network: nn.Module, inputs: Tensor, target: Target, method: str, check: Check = "off"
) -> Attribution:
    """One forward and one backward pass; F(0) is taken to be 0 for X-Gradient."""
    x, classes = check_request(network, inputs, target)
    if check == "off":
        check_repeatable(network, x)
    else:
        require_layers(network, x, check)
    began = time.perf_counter()
    outputs, gradients = input_gradient(network, x, classes)
    values = gradients if method == "gradient" else x * gradients
    synchronise(x.device)
    seconds = time.perf_counter() - began
    picked = select_target(outputs, classes)  # (B,)
    if check != "off":
        require_scaling(network, x, outputs, gradients, classes, check)
    baseline_outputs = picked * 0
    if method != "x_gradient":
        at_zero = output_at_zero(network, x)  # (1, classes) or (1,)
        baseline_outputs = select_target(at_zero.expand(len(x), *at_zero.shape[1:]), classes)
    return Attribution(
        values=values,
        outputs=picked,
        baseline_outputs=baseline_outputs,
        completeness_gap=completeness_gap(values, picked, baseline_outputs),
        gradient_calls=1,
        seconds=seconds,
        method=method,
    )
