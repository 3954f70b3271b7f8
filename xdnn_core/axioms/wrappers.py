"""Functions made from a network, each of them what one axiom speaks of."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class IgnoringRegion(nn.Module):
    """F(x ⊙ seen): a network that does not see part of its input.

    Parameters
    ----------
    network
        F, on (B, C, H, W).
    seen
        1 where it looks, 0 where it does not, (1, 1, H, W).
    """

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

    Parameters
    ----------
    network
        F, on (B, C, H, W).
    first, second
        The regions, as slices of rows and columns, of one size and apart.
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

    A feature of 1 is the region as it is in the image, 0 leaves it at the zero baseline.

    Parameters
    ----------
    network
        F, on (B, C, H, W).
    image
        (1, C, H, W).
    grid
        G = grid · grid regions, row by row.
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
