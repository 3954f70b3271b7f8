"""The same function as a given network, built differently: for Implementation invariance.

Hidden channels are shuffled and scaled by positive factors that the next layer takes back, and an
identity layer, ReLU(x) − ReLU(−x), comes first.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

# Relative; float64 rounding over some hundred layers stays far below.
AGREEMENT: Final = 1e-10

_LAYERS: Final = (nn.Conv2d, nn.Linear)
# What acts on every channel alone and commutes with a positive factor.
_CHANNEL_BY_CHANNEL: Final = (
    nn.ReLU,
    nn.LeakyReLU,
    nn.Identity,
    nn.Flatten,
    nn.MaxPool2d,
    nn.AvgPool2d,
    nn.AdaptiveMaxPool2d,
    nn.AdaptiveAvgPool2d,
    nn.ZeroPad2d,
    nn.Dropout,
    nn.Dropout2d,
)


class IdentityFirst(nn.Module):
    """The network behind a layer ReLU(x) − ReLU(−x) = x; inputs (B, ...)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Map inputs (B, ...) to the network's outputs."""
        return self.network(torch.relu(x) - torch.relu(-x))


@dataclass(frozen=True)
class Rebuilt:
    """A network built differently.

    Attributes
    ----------
    network
        Computes the same function.
    layers
        Hidden layers whose channels were shuffled and scaled.
    gap
        Largest difference of the outputs for the example, relative to the largest output.
    """

    network: nn.Module
    layers: int
    gap: float


def rebuilt_network(network: nn.Module, example: Tensor, rng: torch.Generator) -> Rebuilt:
    """Build the same function differently.

    A hidden layer is a convolution or linear layer whose output goes to another one through
    nothing but modules that act on every channel alone. Which these are is seen while the example
    passes; what changed the outputs is taken back, so that any module may be given.

    Parameters
    ----------
    network
        Float64, in evaluation mode; it is left as it is.
    example
        A batch (B, ...) the network takes.
    rng
        Of orders and factors.
    """
    with torch.no_grad():
        wanted = network(example)
        other = copy.deepcopy(network)
        done = [_shuffle(*pair, rng) for pair in _hidden_pairs(other, example)]
        if _gap(other(example), wanted) > AGREEMENT:
            other = copy.deepcopy(network)
            pairs = _hidden_pairs(other, example)
            done = [_shuffle_if_it_may(other, pair, example, wanted, rng) for pair in pairs]
        other = IdentityFirst(other)
        return Rebuilt(other, sum(done), _gap(other(example), wanted))


def _gap(outputs: Tensor, wanted: Tensor) -> float:
    """Largest difference, relative to the largest wanted value."""
    distance = float((outputs - wanted).abs().max())
    return distance / float(wanted.abs().max()) if distance else 0.0


def _hidden_pairs(network: nn.Module, example: Tensor) -> list[tuple[nn.Module, nn.Module]]:
    """Layers and those that take their channels, as the example meets them."""
    holds: dict[int, nn.Module] = {}  # storage of a tensor -> the layer whose channels are in it
    pairs: list[tuple[nn.Module, nn.Module]] = []
    alive: list[Tensor] = []  # so that no storage is used twice

    def watch(module: nn.Module, args: tuple[object, ...], output: object) -> None:
        if len(args) != 1 or not isinstance(args[0], Tensor) or not isinstance(output, Tensor):
            return
        alive.extend([args[0], output])
        source = holds.pop(args[0].untyped_storage().data_ptr(), None)
        if type(module) in _LAYERS and getattr(module, "groups", 1) == 1:
            if source is not None:
                pairs.append((source, module))
            holds[output.untyped_storage().data_ptr()] = module
        elif source is not None and isinstance(module, _CHANNEL_BY_CHANNEL):
            holds[output.untyped_storage().data_ptr()] = source

    leaves = [module for module in network.modules() if not list(module.children())]
    handles = [module.register_forward_hook(watch) for module in leaves]
    network(example)
    for handle in handles:
        handle.remove()
    return pairs


def _shuffle_if_it_may(
    network: nn.Module,
    pair: tuple[nn.Module, nn.Module],
    example: Tensor,
    wanted: Tensor,
    rng: torch.Generator,
) -> bool:
    """Shuffle one layer; take it back if that changes the outputs."""
    weights = [weight for layer in pair for weight in layer.parameters()]
    before = [weight.clone() for weight in weights]
    if not _shuffle(*pair, rng):
        return False
    if _gap(network(example), wanted) <= AGREEMENT:
        return True
    for weight, copied in zip(weights, before, strict=True):
        weight.copy_(copied)
    return False


def _shuffle(layer: nn.Module, following: nn.Module, rng: torch.Generator) -> bool:
    """Shuffle and scale a layer's channels in place, and take it back in the following layer.

    Returns whether the following layer has whole channels to be shuffled.
    """
    weight, after = layer.weight, following.weight
    assert isinstance(weight, Tensor)
    assert isinstance(after, Tensor)
    channels = len(weight)
    if layer is following or after.shape[1] % channels:
        return False
    order = torch.randperm(channels, generator=rng).to(weight.device)
    factor = (0.5 + torch.rand(channels, generator=rng, dtype=torch.float64)).to(weight)
    weight.copy_((weight * _along(factor, 0, weight.ndim))[order])
    if isinstance(layer.bias, Tensor):
        layer.bias.copy_((layer.bias * factor)[order])
    # Flattened channels are blocks of pixels: (out, C·S, ...) -> (out, C, S, ...).
    blocks = after.unflatten(1, (channels, -1))
    after.copy_((blocks / _along(factor, 1, blocks.ndim))[:, order].flatten(1, 2))
    return True


def _along(values: Tensor, dimension: int, dimensions: int) -> Tensor:
    """Values (C,) shaped to run along one of several dimensions."""
    return values.view([-1 if place == dimension else 1 for place in range(dimensions)])
