"""The functions that axioms are tried on: random ReLU perceptrons with their exact integrals, the
textbook's, and those made from a network that is given."""

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
    layers = []
    for layer in network:
        if isinstance(layer, nn.Linear):
            weight = layer.weight.detach().clone()
            bias = (
                layer.bias.detach().clone()
                if layer.bias is not None
                else weight.new_zeros(len(weight))
            )
            layers.append((weight, bias))
    return layers


def has_biases(network: nn.Sequential) -> bool:
    """Whether a perceptron has biases."""
    return any(layer.bias is not None for layer in network if isinstance(layer, nn.Linear))


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
    `x` and `baseline` are (D,), float64.
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


STEP = "1 − ReLU(1 − x) at x = 2"  # how findings name it
X_STEP = "ReLU(x₁ − x₂) from (0, 1) to (2, 1)"


def step_network() -> nn.Sequential:
    """F(x) = 1 − ReLU(1 − x) of the first feature: rises to 1 at x = 1 and stays there."""
    first = torch.zeros(1, FEATURES, dtype=torch.float64)
    first[0, 0] = -1
    one = torch.ones(1, dtype=torch.float64)
    return perceptron([(first, one), (-torch.ones(1, 1, dtype=torch.float64), one)], biases=True)


def x_step_network() -> nn.Sequential:
    """F(x) = ReLU(x₁ − x₂), without biases: flat from (0, 1) to (1, 1), then rising."""
    first = torch.zeros(1, FEATURES, dtype=torch.float64)
    first[0, :2] = torch.tensor([1.0, -1.0])
    zero = torch.zeros(1, dtype=torch.float64)
    return perceptron([(first, zero), (torch.ones(1, 1, dtype=torch.float64), zero)], biases=False)


class IgnoringRegion(nn.Module):
    """F(x ⊙ seen), (B, C, H, W) -> outputs; `seen` (1, 1, H, W) is 0 where it does not look."""

    def __init__(self, network: nn.Module, seen: Tensor) -> None:
        super().__init__()
        self.network, self.seen = network, seen

    def forward(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to the network's outputs."""
        return self.network(x * self.seen)


class LogitSum(nn.Module):
    """a·F_i + b·F_j of two logits of one network, (B, ...) -> (B, 1)."""

    def __init__(self, network: nn.Module, a: float, i: int, b: float, j: int) -> None:
        super().__init__()
        self.network = network
        self.a, self.i, self.b, self.j = a, i, b, j

    def forward(self, x: Tensor) -> Tensor:
        """Map inputs (B, ...) to (B, 1)."""
        outputs = self.network(x)  # (B, classes)
        return (self.a * outputs[:, self.i] + self.b * outputs[:, self.j])[:, None]


class Symmetrised(nn.Module):
    """F(x) + F(x with two regions swapped): a function that cannot tell them apart.

    The regions are slices of rows and columns, of one size and apart.
    """

    def __init__(
        self, network: nn.Module, first: tuple[slice, slice], second: tuple[slice, slice]
    ) -> None:
        super().__init__()
        self.network, self.first, self.second = network, first, second

    def forward(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to the sum of the network's two outputs."""
        return self.network(x) + self.network(self.swapped(x))

    def swapped(self, x: Tensor) -> Tensor:
        """The images (B, C, H, W) with the two regions exchanged."""
        other = x.clone()
        other[:, :, *self.first] = x[:, :, *self.second]
        other[:, :, *self.second] = x[:, :, *self.first]
        return other


class RegionFeatures(nn.Module):
    """F of an image put together from regions: every region is one feature, (B, G) -> outputs.

    A feature of 1 is the region as it is in the image (1, C, H, W), 0 leaves it at the zero
    baseline. G = grid · grid regions, row by row.
    """

    def __init__(self, network: nn.Module, image: Tensor, grid: int) -> None:
        super().__init__()
        self.network = network
        height, width = image.shape[-2:]
        rows = torch.arange(height, device=image.device) * grid // height
        columns = torch.arange(width, device=image.device) * grid // width
        self.image = image
        self.region = rows[:, None] * grid + columns  # (H, W), number of the region of each pixel

    def forward(self, features: Tensor) -> Tensor:
        """Map features (B, G) to the network's outputs."""
        return self.network(features[:, None, self.region] * self.image)  # (B, 1, H, W)

    def spread(self, values: Tensor) -> Tensor:
        """A value a region, (G,), as a map that sums to it in every region, (1, 1, H, W)."""
        pixels = self.region.flatten().bincount(minlength=len(values))
        return (values / pixels)[self.region][None, None]
