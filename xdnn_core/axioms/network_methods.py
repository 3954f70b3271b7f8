"""The attribution methods of the core, called alike, so that the axioms can be tried on each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from torch import Tensor, nn

from xdnn_core.attribution.expected import expected_gradients
from xdnn_core.attribution.gradients import gradient, input_x_gradient, x_gradient
from xdnn_core.attribution.integrated import integrated_gradients
from xdnn_core.attribution.path import Progress
from xdnn_core.attribution.result import Attribution

# Rows a gradient call in float64: few, so that whoever cancels does not wait.
_ROWS: Final = 8
_RULE: Final = "graded"


@dataclass(frozen=True)
class NetworkSettings:
    """How much is tried on a network.

    Attributes
    ----------
    steps
        Gradient calls of Integrated Gradients, 2 or more.
    samples
        Draws of Expected Gradients.
    alphas
        Factors for nonnegative homogeneity, above 0.
    seed
        Of all that is drawn.
    """

    steps: int = 32
    samples: int = 8
    alphas: tuple[float, ...] = (0.3, 0.6, 2.0)
    seed: int = 0


@dataclass(frozen=True)
class Call:
    """Everything a method may need.

    Attributes
    ----------
    network, inputs, target
        As for every attribution; inputs (B, ...).
    references
        For Expected Gradients, (R, ...).
    settings
        Steps and samples.
    seed
        Of this call's draws.
    progress
        Called as the method goes along.
    """

    network: nn.Module
    inputs: Tensor
    target: int
    references: Tensor
    settings: NetworkSettings
    seed: int
    progress: Progress


@dataclass(frozen=True)
class NetworkMethod:
    """An attribution method to be tried on a network.

    Attributes
    ----------
    name
        Its public name.
    title
        Name on screen; may hold {steps} and {samples}, with their unit.
    expected
        Whether its baseline is a set of references; else it is zero.
    calls
        Gradient calls an input.
    grid
        Sensitivity (a) is tried on grid · grid regions; fewer for methods that cost more.
    attribute
        Computes it.
    """

    name: str
    title: str
    expected: bool
    calls: Callable[[NetworkSettings], int]
    grid: int
    attribute: Callable[[Call], Attribution]


def _integrated(call: Call) -> Attribution:
    return integrated_gradients(
        call.network, call.inputs, call.target, steps=call.settings.steps, rule=_RULE,
        chunk=_ROWS, progress=call.progress,
    )  # fmt: skip


def _expected(call: Call) -> Attribution:
    return expected_gradients(
        call.network, call.inputs, call.target, references=call.references,
        samples=call.settings.samples, seed=call.seed, progress=call.progress,
    )  # fmt: skip


def _single(
    name: str, title: str, function: Callable[[nn.Module, Tensor, int], Attribution]
) -> NetworkMethod:
    """A method of one gradient."""

    def attribute(call: Call) -> Attribution:
        return function(call.network, call.inputs, call.target)

    return NetworkMethod(name, title, False, lambda _: 1, 4, attribute)


NETWORK_METHODS: Final = {
    method.name: method
    for method in (
        NetworkMethod("integrated_gradients", "Integrated Gradients, {steps}", False,
                      lambda settings: settings.steps, 2, _integrated),
        NetworkMethod("expected_gradients", "Expected Gradients, {samples}", True,
                      lambda settings: settings.samples, 2, _expected),
        _single("gradient", "Gradient, 1 call", gradient),
        _single("input_x_gradient", "Input×Gradient, 1 call", input_x_gradient),
        _single("x_gradient", "X-Gradient, 1 call", x_gradient),
    )
}  # fmt: skip


def method_title(name: str, settings: NetworkSettings) -> str:
    """Name of a method on screen, with its number of calls."""
    samples = "1 sample" if settings.samples == 1 else f"{settings.samples} samples"
    return NETWORK_METHODS[name].title.format(steps=f"{settings.steps} calls", samples=samples)
