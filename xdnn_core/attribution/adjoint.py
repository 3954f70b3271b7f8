"""A homogeneous network with its attribution written out in forward operations.

x ⊙ ∂F/∂x of a network without biases is a second pass through the same layers, back to front, each
replaced by its transpose: a convolution by the transposed one, a ReLU by its mask, a pooling by
where its values came from. Written out so it needs no autograd, and an inference engine can run it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor, fx, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from xdnn_core.errors import UserError
from xdnn_core.homogeneity.inspection import NotHomogeneousError, inspect_homogeneity
from xdnn_core.homogeneity.layer_kinds import DROPOUTS, FoldedBatchNorm

# Gradient of the output -> gradient of each input, in order.
Transpose = Callable[[Tensor], tuple[Tensor, ...]]
Values = dict[Any, Tensor]  # by node of the graph


class _Tracer(fx.Tracer):
    """Follows forward() down to the layers that have a rule."""

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return isinstance(module, FoldedBatchNorm) or super().is_leaf_module(module, name)

    def path_of_module(self, module: nn.Module) -> str:
        """Its name; of a part that forward() cuts out of a Sequential, which has none, ""."""
        try:
            return super().path_of_module(module)
        except NameError:
            if not isinstance(module, nn.Sequential):
                raise
            return ""


class WithAttribution(nn.Module):
    """Logits, and for one class an input the exact attribution, in forward operations only.

    Parameters
    ----------
    network
        A homogeneous network (see `remove_biases`) of convolutions, linear layers, ReLU, folded
        batch normalisation, max, average and adaptive average pooling, concatenation, sum and
        flatten, sequential or residual; images (B, C, H, W) to logits (B, classes). A copy is kept.
    example
        Images (B, C, H, W) of the size that it will be given.

    Raises
    ------
    NotHomogeneousError
        If F(αx) = αF(x) does not hold.
    UserError
        If an operation cannot be written out, with its name.
    """

    def __init__(self, network: nn.Module, example: Tensor) -> None:
        super().__init__()
        broken = inspect_homogeneity(network, example[:1]).first_break
        if broken is not None:
            raise NotHomogeneousError(
                f"One gradient is no exact attribution of this network: layer {broken.name!r} "
                f"({broken.kind}: {broken.reason}) breaks F(αx) = αF(x); use remove_biases."
            )
        try:
            graph = _Tracer().trace(network)
        except (fx.proxy.TraceError, TypeError) as error:
            raise UserError(
                f"The network's forward() decides by its values and cannot be written out: {error}."
            ) from error
        self.graph_module = fx.GraphModule(network, graph)
        self.layers = dict(self.graph_module.named_modules())
        for node in graph.nodes:
            if node.op in ("call_module", "call_function", "call_method"):
                self._rule(node)
            elif node.op not in ("placeholder", "output"):
                raise UserError(
                    f"The network's {node.target!r}, outside a layer, cannot be written out."
                )

    def forward(self, images: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, classes) and attribution (B, C, H, W) of `target`, (B,)."""
        values: Values = {}
        transposes: list[tuple[fx.Node, Transpose]] = []
        gradients: dict[fx.Node, Tensor] = {}
        for node in self.graph_module.graph.nodes:
            if node.op == "placeholder":
                values[node], start = images, node
            elif node.op == "output":
                last = node.args[0]
            else:
                values[node], transpose = self._rule(node)(node, values)
                transposes.append((node, transpose))
        logits = values[last]
        classes = torch.arange(logits.shape[1], device=logits.device)
        gradients[last] = (classes == target[:, None]).to(logits.dtype)  # (B, classes)
        for node, transpose in reversed(transposes):
            if node not in gradients:
                continue
            parts = transpose(gradients.pop(node))
            for source, part in zip(node.all_input_nodes, parts, strict=True):
                gradients[source] = gradients[source] + part if source in gradients else part
        return logits, images * gradients[start]

    def _rule(self, node: Any) -> Callable[[Any, Values], tuple[Tensor, Transpose]]:
        """How a node is computed and transposed."""
        if node.op == "call_module":
            layer: Any = self.layers[node.target]
            for kinds, rule in _OF_LAYERS:
                if isinstance(layer, kinds):
                    return lambda node, values: rule(layer, values[node.args[0]])
            what = f"layer {node.target!r} ({type(layer).__name__})"
        else:
            of_function = _OF_FUNCTIONS.get(node.target)
            if of_function is not None:
                return of_function
            what = f"operation {getattr(node.target, '__name__', node.target)!r} ({node.name})"
        raise UserError(f"The network's {what} cannot be written out as an adjoint.")


