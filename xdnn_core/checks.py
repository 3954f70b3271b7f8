"""Checks that every computation on tensors begins with."""

from __future__ import annotations

import torch
from torch import Tensor

from xdnn_core.errors import UserError


def check_inputs(inputs: Tensor, name: str = "inputs") -> None:
    """Refuse tensors that no attribution can be computed for.

    Parameters
    ----------
    inputs
        A batch (B, ...), floating point, finite.
    name
        What to call it in the message.

    Raises
    ------
    ValueError
        If it is not floating point, has no batch dimension, is empty, or is not finite.
    """
    if not inputs.is_floating_point():
        raise UserError(f"{name} has dtype {inputs.dtype}; a floating-point tensor is needed.")
    if inputs.ndim < 2 or inputs.numel() == 0:
        raise UserError(
            f"{name} has shape {tuple(inputs.shape)}; needed is a batch (B, ...) with at least "
            "one element."
        )
    bad = int((~torch.isfinite(inputs)).sum())
    if bad:
        raise UserError(
            f"{name} holds {bad} values that are not finite (NaN or infinite); replace them first."
        )
