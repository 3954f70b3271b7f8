"""Constants that a network adds on its way: found going forward, valued going backward."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_CONVOLUTIONS = {f"conv{kind}{d}d" for kind in ("", "_transpose") for d in (1, 2, 3)}
_SUMS = {"add", "add_", "__radd__"}
_PRODUCTS = {"addmm", "addmv", "baddbmm"}  # the first operand is added to a product
_DIFFERENCES = {"sub", "sub_", "subtract", "rsub", "__rsub__"}


class AddedConstants(TorchFunctionMode):
    """Watches one forward pass for constants that are added, and the backward pass for what each
    of them puts into the output.

    A mode of this thread rather than hooks on modules: nothing is put into the network, a bias is
    seen wherever it is added, and a gradient that an operation sends back is that of its own
    output, even if ReLU overwrites that output in place.
    """

    def __init__(self, network: nn.Module, batch: int) -> None:
        super().__init__()
        state = [*network.named_parameters(), *network.named_buffers()]
        # Also what is made of them alone; kept, so that no id is used twice.
        self._constants: dict[int, tuple[Tensor, str]] = {id(t): (t, name) for name, t in state}
        self._found: dict[str, tuple[str, Tensor, Tensor | None]] = {}
        self._batch = batch
        self.merges_batch = False

    def entries(self) -> Iterator[tuple[str, str, Tensor, Tensor | None]]:
        """Name, kind, values (B,) and map (B, H, W) of every constant, in forward order.

        The values are 0 where the output does not depend on it.
        """
        for name, (kind, values, cells) in self._found.items():
            yield name, kind, values, cells

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run an operation; note what it adds."""
        kwargs = kwargs or {}
        operands = list(_tensors((args, kwargs)))
        names = [name for t in operands if (name := self._name(t))]
        moves = any(self._moves(t) for t in operands)
        added = self._added(func.__name__, args, kwargs) if names and moves else None
        output = func(*args, **kwargs)
        if names and not moves:
            name = ", ".join(dict.fromkeys(names))
            self._constants.update((id(t), (t, name)) for t in _tensors(output))
        if added is not None:
            self._watch(output, *added)
        return output

    def _name(self, value: Any) -> str:
        """The path of a parameter, a buffer or what is made of them; else nothing."""
        return self._constants[id(value)][1] if id(value) in self._constants else ""

    def _moves(self, value: Any) -> bool:
        """Whether a tensor depends on the input."""
        return isinstance(value, Tensor) and value.requires_grad and not self._name(value)

    def _added(
        self, operation: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[str, str, Tensor] | None:
        """Name, kind and value, to be broadcast to the output, of a constant that is added."""
        if operation in _CONVOLUTIONS or operation == "linear":
            bias = kwargs.get("bias", args[2] if len(args) > 2 else None)
            if bias is None or not self._name(bias):
                return None
            layer = _layer(self._name(bias))
            if operation == "linear":
                return layer, "linear", bias.detach()
            return layer, "convolution", bias.detach().view(-1, *[1] * int(operation[-2]))
        if operation == "batch_norm":
            return self._shift(*args, **kwargs)
        if operation in _PRODUCTS and self._name(args[0]):
            constant = kwargs.get("beta", 1) * args[0].detach()
            return _layer(self._name(args[0])), "linear", constant
        if operation in _SUMS | _DIFFERENCES:
            return self._summand(operation, *args, **kwargs)
        return None

    def _shift(
        self, x: Tensor, mean: Tensor | None, variance: Tensor | None, weight: Tensor | None = None,
        bias: Tensor | None = None, training: bool = False, momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> tuple[str, str, Tensor] | None:  # fmt: skip
        """β − γμ/√(σ²+ε) of a batch normalisation with running statistics."""
        if training or mean is None or variance is None or not self._name(mean):
            return None
        shift = -mean / (variance + eps).sqrt()  # (C,)
        shift = shift if weight is None else shift * weight.detach()
        shift = shift if bias is None else shift + bias.detach()
        return _layer(self._name(mean)), "batch norm", shift.view(-1, *[1] * (x.ndim - 2))

    def _summand(
        self, operation: str, first: Any, other: Any, *, alpha: float = 1, out: Any = None
    ) -> tuple[str, str, Tensor] | None:
        """The constant side of first ± alpha·other."""
        if "rsub" in operation:
            first, other = other, first
        sign = alpha if operation in _SUMS else -alpha
        if self._name(first) and self._moves(other):
            return self._name(first), "parameter", first.detach()
        if self._name(other) and self._moves(first):
            return self._name(other), "parameter", sign * other.detach()
        return None

    def _watch(self, output: Tensor, path: str, kind: str, constant: Tensor) -> None:
        """Add up constant·∂F/∂output once the gradient is there."""
        use, name = 1, path
        while name in self._found:
            use += 1
            name = f"{path} (use {use})"
        self._found[name] = (kind, constant.new_zeros(self._batch, dtype=torch.float64), None)
        if output.shape[:1] != (self._batch,) and self._batch > 1:
            self.merges_batch = True
            return
        # A vector is added along the last dimension, which is then no column of an image.
        has_grid = constant.numel() == 1 or constant.ndim >= 3
        has_grid &= output.ndim == 4 and len(output) == self._batch and kind != "linear"

        def keep(slope: Tensor) -> None:
            part = constant * slope
            cells = part.sum(dim=1, dtype=torch.float64) if has_grid else None  # (B, H, W)
            self._found[name] = (
                kind,
                sum_per_input(part if cells is None else cells, self._batch),
                cells,
            )

        output.register_hook(keep)


def _layer(name: str) -> str:
    """The path of the layer that holds a bias or a running mean."""
    return name.rpartition(".")[0] or "network"


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in nested tuples, lists and dicts."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from _tensors(tuple(value.values()))
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _tensors(item)


def sum_per_input(part: Tensor, batch: int) -> Tensor:
    """Sum (B, ...) over all but the batch, (B,), in float64."""
    return part.reshape(batch, -1).sum(dim=1, dtype=torch.float64)