def _convolution(layer: Any, x: Tensor) -> tuple[Tensor, Transpose]:
    if layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        raise UserError(
            f"A convolution with padding {layer.padding!r} of mode {layer.padding_mode!r} cannot "
            "be written out; zeros, counted in pixels, can."
        )
    y = layer(x)
    # What the stride leaves over at the far edge, which the transposed convolution cannot know.
    over = [
        x.shape[2 + i]
        - ((y.shape[2 + i] - 1) * layer.stride[i] - 2 * layer.padding[i])
        - (layer.dilation[i] * (layer.kernel_size[i] - 1) + 1)
        for i in (0, 1)
    ]

    margin = [layer.dilation[i] * (layer.kernel_size[i] - 1) - layer.padding[i] for i in (0, 1)]

    def transpose(g: Tensor) -> tuple[Tensor, ...]:
        if layer.stride == (1, 1) and layer.groups == 1 and min(margin) >= 0:
            # The same as a convolution with turned kernels, at which engines are faster.
            turned = layer.weight.flip(2, 3).transpose(0, 1)
            return (functional.conv2d(g, turned, None, 1, margin, layer.dilation),)
        return (
            functional.conv_transpose2d(
                g, layer.weight, None, layer.stride, layer.padding, over, layer.groups,
                layer.dilation,
            ),
        )  # fmt: skip

    return y, transpose


def _linear(layer: nn.Linear, x: Tensor) -> tuple[Tensor, Transpose]:
    return layer(x), lambda g: (g @ layer.weight,)


def _relu(_: Any, x: Tensor) -> tuple[Tensor, Transpose]:
    y = torch.relu(x)
    return y, lambda g: (g * (y > 0).to(g.dtype),)


def _folded(layer: FoldedBatchNorm, x: Tensor) -> tuple[Tensor, Transpose]:
    return layer(x), lambda g: (layer(g),)


def _batch_norm(layer: _BatchNorm, x: Tensor) -> tuple[Tensor, Transpose]:
    return _folded(FoldedBatchNorm(layer, "a layer"), x)


def _nothing(_: Any, x: Tensor) -> tuple[Tensor, Transpose]:
    return x, lambda g: (g,)


