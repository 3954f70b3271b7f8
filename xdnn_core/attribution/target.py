"""Checks of what a user passes in, and the choice of the output to explain."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from xdnn_core.errors import UserError

Target = int | Tensor | None


def check_target(target: Target, outputs: Tensor) -> None:
    """Refuse a target that the outputs do not have.

    Parameters
    ----------
    target
        A class index, one per input (B,), or None for a network with one output.
    outputs
        Network outputs, (B, classes), (B, 1) or (B,).

    Raises
    ------
    ValueError
        If the target is missing, of the wrong shape, or out of range.
    """
    classes = outputs.shape[1] if outputs.ndim > 1 else 1
    if outputs.ndim > 2:
        raise UserError(
            f"The network's output has shape {tuple(outputs.shape)}; needed is (B, classes), "
            "(B, 1) or (B,)."
        )
    if target is None:
        if classes != 1:
            raise UserError(
                f"target is None but the network has {classes} outputs; give a class from 0 to "
                f"{classes - 1}."
            )
        return
    wanted = torch.as_tensor(target)
    if wanted.is_floating_point() or wanted.dtype == torch.bool:
        raise UserError(f"target has dtype {wanted.dtype}; class indices are integers.")
    if wanted.ndim > 1 or (wanted.ndim == 1 and len(wanted) != len(outputs)):
        raise UserError(
            f"target has shape {tuple(wanted.shape)} for {len(outputs)} inputs; give one class, "
            f"or one for each input ({len(outputs)},)."
        )
    if int(wanted.min()) < 0 or int(wanted.max()) >= classes:
        worst = int(wanted.min()) if int(wanted.min()) < 0 else int(wanted.max())
        raise UserError(f"target {worst} is out of range; classes run from 0 to {classes - 1}.")


def select_target(outputs: Tensor, target: Target) -> Tensor:
    """Pick the target output of every input.

    Parameters
    ----------
    outputs
        (B, classes), (B, 1) or (B,).
    target
        As in `check_target`.

    Returns
    -------
    Tensor
        (B,).
    """
    if target is None or outputs.ndim == 1:
        return outputs.reshape(len(outputs))  # (B,) or (B, 1) -> (B,)
    index = torch.as_tensor(target, device=outputs.device).long().expand(len(outputs))  # (B,)
    return outputs.gather(1, index[:, None])[:, 0]  # (B, classes) -> (B,)


def target_outputs(network: nn.Module, inputs: Tensor, target: Target) -> Tensor:
    """Run the network without gradients and pick the target, (B,); checks the target."""
    with torch.no_grad():
        outputs = network(inputs)
    check_target(target, outputs)
    return select_target(outputs, target)


def repeat_target(target: Target, times: int) -> Target:
    """Repeat a per-input target for `times` copies of the batch, copies outermost."""
    if isinstance(target, Tensor) and target.ndim == 1:
        return target.repeat(times)  # (B,) -> (times * B,)
    return target
