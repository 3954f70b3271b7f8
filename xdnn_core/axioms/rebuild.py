"""The same function as a network, built differently: for Implementation invariance.

Of a network that was loaded, hidden channels are shuffled and scaled by positive factors that the
next layer takes back, and an identity layer, ReLU(x) − ReLU(−x), comes first. Of a perceptron,
units are split and added too.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from xdnn_core.axioms.functions import has_biases, layers_of, perceptron

# Relative; float64 rounding over some hundred layers stays far below.
AGREEMENT: Final = 1e-10

_LAYERS: Final = (nn.Conv2d, nn.Linear)
# What acts on every channel alone and commutes with a positive factor.
_CHANNEL_BY_CHANNEL: Final = (
    nn.ReLU, nn.LeakyReLU, nn.Identity, nn.Flatten, nn.MaxPool2d, nn.AvgPool2d,
    nn.AdaptiveMaxPool2d, nn.AdaptiveAvgPool2d, nn.ZeroPad2d, nn.Dropout, nn.Dropout2d,
)  # fmt: skip


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
    """A network built differently, which computes the same function."""

    network: nn.Module
    layers: int  # hidden ones whose channels were shuffled and scaled
    gap: float  # largest difference of the outputs for the example, relative to the largest output


def rebuilt_network(network: nn.Module, example: Tensor, rng: torch.Generator) -> Rebuilt:
    """Build the same function differently.

    A hidden layer is a convolution or linear layer whose output goes to another one through
    nothing but modules that act on every channel alone. Which these are is seen while the example
    (B, ...) passes; what changed the outputs is taken back, so that any module may be given. The
    network, float64 and in evaluation mode, is left as it is.
    """
    with torch.no_grad():
        expected = network(example)
        other = copy.deepcopy(network)
        done = [_shuffle(*pair, rng) for pair in _hidden_pairs(other, example)]
        if _gap(other(example), expected) > AGREEMENT:
            other = copy.deepcopy(network)
            pairs = _hidden_pairs(other, example)
            done = [_shuffle_if_it_may(other, pair, example, expected, rng) for pair in pairs]
        other = IdentityFirst(other)
        return Rebuilt(other, sum(done), _gap(other(example), expected))


def _gap(outputs: Tensor, expected: Tensor) -> float:
    """Largest difference, relative to the largest expected value."""
    distance = float((outputs - expected).abs().max())
    return distance / float(expected.abs().max()) if distance else 0.0


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
    expected: Tensor,
    rng: torch.Generator,
) -> bool:
    """Shuffle one layer; take it back if that changes the outputs."""
    weights = [weight for layer in pair for weight in layer.parameters()]
    before = [weight.clone() for weight in weights]
    if not _shuffle(*pair, rng):
        return False
    if _gap(network(example), expected) <= AGREEMENT:
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


def rebuilt_perceptron(network: nn.Sequential, rng: torch.Generator) -> nn.Sequential:
    """The same function built differently.

    Every hidden unit is scaled by a positive factor that the next layer takes back, one unit a
    layer is split into two halves, a dead unit is added, and the units are shuffled.
    """
    layers = layers_of(network)
    for number in range(len(layers) - 1):
        (weight, bias), (after, after_bias) = layers[number], layers[number + 1]
        factor = 0.5 + torch.rand(len(weight), generator=rng, dtype=torch.float64)
        weight, bias, after = weight * factor[:, None], bias * factor, after / factor
        # Split unit 0: both copies receive all, each passes on half.
        weight, bias = torch.cat([weight, weight[:1]]), torch.cat([bias, bias[:1]])
        after = torch.cat([after, after[:, :1]], dim=1)
        after[:, 0] /= 2
        after[:, -1] /= 2
        # A unit that nobody listens to.
        dead = torch.randn(1, weight.shape[1], generator=rng, dtype=torch.float64)
        weight, bias = torch.cat([weight, dead]), torch.cat([bias, bias.new_zeros(1)])
        after = torch.cat([after, after.new_zeros(len(after), 1)], dim=1)
        order = torch.randperm(len(weight), generator=rng)
        layers[number] = (weight[order], bias[order])
        layers[number + 1] = (after[:, order], after_bias)
    return perceptron(layers, has_biases(network))
