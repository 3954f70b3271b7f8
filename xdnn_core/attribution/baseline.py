"""Baselines: the x' that an attribution starts from."""

from __future__ import annotations

import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from xdnn_core.errors import UserError
from xdnn_core.homogeneity.checks import check_inputs, detached


def baseline_like(inputs: Tensor, baseline: Tensor | None) -> Tensor:
    """The baseline in the shape of the inputs; checked."""
    if baseline is None:
        return torch.zeros_like(inputs)
    try:
        start = detached(baseline).to(inputs).expand_as(inputs)
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

    Examples
    --------
    >>> import torch
    >>> blurred_baseline(torch.ones(1, 1, 2, 2), sigma=1.0).shape
    torch.Size([1, 1, 2, 2])
    """
    array = inputs.detach().cpu().numpy()
    blurred = gaussian_filter(array, sigma=(0, 0, sigma, sigma), mode="nearest")
    return torch.from_numpy(blurred).to(inputs)
