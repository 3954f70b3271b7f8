"""Checks that every computation on tensors begins with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from xdnn_core.errors import UserError
from xdnn_core.homogeneity.layer_kinds import mixes_or_draws


def check_inputs(inputs: Tensor, name: str = "inputs") -> None:
    """Refuse tensors that no attribution can be computed for."""
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


def check_network(network: nn.Module) -> None:
    """Refuse a network whose output for one input is not a function of that input alone."""
    for name, module in network.named_modules():
        why = mixes_or_draws(module)
        if why is not None:
            raise UserError(f"Module {name or 'network'!r} ({type(module).__name__}) {why}.")
    check_differentiable(network)


def check_differentiable(network: nn.Module) -> None:
    """Refuse a network with a parameter or buffer that was made in inference mode."""
    for tensors in (network.named_parameters(), network.named_buffers()):
        for name, tensor in tensors:
            if tensor.is_inference():
                raise UserError(
                    f"{name!r} of the network was made inside torch.inference_mode(), where no "
                    "gradient can pass it; make or load the network outside, or use "
                    "torch.no_grad()."
                )


def detached(tensor: Tensor) -> Tensor:
    """The tensor without its graph, copied where it was made in inference mode."""
    return tensor.clone().detach() if tensor.is_inference() else tensor.detach()
