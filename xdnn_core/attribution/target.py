"""Checks of what a user passes in, and the choice of the output to explain."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from xdnn_core.errors import UserError
from xdnn_core.homogeneity.checks import check_inputs, check_network, detached

# What a user may give, and what is made of it: one class, one for each input (B,), or none.
Target = int | Tensor | Sequence[int] | np.ndarray | None
Classes = int | Tensor | None


def check_request(network: nn.Module, inputs: Tensor, target: Target) -> tuple[Tensor, Classes]:
    """Check what every attribution is given."""
    check_inputs(inputs)
    check_network(network)
    return detached(inputs), read_target(target, len(inputs))


def read_target(target: Target, inputs: int) -> Classes:
    """Turn what a user gives as target into one class, a tensor of classes, or None, (B,)."""
    if target is None:
        return None
    if not isinstance(target, Tensor):
        try:
            target = torch.tensor(target)
        except (TypeError, ValueError, RuntimeError) as error:
            raise UserError(f"target is {target!r}; class indices are integers.") from error
    if target.ndim > 1 or (target.ndim == 1 and len(target) != inputs):
        raise UserError(
            f"target has shape {tuple(target.shape)} for {inputs} inputs; give one class, "
            f"or one for each input ({inputs},)."
        )
    if target.is_floating_point() or target.is_complex() or target.dtype == torch.bool:
        raise UserError(f"target has dtype {target.dtype}; class indices are integers.")
    return detached(target).long() if target.ndim else int(target)


def check_target(target: Target, outputs: Tensor, inputs: int | None = None) -> None:
    """Refuse a target that the outputs do not have."""
    check_outputs(outputs)
    if inputs is not None and len(outputs) != inputs:
        raise UserError(
            f"The network returns {len(outputs)} rows for {inputs} inputs; needed is one row for "
            "each, (B, classes), so a batch of one may not be squeezed."
        )
    classes = outputs.shape[1] if outputs.ndim > 1 else 1
    read = read_target(target, len(outputs))
    if read is None:
        if classes != 1:
            raise UserError(
                f"target is None but the network has {classes} outputs; give a class from 0 to "
                f"{classes - 1}."
            )
        return
    requested = torch.as_tensor(read)
    if int(requested.min()) < 0 or int(requested.max()) >= classes:
        worst = int(requested.min()) if int(requested.min()) < 0 else int(requested.max())
        raise UserError(f"target {worst} is out of range; classes run from 0 to {classes - 1}.")


def check_outputs(outputs: object) -> None:
    """Refuse outputs that are not one tensor (B, classes), (B, 1) or (B,)."""
    if not isinstance(outputs, Tensor):
        raise UserError(
            f"The network returns a {type(outputs).__name__}; needed is one tensor of logits "
            "(B, classes): wrap the network in a module that returns that one."
        )
    if outputs.ndim not in (1, 2):
        raise UserError(
            f"The network's output has shape {tuple(outputs.shape)}; needed is (B, classes), "
            "(B, 1) or (B,)."
        )


def select_target(outputs: Tensor, target: Target) -> Tensor:
    """Pick the target output of every input, (B,)."""
    if target is None or outputs.ndim == 1:
        return outputs.reshape(len(outputs))  # (B,) or (B, 1) -> (B,)
    read = read_target(target, len(outputs))
    index = torch.as_tensor(read, device=outputs.device).expand(len(outputs))  # (B,)
    return outputs.gather(1, index[:, None])[:, 0]  # (B, classes) -> (B,)


def target_outputs(network: nn.Module, inputs: Tensor, target: Target) -> Tensor:
    """Run the network without gradients and pick the target, (B,); checks network and target."""
    check_network(network)
    with torch.no_grad():
        outputs = network(inputs)
    check_target(target, outputs, len(inputs))
    return select_target(outputs, target)


def input_gradient(
    function: Callable[[Tensor], Tensor],
    inputs: Tensor,
    target: Target,
    create_graph: bool = False,
) -> tuple[Tensor, Tensor]:
    """All outputs, (B, classes) or (B,), without their graph, and ∂F/∂x, (B, ...), at every row."""
    rows = inputs.detach().requires_grad_()
    with torch.enable_grad():
        outputs = function(rows)
        check_target(target, outputs, len(rows))
        # Rows do not interact, so the gradient of the sum holds every row's own gradient.
        total = select_target(outputs, target).sum()
        (gradient,) = torch.autograd.grad(total, rows, create_graph=create_graph)
    return outputs.detach(), gradient


def output_at_zero(function: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
    """All outputs at an input of zeros, one row: (1, classes) or (1,)."""
    with torch.no_grad():
        return function(torch.zeros_like(inputs[:1]))


def repeat_target(target: Classes, times: int) -> Classes:
    """Repeat a per-input target for `times` copies of the batch, copies outermost."""
    if isinstance(target, Tensor) and target.ndim == 1:
        return target.repeat(times)  # (B,) -> (times * B,)
    return target
