"""The multilayer perceptron of the prior experiments: ReLU, one logit, with or without biases.

Without biases it is an X-DNN (Hesse et al. 2021): F(αx) = αF(x) for α ≥ 0. The paper's is
118-512-128-32-1.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

PAPER_HIDDEN = (512, 128, 32)


@dataclass(frozen=True)
class MLPConfig:
    """Shape of a perceptron with one logit."""

    inputs: int  # number of features d
    hidden: tuple[int, ...] = PAPER_HIDDEN  # width of every hidden layer, at least one layer
    biases: bool = True  # False makes it an X-DNN

    @property
    def widths(self) -> tuple[int, ...]:
        """Widths of all layers, input and output included."""
        return (self.inputs, *self.hidden, 1)

    @property
    def multiplications(self) -> int:
        """Multiplications of one forward pass of one row."""
        return sum(fan_in * fan_out for fan_in, fan_out in pairwise(self.widths))


class MLP(nn.Module):
    """ReLU perceptron on (B, d), one logit each, (B,)."""

    def __init__(self, config: MLPConfig, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise(config.widths):
            layers += [nn.Linear(fan_in, fan_out, bias=config.biases), nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1])  # the logit has no ReLU
        self.load_parameters(*initial_parameters(config, seed))

    @property
    def linear(self) -> list[nn.Linear]:
        """The linear layers, input side first."""
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]

    def load_parameters(self, weights: list[Tensor], biases: list[Tensor]) -> None:
        """Copy weights (out, in) and biases (out,), a pair a layer; no biases: an empty list."""
        with torch.no_grad():
            for index, layer in enumerate(self.linear):
                layer.weight.copy_(weights[index])
                if layer.bias is not None:
                    layer.bias.copy_(biases[index])

    def forward(self, x: Tensor) -> Tensor:
        """Map features (B, d) to logits (B,)."""
        return self.layers(x)[:, 0]  # (B, 1) -> (B,)


def initial_parameters(config: MLPConfig, seed: int) -> tuple[list[Tensor], list[Tensor]]:
    """Draw initial weights and biases, uniform in ±1/√fan_in as `nn.Linear` does, (out, in).

    The weights are drawn before the biases, so a network with and one without biases start from
    the same weights.
    """
    generator = torch.Generator().manual_seed(seed)

    def draw(shape: tuple[int, ...], fan_in: int) -> Tensor:
        bound = fan_in**-0.5
        return torch.empty(shape).uniform_(-bound, bound, generator=generator)

    pairs = list(pairwise(config.widths))
    weights = [draw((fan_out, fan_in), fan_in) for fan_in, fan_out in pairs]
    biases = [draw((fan_out,), fan_in) for fan_in, fan_out in pairs] if config.biases else []
    return weights, biases