def _max_pool(layer: Any, x: Tensor) -> tuple[Tensor, Transpose]:
    """The gradient goes to the first largest value of a window, as in PyTorch.

    By comparison with the result: inference engines are slow to say where a maximum was.
    """
    size, stride, padding, dilation = (
        _pair(value) for value in (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
    )
    y = layer(x)
    height, width = y.shape[2:]
    # As far as windows reach, beyond the edges of x too.
    reach = [
        max((n - 1) * stride[i] + dilation[i] * (size[i] - 1) + 1, padding[i] + x.shape[2 + i])
        for i, n in enumerate((height, width))
    ]
    bottom, right = (reach[i] - padding[i] - x.shape[2 + i] for i in (0, 1))
    around = (padding[1], right, padding[0], bottom)

    def transpose(g: Tensor) -> tuple[Tensor, ...]:
        padded = functional.pad(x, around, value=-torch.inf)
        rows = stride[0] * torch.arange(height, device=x.device)[:, None]
        columns = stride[1] * torch.arange(width, device=x.device)
        index = torch.zeros_like(y)  # whole numbers far below 2²⁴; as floats engines are faster
        for i in reversed(range(size[0])):
            for j in reversed(range(size[1])):
                top, left = i * dilation[0], j * dilation[1]
                value = padded[
                    :,
                    :,
                    top : top + (height - 1) * stride[0] + 1 : stride[0],
                    left : left + (width - 1) * stride[1] + 1 : stride[1],
                ]  # (B, C, h, w): of every window the value at (i, j)
                place = (rows + top) * reach[1] + columns + left  # (h, w)
                index = index + (value == y).to(y.dtype) * (place - index)
        flat = torch.zeros_like(padded).flatten(2)  # (B, C, H', W') -> (B, C, H'*W')
        flat = flat.scatter_add(2, index.long().flatten(2), g.flatten(2))
        bounds = (slice(padding[i], padding[i] + x.shape[2 + i]) for i in (0, 1))
        return (flat.view(padded.shape)[:, :, *bounds],)

    return y, transpose


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return value if isinstance(value, tuple) else (value, value)


def _linear_over_pixels(pool: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Transpose]:
    """A pooling that is separable: y = A x Bᵀ, channel by channel, with constant A and B.

    Of images that are constant along rows or columns it gives A and B, each times a number.
    """
    height, width = x.shape[2:]
    columns = pool(
        torch.eye(height, dtype=x.dtype)[:, None, :, None].expand(-1, 1, -1, width)
    )  # (H, 1, h, w)
    rows = pool(
        torch.eye(width, dtype=x.dtype)[:, None, None, :].expand(-1, 1, height, -1)
    )  # (W, 1, h, w)
    both = pool(torch.ones(1, 1, height, width, dtype=x.dtype))[0, 0, 0, 0]
    down = (columns[:, 0, :, 0].T / both).to(x)  # (h, H)
    across = rows[:, 0, 0, :].T.to(x)  # (w, W)
    return pool(x), lambda g: (down.T @ g @ across,)


def _flatten(_: Any, x: Tensor) -> tuple[Tensor, Transpose]:
    return x.flatten(1), lambda g: (g.reshape(x.shape),)


_OF_LAYERS: Final[tuple[tuple[Any, Callable[[Any, Tensor], tuple[Tensor, Transpose]]], ...]] = (
    (nn.Conv2d, _convolution),
    (nn.Linear, _linear),
    (nn.ReLU, _relu),
    (FoldedBatchNorm, _folded),
    (_BatchNorm, _batch_norm),
    (nn.MaxPool2d, _max_pool),
    ((nn.AvgPool2d, nn.AdaptiveAvgPool2d), _linear_over_pixels),
    ((nn.Identity, *DROPOUTS), _nothing),
    (nn.Flatten, _flatten),
)


def _add(node: Any, values: Values) -> tuple[Tensor, Transpose]:
    one, other = (values[argument] for argument in node.args)
    if one.shape != other.shape:
        raise UserError(f"The network's sum {node.name!r} is of two shapes; it must be of one.")
    return one + other, lambda g: (g, g)


def _concatenate(node: Any, values: Values) -> tuple[Tensor, Transpose]:
    parts = [values[argument] for argument in node.args[0]]
    dim = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else 0)
    sizes = [part.shape[dim] for part in parts]
    return torch.cat(parts, dim), lambda g: tuple(g.split(sizes, dim))


def _of(rule: Callable[[Any, Tensor], tuple[Tensor, Transpose]]) -> Callable[..., Any]:
    return lambda node, values: rule(None, values[node.args[0]])


def _flatten_function(node: Any, values: Values) -> tuple[Tensor, Transpose]:
    if (*node.args[1:], *node.kwargs.values()) not in ((1,), (1, -1)):
        raise UserError(f"The network flattens by {node.args[1:]}; flatten(1) can be written out.")
    return _flatten(None, values[node.args[0]])


def _adaptive_function(node: Any, values: Values) -> tuple[Tensor, Transpose]:
    size = node.kwargs.get("output_size", node.args[1] if len(node.args) > 1 else None)
    return _linear_over_pixels(
        lambda x: functional.adaptive_avg_pool2d(x, size), values[node.args[0]]
    )


def _mean(node: Any, values: Values) -> tuple[Tensor, Transpose]:
    x = values[node.args[0]]
    dims = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else None)
    if sorted(d % x.ndim for d in dims or ()) != [2, 3] or node.kwargs.get("keepdim"):
        raise UserError(
            f"The network's mean over {dims} cannot be written out; over (2, 3) it can."
        )
    height, width = x.shape[2:]
    return x.mean((2, 3)), lambda g: ((g / (height * width))[:, :, None, None].expand_as(x),)


_OF_FUNCTIONS: Final[dict[Any, Callable[..., Any]]] = {
    operator.add: _add,
    operator.iadd: _add,
    torch.add: _add,
    "add": _add,
    "add_": _add,
    torch.cat: _concatenate,
    torch.relu: _of(_relu),
    functional.relu: _of(_relu),
    "relu": _of(_relu),
    functional.dropout: _of(_nothing),
    torch.flatten: _flatten_function,
    "flatten": _flatten_function,
    functional.adaptive_avg_pool2d: _adaptive_function,
    torch.mean: _mean,
    "mean": _mean,
}
