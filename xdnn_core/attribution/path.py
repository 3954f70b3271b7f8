"""Weighted sums of the gradient along a straight path, in chunks.

    S_k = Σ_i w_ki ∇F(x' + t_i (x − x'))

is what Integrated Gradients, its error estimate and the contrast sweep are all made of.

Where the network begins with a convolution, its output is affine in t: z(t) = z' + t·δz. Then z'
and δz are computed once, gradients are taken at the first pre-activation, and one transposed
convolution at the end carries their sum back to the input. That spares the first layer's forward
and backward pass at every point; it is exact, because the layer is affine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.grad import conv1d_input, conv2d_input, conv3d_input

from xdnn_core.attribution.cached_check import cached_check, input_signature, value_state
from xdnn_core.attribution.target import Classes, check_outputs, input_gradient, repeat_target
from xdnn_core.device import memory_budget
from xdnn_core.errors import UserError

Progress = Callable[[int, int], None]
# The first convolution and what comes after it.
Split = tuple[Any, Callable[[Tensor], Tensor]]

# On a CPU 16 to 32 rows are equally fast: fewer leave cores idle, the activations of more no longer
# fit the caches. Memory grows with the rows.
_CPU_CHUNK = 24
_GPU_CHUNK = 1024
# Another memory layout adds in another order, and a gate may flip: in roundings of the largest
# output, and of the outputs' largest change between inputs, beside which a bias may be huge.
_OUTPUT_ROUNDINGS, _CHANGE_ROUNDINGS = 64, 4096

_CONVOLUTION_INPUT: dict[type[nn.Module], Callable[..., Tensor]] = {
    nn.Conv1d: conv1d_input,
    nn.Conv2d: conv2d_input,
    nn.Conv3d: conv3d_input,
}


@dataclass(frozen=True)
class Path:
    """The straight path x' + t (x − x'), given where the network is entered."""

    start: Tensor  # z' at the point of entry, (B, ...)
    direction: Tensor  # δz at the point of entry, (B, ...)
    network: Callable[[Tensor], Tensor]  # what comes after the point of entry
    # Carries gradients at the point of entry, (N, ...), back to the input, (N, ...).
    to_input: Callable[[Tensor], Tensor]
    hoisted: bool  # whether the first convolution was taken out of the loop


def straight_path(network: nn.Module, inputs: Tensor, baseline: Tensor) -> Path:
    """Lay the path from `baseline` to `inputs`, past the first convolution if there is one.

    That the network is its first convolution and what is said to come after it is not believed but
    tried, once a network and shape: a class may inherit the two and do more in forward().
    """
    difference = inputs - baseline
    split = _split_first_convolution(network)
    if split is not None:
        key = ("first convolution", *input_signature(inputs))
        entry = cached_check(
            network,
            key,
            value_state(network),
            lambda: _try_entry(network, split, difference, baseline),
        )
        if entry != "input":
            convolution, rest = split
            # A copy, because a layer that works in place may not overwrite a leaf of the gradient.
            after = rest if entry == "convolution" else lambda z: rest(z.clone())
            return _after_convolution(convolution, after, difference, baseline)
    return Path(baseline, difference, network, lambda gradient: gradient, hoisted=False)


def _after_convolution(
    convolution: Any, rest: Callable[[Tensor], Tensor], difference: Tensor, baseline: Tensor
) -> Path:
    """The path entered at the first pre-activation."""
    with torch.no_grad():
        # The bias belongs to the start; the direction sees the linear part alone.
        start = convolution(baseline)
        direction = convolution._conv_forward(difference, convolution.weight, None)

    def to_input(gradient: Tensor) -> Tensor:
        return _CONVOLUTION_INPUT[type(convolution)](
            (len(gradient), *difference.shape[1:]),
            convolution.weight.detach(),
            gradient,
            stride=convolution.stride,
            padding=convolution.padding,
            dilation=convolution.dilation,
            groups=convolution.groups,
        )

    return Path(_fast_layout(start), _fast_layout(direction), rest, to_input, hoisted=True)


def _try_entry(
    network: nn.Module, split: Split, difference: Tensor, baseline: Tensor
) -> Literal["input", "convolution", "copy of convolution"]:
    """Where to enter the network, by one pass over both ends of the path and a random input."""
    rng = torch.Generator().manual_seed(0)
    noise = torch.randn(difference[:1].shape, generator=rng).to(difference)
    noise = noise * (float(difference[:1].std(correction=0)) or 1.0)
    start = baseline[:1].expand(3, *baseline.shape[1:])
    along = torch.cat([0 * noise, difference[:1], noise])  # (3, ...)
    path = _after_convolution(*split, along, start)
    z = path.start + path.direction
    version = z._version
    with torch.no_grad():
        plainly, hoisted = network(start + along), path.network(z)
    check_outputs(plainly)
    size = _OUTPUT_ROUNDINGS * plainly.abs().max()
    change = _CHANGE_ROUNDINGS * (plainly - plainly[:1]).abs().max()
    allowed = torch.finfo(plainly.dtype).eps * (size + change)
    if not bool((plainly - hoisted).abs().max() <= allowed):
        return "input"
    return "convolution" if z._version == version else "copy of convolution"


def _fast_layout(images: Tensor) -> Tensor:
    """The memory layout in which a CPU convolves fastest in float32; the values are the same."""
    if images.device.type != "cpu" or images.ndim != 4 or images.dtype != torch.float32:
        return images
    return images.contiguous(memory_format=torch.channels_last)


def _split_first_convolution(network: nn.Module) -> Split | None:
    """The first convolution and the rest, of networks that name them and of sequences."""
    first: Any
    rest: Any
    if hasattr(network, "after_first_convolution"):
        first, rest = network.first_convolution, network.after_first_convolution
    elif isinstance(network, nn.Sequential) and len(network) > 1:
        first, rest = network[0], nn.Sequential(*list(network)[1:])
    else:
        return None
    plain = type(first) in _CONVOLUTION_INPUT and first.padding_mode == "zeros"
    if not plain or isinstance(first.padding, str) or _has_hooks(first) or _has_hooks(network):
        return None
    return first, rest


def _has_hooks(module: nn.Module) -> bool:
    """Whether hooks may change what a module takes or gives, or see its gradients."""
    forward = module._forward_hooks or module._forward_pre_hooks
    return bool(forward or module._backward_hooks or module._backward_pre_hooks)


def chunk_rows(path: Path, chunk: int | None) -> int:
    """Rows a gradient call may hold: the caller's number, or what fits the memory budget."""
    if chunk is not None:
        if chunk < 1:
            raise UserError(f"chunk is {chunk}; give 1 or more rows a gradient call.")
        return chunk
    device = path.start.device
    best = _CPU_CHUNK if device.type == "cpu" else _GPU_CHUNK
    return max(1, min(best, memory_budget(device) // _bytes_per_row(path)))


def _bytes_per_row(path: Path) -> int:
    """Bytes that autograd keeps for one row, counted on a single forward pass."""
    kept: dict[int, int] = {}

    def count(tensor: Tensor) -> Tensor:
        if not isinstance(tensor, nn.Parameter):
            kept[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    row = path.start[:1].detach().requires_grad_()
    hooks = torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor)
    with torch.enable_grad(), hooks:
        path.network(row)
    # Backward holds about as much again while it runs.
    return max(1, 2 * sum(kept.values()))


def path_gradient_sums(
    path: Path,
    target: Classes,
    points: Tensor,
    weights: Tensor,
    rows: int,
    progress: Progress | None = None,
) -> Tensor:
    """Return Σ_i w_ki ∇F(x' + t_i (x − x')) for K sets of weights, (K, B, ...)."""
    batch = len(path.start)
    slices = [slice(at, at + rows) for at in range(0, batch, rows)]
    parts = [
        _sums_for_rows(
            replace(path, start=path.start[part], direction=path.direction[part]),
            target[part] if isinstance(target, Tensor) and target.ndim == 1 else target,
            points, weights, rows, _of_slice(progress, number, len(slices), len(points)),
        )
        for number, part in enumerate(slices)
    ]  # fmt: skip
    sums = torch.cat(parts, dim=1)  # (K, B, ...) at the point of entry
    if not path.hoisted:
        return sums
    carried = path.to_input(sums.flatten(0, 1))  # (K * B, C, H, W)
    return carried.view(len(weights), batch, *carried.shape[1:])


def _of_slice(progress: Progress | None, number: int, slices: int, points: int) -> Progress | None:
    """Progress of one slice of the batch as progress of the whole."""
    if progress is None:
        return None
    return lambda done, total: progress(number * points + done, slices * points)


def _sums_for_rows(
    path: Path,
    target: Classes,
    points: Tensor,
    weights: Tensor,
    rows: int,
    progress: Progress | None,
) -> Tensor:
    """The sums for a path of at most `rows` inputs, (K, b, ...)."""
    total = path.start.new_zeros(len(weights), path.start.numel())  # (K, b * ...)
    weights = weights.to(path.start)
    for part in path_gradients(path, target, points, rows, progress):
        flat = part.gradients.flatten(1)  # (k, b, ...) -> (k, b * ...)
        total.addmm_(weights[:, part.first : part.first + len(flat)], flat)
    return total.view(len(weights), *path.start.shape)


@dataclass(frozen=True)
class PathPart:
    """What one gradient call gives."""

    first: int  # position of its first point among all points
    outputs: Tensor  # all outputs at its k points, (k, b, classes), or (k, b) of a network with one
    gradients: Tensor  # ∂F/∂z of the target at the point of entry, (k, b, ...)


def path_gradients(
    path: Path, target: Classes, points: Tensor, rows: int, progress: Progress | None = None
) -> Iterator[PathPart]:
    """Walk along a path, several points a gradient call."""
    b, n = len(path.start), len(points)
    at_once = max(1, rows // b)
    points = points.to(path.start)
    for first in range(0, n, at_once):
        t = points[first : first + at_once]  # (k,)
        k = len(t)
        along = t.view(k, *[1] * path.start.ndim) * path.direction + path.start  # (k, b, ...)
        outputs, gradients = input_gradient(
            path.network, along.flatten(0, 1), repeat_target(target, k)
        )
        yield PathPart(first, outputs.unflatten(0, (k, b)), gradients.unflatten(0, (k, b)))
        if progress is not None:
            progress(first + k, n)
