"""Random ReLU perceptrons, the same function built differently, and their exact integrals."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

FEATURES = 4


def random_perceptron(
    rng: torch.Generator, biases: bool, features: int = FEATURES
) -> nn.Sequential:
    """Draw features → 6 → 5 → 1 with ReLUs, float64, (B, features) -> (B, 1)."""
    return perceptron(
        [
            (torch.randn(out, width, generator=rng, dtype=torch.float64),
             torch.randn(out, generator=rng, dtype=torch.float64) * (0.5 if biases else 0.0))
            for width, out in ((features, 6), (6, 5), (5, 1))
        ],
        biases,
    )  # fmt: skip


def perceptron(layers: list[tuple[Tensor, Tensor]], biases: bool) -> nn.Sequential:
    """Build Linear, ReLU, …, Linear from weights (out, in) and biases (out,)."""
    modules: list[nn.Module] = []
    for weight, bias in layers:
        out, width = weight.shape
        linear = nn.Linear(width, out, bias=biases, dtype=torch.float64)
        with torch.no_grad():
            linear.weight.copy_(weight)
            if biases:
                linear.bias.copy_(bias)
        modules += [linear, nn.ReLU()]
    return nn.Sequential(*modules[:-1]).eval().requires_grad_(False)


def layers_of(network: nn.Sequential) -> list[tuple[Tensor, Tensor]]:
    """Weights and biases of a perceptron; biases that are not there are zeros."""
    found = []
    for layer in network:
        if isinstance(layer, nn.Linear):
            weight = layer.weight.detach().clone()
            bias = (
                layer.bias.detach().clone()
                if layer.bias is not None
                else weight.new_zeros(len(weight))
            )
            found.append((weight, bias))
    return found


def has_biases(network: nn.Sequential) -> bool:
    """Whether a perceptron has biases."""
    return any(layer.bias is not None for layer in network if isinstance(layer, nn.Linear))


def rebuilt(network: nn.Sequential, rng: torch.Generator) -> nn.Sequential:
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


def combination(a: float, f: nn.Sequential, b: float, g: nn.Sequential) -> nn.Sequential:
    """The network a·F + b·G, F and G side by side."""
    joined = []
    pairs = list(zip(layers_of(f), layers_of(g), strict=True))
    for number, ((wf, bf), (wg, bg)) in enumerate(pairs):
        if number == 0:
            joined.append((torch.cat([wf, wg]), torch.cat([bf, bg])))
        elif number < len(pairs) - 1:
            joined.append((torch.block_diag(wf, wg), torch.cat([bf, bg])))
        else:
            joined.append((torch.cat([a * wf, b * wg], dim=1), a * bf + b * bg))
    return perceptron(joined, has_biases(f) or has_biases(g))


def breakpoints(network: nn.Sequential, start: Tensor, end: Tensor) -> Tensor:
    """Where on the segment from `start` to `end` the gradient jumps: ascending t from 0 to 1.

    Between two of them every pre-activation is affine in t, so the next layer's zeros are found
    by interpolation, layer by layer.
    """
    edges = torch.tensor([0.0, 1.0], dtype=start.dtype)
    for depth, layer in enumerate(network):
        if not isinstance(layer, nn.ReLU):
            continue
        rows = torch.lerp(start, end, edges[:, None])  # (E, D)
        h = network[:depth](rows)  # (E, units)
        left, right = h[:-1], h[1:]
        crosses = left * right < 0
        share = left / (left - right)
        roots = torch.lerp(edges[:-1, None], edges[1:, None], share)[crosses]
        edges = torch.cat([edges, roots]).sort().values
    return edges


def exact_integrated_gradients(network: nn.Sequential, x: Tensor, baseline: Tensor) -> Tensor:
    """Integrated Gradients of a ReLU perceptron without quadrature error, (D,).

    The gradient is constant between two breakpoints, so the integral is a finite sum.

    Parameters
    ----------
    network
        Linear layers and ReLUs, one output.
    x, baseline
        (D,), float64.
    """
    edges = breakpoints(network, baseline, x)
    middles = torch.lerp(baseline, x, ((edges[1:] + edges[:-1]) / 2)[:, None])
    return (x - baseline) * (edges.diff()[:, None] * gradients(network, middles)).sum(dim=0)


def gradients(network: nn.Module, rows: Tensor) -> Tensor:
    """∂F/∂x at every row, (N, D)."""
    points = rows.clone().requires_grad_()
    with torch.enable_grad():
        total = network(points).sum()
    return torch.autograd.grad(total, points)[0]


def draws(seed: int, count: int) -> Iterator[torch.Generator]:
    """Generators for `count` trials, the same for the same seed."""
    for number in range(count):
        yield torch.Generator().manual_seed(1_000_003 * seed + number)
