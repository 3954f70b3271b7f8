"""Erase a region and ask the network again: what attributions predict, and what is measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from xdnn_core.device import full_float32
from xdnn_core.errors import UserError
from xdnn_core.homogeneity.checks import check_inputs
from xdnn_core.metrics.masking import mask_blur

Filling = Literal["blur", "mean"]


def fill(inputs: Tensor, filling: Filling) -> Tensor:
    """What stands where pixels are erased, (B, C, H, W): a heavy blur, or 0, the mean image."""
    if filling not in get_args(Filling):
        raise UserError(f"Filling {filling!r} is not known; choose blur or mean.")
    return mask_blur(inputs) if filling == "blur" else torch.zeros_like(inputs)


@full_float32()
def erased_change(
    network: nn.Module,
    inputs: Tensor,
    targets: Sequence[int],
    region: Tensor,
    filling: Filling = "blur",
) -> Tensor:
    """Return F(x without the region) − F(x) of every target, (K,), logits.

    Of a linear network it is the sum of Input×Gradient in the region, negative, where the region is
    set to the mean image. One forward pass of two images.

    Parameters
    ----------
    network
        Maps (B, C, H, W) to logits (B, classes); in evaluation mode.
    inputs
        x, one normalised image (1, C, H, W).
    targets
        K class indices.
    region
        Which pixels are erased, (H, W), bool.
    filling
        What stands there instead, see `fill`.

    Raises
    ------
    UserError
        If the inputs are not one finite image, or the region is not of its size.
    """
    check_inputs(inputs)
    if len(inputs) != 1 or region.shape != inputs.shape[2:]:
        raise UserError(
            f"inputs and region have shapes {tuple(inputs.shape)} and {tuple(region.shape)}; give "
            "one image (1, C, H, W) and a region (H, W) of its size."
        )
    erased = torch.where(region.to(inputs.device), fill(inputs, filling), inputs)
    with torch.no_grad():
        before, after = network(torch.cat([inputs, erased]))  # (classes,) each
    return (after - before)[list(targets)].cpu()
