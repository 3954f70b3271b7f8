"""The rows of Table 1, as functions of a small network, an input and reference inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from xdnn_core.axioms.networks import exact_integrated_gradients, gradients

# (network, x (D,), references (R, D), random draws) -> attribution (D,).
Attribute = Callable[[nn.Sequential, Tensor, Tensor, torch.Generator], Tensor]


@dataclass(frozen=True)
class AxiomMethod:
    """An attribution method to be tried.

    Attributes
    ----------
    name, title
        Key and name on screen.
    on_x_networks
        Whether it is tried on networks without biases: X-Gradient is defined on no others.
    expected
        Whether its baseline is a set of references, their mean output F(x'); else it is zero.
    attribute
        Computes it.
    """

    name: str
    title: str
    on_x_networks: bool
    expected: bool
    attribute: Attribute


def _integrated(network: nn.Sequential, x: Tensor, references: Tensor, _: object) -> Tensor:
    return exact_integrated_gradients(network, x, references[0])


def _expected(network: nn.Sequential, x: Tensor, references: Tensor, _: object) -> Tensor:
    each = [exact_integrated_gradients(network, x, reference) for reference in references]
    return torch.stack(each).mean(dim=0)


def _expected_once(
    network: nn.Sequential, x: Tensor, references: Tensor, rng: torch.Generator
) -> Tensor:
    reference = references[int(torch.randint(len(references), (1,), generator=rng))]
    t = torch.rand(1, generator=rng, dtype=x.dtype)
    return (x - reference) * gradients(network, (reference + t * (x - reference))[None])[0]


def _gradient(network: nn.Sequential, x: Tensor, _: Tensor, __: object) -> Tensor:
    return gradients(network, x[None])[0]


def _input_x_gradient(network: nn.Sequential, x: Tensor, _: Tensor, __: object) -> Tensor:
    return x * gradients(network, x[None])[0]


AXIOM_METHODS: Final = {
    method.name: method
    for method in (
        AxiomMethod("integrated_gradients", "Integrated Gradients", False, False, _integrated),
        AxiomMethod(
            "expected_gradients_converged", "Expected Gradients, converged", False, True, _expected
        ),
        AxiomMethod("expected_gradients_1", "Expected Gradients, 1 sample", False, True,
                    _expected_once),
        AxiomMethod("gradient", "Gradient", False, False, _gradient),
        AxiomMethod("input_x_gradient", "Input×Gradient", False, False, _input_x_gradient),
        AxiomMethod("x_gradient", "X-Gradient", True, False, _input_x_gradient),
    )
}  # fmt: skip
