"""The ledger of a logit: what pixels and every layer's biases put into it, signed.

A network of linear layers, ReLU-like gates, maxima and averages is linear around x in its input
and in all of its biases together, so Euler's theorem splits its output without rest:

    F(x) = Σ x·∂F/∂x + Σ_layers Σ b·∂F/∂b

Source: Srinivas and Fleuret 2019, *Full-Gradient Representation for Neural Network Visualization*,
Section 3; the shift of batch normalisation counts as its bias, which they call implicit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from xdnn_core.attribution.added_constants import AddedConstants, sum_per_input
from xdnn_core.attribution.gate import check_repeatable
from xdnn_core.attribution.target import (
    Target,
    check_request,
    input_gradient,
    output_at_zero,
    select_target,
)
from xdnn_core.device import full_float32

# Of the size of the entries. Rounding in float32 leaves far less unexplained.
NEGLIGIBLE = 1e-3


@dataclass(frozen=True)
class LedgerEntry:
    """What the biases of one layer put into the logit."""

    name: str  # path of the layer, or of the parameter that a composite module adds itself
    kind: str  # ``"convolution"``, ``"linear"``, ``"batch norm"`` or ``"parameter"``
    values: Tensor  # Σ b·∂F/∂b, (B,), signed, logits, float64
    # The same at every position of the layer's own grid, Σ over channels of b_c·∂F/∂z_c, (B, H,
    # W), float64, which sums to `values`; None where the layer has no such grid.
    map: Tensor | None


@dataclass(frozen=True)
class Ledger:
    """A logit as a sum.

    Attributes
    ----------
    pixels
        Σ x·∂F/∂x, (B,), logits, float64: the sum of Input×Gradient.
    layers
        One entry a bias, in the order of the forward pass.
    unexplained
        F(x) − pixels − Σ layers, (B,): rounding where the network is piecewise linear and every
        bias is a parameter or buffer; else what activations that bend and constants written into
        forward() leave.
    outputs
        F(x), (B,), float64.
    baseline_outputs
        F(0), (B,): the logit of the mean image.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> network = nn.Linear(2, 1, bias=False)
    >>> network.weight.data = torch.tensor([[2.0, -1.0]])
    >>> x = torch.tensor([[1.0, 3.0]])
    >>> from xdnn_core import bias_attribution
    >>> bias_attribution(network, x).outputs
    tensor([-1.], dtype=torch.float64)
    """

    pixels: Tensor
    layers: tuple[LedgerEntry, ...]
    unexplained: Tensor
    outputs: Tensor
    baseline_outputs: Tensor

    @property
    def biases(self) -> Tensor:
        """Sum of all layers' entries, (B,)."""
        return sum((entry.values for entry in self.layers), torch.zeros_like(self.pixels))

    @property
    def bias_part(self) -> Tensor:
        """Σ b·∂F/∂b / F(x), (B,), signed: beyond 1 where pixels speak against the class.

        It is 1 − pixels / F(x) where nothing is unexplained, and exactly 0 for an X-DNN.
        """
        return self.biases / self.outputs

    @property
    def is_explained(self) -> Tensor:
        """Whether what is unexplained is negligible beside the entries, (B,) bool."""
        size = self.pixels.abs() + sum(entry.values.abs() for entry in self.layers)
        return self.unexplained.abs() <= NEGLIGIBLE * size

    def biases_map(self, size: tuple[int, int]) -> Tensor:
        """All layers' maps added up at one resolution.

        Every cell of a layer's grid stands for its part of the image, H/h by W/w pixels, and its
        value is spread evenly over it, so the sum of each layer is kept. Layers without a grid
        (fully connected ones) are not in it.

        Parameters
        ----------
        size
            (H, W).

        Returns
        -------
        Tensor
            (B, H, W), logits a pixel, float64.
        """
        total = self.pixels.new_zeros(len(self.pixels), *size)
        for entry in self.layers:
            if entry.map is not None:
                rows, columns = (
                    _spread(cells, pixels).to(total)
                    for cells, pixels in zip(entry.map.shape[1:], size, strict=True)
                )
                total = total + rows @ entry.map @ columns.T  # (H, h) (B, h, w) (w, W)
        return total


