"""The parameters of R perceptrons as one stack, in one flat buffer, and Adam on it."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.optim.adam import adam

from xdnn_core.models.mlp import MLP, MLPConfig, initial_parameters

_LANES = 8


def padded(features: int) -> int:
    """Features rounded up to a multiple of 8.

    Rows of a width that no vector register divides cost matrix products up to a third of their
    speed. The columns added are 0 in inputs and weights, and their gradients are 0, so they stay.
    """
    return -(-features // _LANES) * _LANES


class Buffers:
    """Memory that is used again by every step: fresh megabytes would cost page faults."""

    def __init__(self) -> None:
        self._memory: dict[str, Tensor] = {}

    def take(self, name: str, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Uninitialised memory of this shape; the same memory for the same name."""
        size = math.prod(shape)
        memory = self._memory.get(name)
        if memory is None or memory.numel() < size:
            memory = self._memory[name] = like.new_empty(size)
        return memory[:size].view(shape)


class ParameterStack:
    """Weights (R, out, in) and biases (R, out) of every layer, views of one flat buffer.

    One buffer makes Adam one fused call. Layers follow each other; within a layer, replicates do.
    The first layer's weights are (R, out, D), D the padded number of features.
    """

    def __init__(
        self, config: MLPConfig, replicates: int, device: torch.device, dtype: torch.dtype
    ) -> None:
        self.config = config
        pairs = list(pairwise((padded(config.inputs), *config.widths[1:])))
        shapes = [(replicates, fan_out, fan_in) for fan_in, fan_out in pairs]
        sizes = [replicates * fan_out * fan_in for fan_in, fan_out in pairs]
        if config.biases:
            sizes += [replicates * fan_out for _, fan_out in pairs]
        self.flat = torch.zeros(sum(sizes), device=device, dtype=dtype)
        views = self.flat.split(sizes)
        self.weights = [view.view(shape) for view, shape in zip(views, shapes, strict=False)]
        self.biases = [view.view(replicates, -1) for view in views[len(pairs) :]]

    @property
    def tensors(self) -> list[Tensor]:
        """All weights, then all biases; the first dimension is the replicate."""
        return self.weights + self.biases

    def initialise(self, seeds: list[int]) -> None:
        """Give every replicate the parameters `MLP(config, seed)` starts with."""
        for index, seed in enumerate(seeds):
            weights, biases = initial_parameters(self.config, seed)
            weights[0] = pad(weights[0], (0, padded(self.config.inputs) - self.config.inputs))
            for tensor, initial in zip(self.tensors, weights + biases, strict=True):
                tensor[index].copy_(initial)

    def part(self, replicates: slice) -> Layers:
        """The layers of some replicates, as views."""
        return Layers(
            [weight[replicates] for weight in self.weights],
            [bias[replicates] for bias in self.biases],
        )

    def copy_replicates(self, source: ParameterStack, replicates: Tensor) -> None:
        """Take over the replicates with these indices, (m,) long, from another stack."""
        for tensor, other in zip(self.tensors, source.tensors, strict=True):
            tensor.index_copy_(0, replicates, other.index_select(0, replicates))

    def network(self, replicate: int) -> MLP:
        """One replicate as a network of its own, in evaluation mode."""
        network = MLP(self.config).to(self.flat)
        weights = [weight[replicate] for weight in self.weights]
        weights[0] = weights[0][:, : self.config.inputs]
        network.load_parameters(weights, [bias[replicate] for bias in self.biases])
        return network.eval()


class Layers:
    """Weights (T, out, in) and biases (T, out) of T replicates; the biases may be missing."""

    def __init__(self, weights: list[Tensor], biases: list[Tensor]) -> None:
        self.weights = weights
        self.biases = biases

    def forward(self, rows: Tensor, buffers: Buffers) -> tuple[list[Tensor], Tensor]:
        """Run the perceptrons on their own rows."""
        hidden = [rows]
        for layer in range(len(self.weights)):
            weight = self.weights[layer].mT  # (T, in, out)
            shape = (*rows.shape[:2], weight.shape[2])
            out = buffers.take(f"h{layer + 1}", shape, rows)
            if self.biases:
                torch.baddbmm(self.biases[layer][:, None, :], hidden[-1], weight, out=out)
            else:
                torch.bmm(hidden[-1], weight, out=out)
            hidden.append(out)
            if layer < len(self.weights) - 1:
                out.relu_()
        return hidden[:-1], hidden[-1][..., 0]


class FlatAdam:
    """Adam (Kingma and Ba 2015) with torch's fused kernel and default decay rates.

    Takes torch's function instead of its class, whose constructor imports a compiler: seconds of
    delay before the first live training.
    """

    def __init__(self, parameters: Tensor, gradients: Tensor, learning_rate: float) -> None:
        self.parameters = parameters
        self.gradients = gradients
        self.learning_rate = learning_rate
        self._mean = torch.zeros_like(parameters)
        self._square = torch.zeros_like(parameters)
        self._steps = torch.zeros((), device=parameters.device)

    def step(self) -> None:
        """Move the parameters once; call it where gradients are not recorded."""
        adam(
            [self.parameters], [self.gradients], [self._mean], [self._square], [], [self._steps],
            fused=True, amsgrad=False, beta1=0.9, beta2=0.999, lr=self.learning_rate,
            weight_decay=0.0, eps=1e-8, maximize=False,
        )  # fmt: skip
