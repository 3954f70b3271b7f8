"""How far two attributions are apart."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from xdnn_core.attribution.gradients import gradient, input_x_gradient
from xdnn_core.attribution.target import Target
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

    Source: after Hesse et al. 2021, Equation 14, which averages |A − R|/|R| element by element and
    so is ruled by the elements where R is near 0; here it is a ratio of sums, image by image.
    """
    if attribution.shape != reference.shape:
        raise UserError(
            f"The attributions have shapes {tuple(attribution.shape)} and "
            f"{tuple(reference.shape)}; they must be equal."
        )
    distance = (attribution - reference).abs().flatten(1).sum(dim=1)  # (B, ...) -> (B,)
    size = reference.abs().flatten(1).sum(dim=1)
    return torch.where(distance == 0, distance, distance / size)


def half_distance(network: nn.Module, inputs: Tensor, target: Target = None) -> Tensor:
    """Return ‖x∇F(x/2) − x∇F(x)‖₁ / ‖x∇F(x/2)‖₁ of every input, (B,), from two gradients.

    Close to the distance between Input×Gradient and Integrated Gradients, with which it has a rank
    correlation of 0.93 over the 100 images of the embedded pair's Table 2; 0 where F(αx) = αF(x).

    Parameters
    ----------
    network
        Maps (B, ...) to logits; in evaluation mode.
    inputs
        x, (B, ...).
    target
        Class index, one per input (B,), or None.

    Raises
    ------
    ValueError
        If the inputs are not finite, or the target is out of range.
    """
    at_one = input_x_gradient(network, inputs, target).values
    return relative_l1(at_one, inputs * gradient(network, inputs / 2, target).values)