@full_float32()
def bias_attribution(network: nn.Module, inputs: Tensor, target: Target = None) -> Ledger:
    """Split a logit into what pixels and what biases put into it, by one gradient.

    Parameters
    ----------
    network
        Maps (B, ...) to logits, the batch first all the way; in evaluation mode. It is not touched:
        other threads may use it at the same time.
    inputs
        x, (B, ...).
    target
        Class index; one per input (B,), as tensor, array or list; or None for a network with one
        output.

    Returns
    -------
    Ledger
        Biases of convolutions and linear layers; the shift β − γμ/√(σ²+ε) of batch normalisation
        in evaluation mode; parameters and buffers that are added in forward(). Anything else that
        is not linear in x, a number written into forward(), a bending activation, the biases
        inside MultiheadAttention, is left in `unexplained`.

    Raises
    ------
    UserError
        As `gradient`.

    References
    ----------
    Srinivas and Fleuret 2019, Section 3.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> network = nn.Linear(2, 1, bias=True)
    >>> network.weight.data = torch.tensor([[2.0, -1.0]])
    >>> x = torch.tensor([[1.0, 3.0]])
    >>> network.bias.data = torch.tensor([0.5])
    >>> ledger = bias_attribution(network, x)
    >>> ledger.pixels, [float(entry.values) for entry in ledger.layers]
    (tensor([-1.], dtype=torch.float64), [0.5])
    """
    x, classes = check_request(network, inputs, target)
    check_repeatable(network, x)
    recorder = AddedConstants(network, len(x))

    def watched(rows: Tensor) -> Tensor:
        with recorder:
            return network(rows)

    logits, gradients = input_gradient(watched, x, classes)
    if recorder.merges_batch:
        targets = [None] * len(x) if classes is None else torch.as_tensor(classes).expand(len(x))
        return _stacked(
            [bias_attribution(network, row[None], t) for row, t in zip(x, targets, strict=True)]
        )
    outputs = select_target(logits, classes).double()  # (B,)
    pixels = sum_per_input(x * gradients, len(x))
    layers = tuple(LedgerEntry(*entry) for entry in recorder.entries())
    unexplained = outputs - pixels - sum(entry.values for entry in layers)
    at_zero = output_at_zero(network, x)  # (1, classes) or (1,)
    baseline = select_target(at_zero.expand(len(x), *at_zero.shape[1:]), classes)
    return Ledger(pixels, layers, unexplained, outputs, baseline.double())


def _spread(cells: int, pixels: int) -> Tensor:
    """How each of `cells` shares its value among the pixels it covers, (pixels, cells).

    Columns sum to 1.
    """
    edges = torch.arange(pixels + 1, dtype=torch.float64) * cells / pixels  # in cells
    start = torch.arange(cells, dtype=torch.float64)
    upper = torch.minimum(edges[1:, None], start + 1)  # (pixels, cells)
    return (upper - torch.maximum(edges[:-1, None], start)).clamp_min(0)


def _stacked(ledgers: Sequence[Ledger]) -> Ledger:
    """One ledger of many of one input each."""

    def joined(same: Sequence[LedgerEntry]) -> LedgerEntry:
        maps = [entry.map for entry in same if entry.map is not None]
        values = torch.cat([entry.values for entry in same])
        return LedgerEntry(
            same[0].name, same[0].kind, values, torch.cat(maps) if len(maps) == len(same) else None
        )

    layers = tuple(
        joined(same) for same in zip(*[ledger.layers for ledger in ledgers], strict=True)
    )
    pixels, unexplained, outputs, baseline = (
        torch.cat([getattr(ledger, name) for ledger in ledgers])
        for name in ("pixels", "unexplained", "outputs", "baseline_outputs")
    )
    return Ledger(pixels, layers, unexplained, outputs, baseline)
