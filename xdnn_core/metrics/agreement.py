"""How far two attributions are apart, and how much of a network's output its biases carry."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from xdnn_core.attribution.target import Target, select_target, target_outputs
from xdnn_core.checks import check_inputs
from xdnn_core.errors import UserError


def relative_l1(attribution: Tensor, reference: Tensor) -> Tensor:
    """Return ‖A − R‖₁ / ‖R‖₁ for every input, (B,).

    Parameters
    ----------
    attribution, reference
        A and R, (B, ...).

    Returns
    -------
    Tensor
        (B,); 0 where both are zero, infinite where only R is. Its mean over images is the MARD,
        mean absolute relative difference. Lower is better.

    Raises
    ------
    ValueError
        If the shapes differ.

    Source: Hesse et al. 2021, Section 4.1; taken image by image, since the mean of element-wise
    ratios is ruled by the elements where R is near 0.
    """
    if attribution.shape != reference.shape:
        raise UserError(
            f"The attributions have shapes {tuple(attribution.shape)} and "
            f"{tuple(reference.shape)}; they must be equal."
        )
    distance = (attribution - reference).abs().flatten(1).sum(dim=1)  # (B, ...) -> (B,)
    size = reference.abs().flatten(1).sum(dim=1)
    return torch.where(distance == 0, distance, distance / size)


@dataclass(frozen=True)
class BiasDiagnostics:
    """How much of the signal biases carry, (B,) each.

    Attributes
    ----------
    share
        Σ|b ⊙ ∂F/∂b| / (Σ|b ⊙ ∂F/∂b| + Σ|x ⊙ ∂F/∂x|), in [0, 1]; 0 for an X-DNN.
    half_distance
        ‖x∇F(x/2) − x∇F(x)‖₁ / ‖x∇F(x/2)‖₁: from one further gradient, close to the distance
        between Input×Gradient and Integrated Gradients; 0 for an X-DNN.
    """

    share: Tensor
    half_distance: Tensor


def bias_diagnostics(network: nn.Module, inputs: Tensor, target: Target = None) -> BiasDiagnostics:
    """Measure how much of the target output passes through biases.

    Parameters
    ----------
    network
        Maps (B, ...) to logits; a ReLU network, for which F(x) = x·∇_xF + Σ b·∇_bF.
    inputs
        x, (B, ...).
    target
        Class index, one per input (B,), or None.

    Returns
    -------
    BiasDiagnostics
    """
    check_inputs(inputs)
    target_outputs(network, inputs, target)  # checks the target
    shares, distances = [], []
    for x, t in _one_by_one(inputs, target):
        share, at_one = _bias_share(network, x, t)
        half = x * _input_slope(network, x / 2, t)
        shares.append(share)
        distances.append(relative_l1(at_one, half)[0])
    return BiasDiagnostics(torch.stack(shares), torch.stack(distances))


def bias_share(network: nn.Module, inputs: Tensor, target: Target = None) -> Tensor:
    """Return Σ|b ⊙ ∂F/∂b| / (Σ|b ⊙ ∂F/∂b| + Σ|x ⊙ ∂F/∂x|) of every input, (B,).

    One gradient an input, none for a network without biases, whose share is 0.

    Parameters
    ----------
    network, inputs, target
        As for `bias_diagnostics`.
    """
    check_inputs(inputs)
    if not any(_is_bias(name) for name, _ in network.named_parameters()):
        return inputs.new_zeros(len(inputs))
    target_outputs(network, inputs, target)  # checks the target
    return torch.stack([_bias_share(network, x, t)[0] for x, t in _one_by_one(inputs, target)])


def _one_by_one(inputs: Tensor, target: Target) -> Iterator[tuple[Tensor, Target]]:
    """Every input (1, ...) with its target: slopes of biases are summed over a batch."""
    for row in range(len(inputs)):
        own = target[row : row + 1] if isinstance(target, Tensor) and target.ndim == 1 else target
        yield inputs[row : row + 1].detach(), own


def _is_bias(name: str) -> bool:
    """Whether a parameter is a bias by its name: ``conv1.bias``, ``layer1.0.bias2a``."""
    return "bias" in name.rpartition(".")[2]


def _bias_share(network: nn.Module, x: Tensor, target: Target) -> tuple[Tensor, Tensor]:
    """The share, and x ⊙ ∂F/∂x (1, ...), from one backward pass."""
    # A shadow with biases of its own that shares all else: others use the network at the same
    # time, so nothing may be swapped in it, not even for a moment (functional_call does).
    named = network.named_parameters()
    shared = {id(p): p for name, p in named if not _is_bias(name)}
    shadow = copy.deepcopy(network, shared)
    biases = [
        parameter.requires_grad_()
        for name, parameter in shadow.named_parameters()
        if _is_bias(name)
    ]
    x = x.clone().requires_grad_()
    with torch.enable_grad():
        output = select_target(shadow(x), target).sum()
    slopes = torch.autograd.grad(output, [x, *biases], materialize_grads=True)
    through_input = x.detach() * slopes[0]
    by_input = through_input.abs().sum()
    by_bias = torch.zeros_like(by_input)
    for bias, slope in zip(biases, slopes[1:], strict=True):
        by_bias = by_bias + (bias.detach() * slope).abs().sum()
    total = by_bias + by_input
    return by_bias / total if float(total) else total, through_input


def _input_slope(network: nn.Module, x: Tensor, target: Target) -> Tensor:
    x = x.clone().requires_grad_()
    with torch.enable_grad():
        output = select_target(network(x), target).sum()
    (slope,) = torch.autograd.grad(output, x)
    return slope
