"""Table 1 on small random networks: every cell tried many times, with exact integrals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import torch
from torch import Tensor, nn

from xdnn_core.axioms.axioms import AXIOMS, Arguments, Cell, Finding, Values, Witness, make_cell
from xdnn_core.axioms.functions import (
    FEATURES,
    STEP,
    X_STEP,
    combination,
    draws,
    exact_integrated_gradients,
    gradients,
    layers_of,
    perceptron,
    random_perceptron,
    step_network,
    x_step_network,
)
from xdnn_core.axioms.rebuild import rebuilt_perceptron
from xdnn_core.errors import UserError
from xdnn_core.progress import Progress, part_of

# Float64 rounding over a few hundred operations stays below; a violation is far above.
TOLERANCE: Final = 1e-9
TRIALS: Final = 200
_REFERENCES = 3

# (network, x (D,), references (R, D), random draws) -> attribution (D,).
Attribute = Callable[[nn.Sequential, Tensor, Tensor, torch.Generator], Tensor]


@dataclass(frozen=True)
class AxiomMethod:
    """An attribution method to be tried."""

    name: str
    title: str  # on screen
    on_x_networks: bool  # tried on networks without biases: X-Gradient is defined on no others
    expected: bool  # its baseline is a set of references, their mean output F(x'); else zero
    attribute: Attribute


def _expected(network: nn.Sequential, x: Tensor, references: Tensor, _: object) -> Tensor:
    attributions = [exact_integrated_gradients(network, x, reference) for reference in references]
    return torch.stack(attributions).mean(dim=0)


def _expected_once(
    network: nn.Sequential, x: Tensor, references: Tensor, rng: torch.Generator
) -> Tensor:
    reference = references[int(torch.randint(len(references), (1,), generator=rng))]
    t = torch.rand(1, generator=rng, dtype=x.dtype)
    return (x - reference) * gradients(network, (reference + t * (x - reference))[None])[0]


def _input_x_gradient(network: nn.Sequential, x: Tensor, _: Tensor, __: object) -> Tensor:
    return x * gradients(network, x[None])[0]


AXIOM_METHODS: Final = {
    method.name: method
    for method in (
        AxiomMethod("integrated_gradients", "Integrated Gradients", False, False,
                    lambda network, x, start, _: exact_integrated_gradients(network, x, start[0])),
        AxiomMethod(
            "expected_gradients_converged", "Expected Gradients, converged", False, True, _expected
        ),
        AxiomMethod("expected_gradients_1", "Expected Gradients, 1 sample", False, True,
                    _expected_once),
        AxiomMethod("gradient", "Gradient", False, False,
                    lambda network, x, *_: gradients(network, x[None])[0]),
        AxiomMethod("input_x_gradient", "Input×Gradient", False, False, _input_x_gradient),
        AxiomMethod("x_gradient", "X-Gradient", True, False, _input_x_gradient),
    )
}  # fmt: skip


def _list(values: Tensor) -> str:
    return "(" + ", ".join(f"{v + 0.0:.3g}" for v in values.tolist()) + ")"  # + 0.0: no "-0"


class RandomPerceptron:
    """A method on a random network and input, both drawn when they are first needed.

    That order is kept, network, what the axiom speaks of, input, references, so that a seed gives
    the same cells as ever.
    """

    rounding = TOLERANCE

    def __init__(self, method: AxiomMethod, rng: torch.Generator) -> None:
        self.method, self.rng = method, rng

    def _draw_network(self) -> nn.Sequential:
        return random_perceptron(self.rng, biases=not self.method.on_x_networks)

    def _draw(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.rng, dtype=torch.float64)

    @cached_property
    def network(self) -> nn.Sequential:
        """F."""
        return self._draw_network()

    @cached_property
    def inputs(self) -> Tensor:
        """x, (D,)."""
        return self._draw(FEATURES)

    @cached_property
    def references(self) -> Tensor:
        """References (R, D) of Expected Gradients; the zero baseline (1, D) of the others."""
        if self.method.expected:
            return self._draw(_REFERENCES, FEATURES)
        return torch.zeros(1, FEATURES, dtype=torch.float64)

    def run(self, **other: Any) -> Values:
        network, x, references = (
            other[name] if name in other else getattr(self, name)
            for name in ("network", "inputs", "references")
        )
        return Values(self.method.attribute(network, x, references, self.rng))

    def plain(self) -> Values:
        return self.run()

    def output_change(self) -> tuple[float, Witness]:
        change = float(self.network(self.inputs[None]) - self.network(self.references).mean())
        return change, lambda total, change, _: (
            f"attributions sum to {total:.6g}, F(x) − F(x') is {change:.6g}"
        )  # fmt: skip

    def sensitivity_a(self) -> list[Finding]:
        """Change one feature of the baseline so that F changes; its attribution must not be 0.

        Half of the trials are on a network that is flat where it hurts: 1 − ReLU(1 − x) at x = 2;
        among networks without biases, for methods whose baseline need not be zero, ReLU(x₁ − x₂)
        from (0, 1).
        """
        method, rng = self.method, self.rng
        textbook = float(torch.rand(1, generator=rng)) < 0.5
        flat = textbook and (method.expected or not method.on_x_networks)
        baseline = torch.zeros(FEATURES, dtype=torch.float64)
        if flat and method.on_x_networks:
            network, step = x_step_network(), X_STEP
            baseline[1] = 1.0
        else:
            network, step = step_network() if flat else self.network, STEP
        feature = 0 if flat else int(torch.randint(FEATURES, (1,), generator=rng))
        x = baseline.clone()
        x[feature] = 2.0 if flat else float(self._draw(1))
        change = float(network(x[None]) - network(baseline[None]))
        value = float(method.attribute(network, x, baseline[None], rng)[feature])
        if abs(change) < 1e-6:  # a random unit may be dead: nothing is asked then
            return [Finding(0.0, TOLERANCE, "F does not change, so nothing is asked")]
        where = step if flat else f"a random network at x = {x[feature]:.3g}"
        sentence = f"{where}: F changes by {change:.3g}, the feature's attribution is {value:.3g}"
        return [Finding(float(abs(value) <= 1e-12 * abs(change)), TOLERANCE, sentence)]

    def ignoring(self) -> tuple[Arguments, Tensor, Witness]:
        """A network whose first layer does not look at one feature."""
        layers = layers_of(self.network)
        feature = int(torch.randint(FEATURES, (1,), generator=self.rng))
        layers[0][0][:, feature] = 0
        network = perceptron(layers, biases=not self.method.on_x_networks)
        ignored = torch.eye(FEATURES, dtype=torch.float64)[feature]  # (D,)
        return {"network": network}, ignored, lambda values, *_: (
            f"F ignores the feature; its attribution is {float(values[feature]) + 0.0:.3g}"
        )  # fmt: skip

    def rebuilt(self) -> tuple[Arguments, Witness]:
        other = rebuilt_perceptron(self.network, self.rng)
        return {"network": other}, lambda _, one, two: (
            f"outputs differ by {self._gap(other):.1g}, attributions are {_list(one)} and "
            f"{_list(two)}"
        )  # fmt: skip

    def _gap(self, other: nn.Sequential) -> float:
        return float((self.network(self.inputs[None]) - other(self.inputs[None])).abs())

    def weighted_sum(self) -> tuple[Arguments, tuple[float, float], Arguments, Witness]:
        """a·F + b·G, G another random network."""
        f, g = self.network, self._draw_network()
        a, b = self._draw(2).tolist()
        both = {"network": combination(a, f, b, g)}
        return both, (a, b), {"network": g}, lambda _, whole, parts: (
            f"of {a:.2g}·F + {b:.2g}·G: {_list(whole)}; of the parts: {_list(parts)}"
        )  # fmt: skip

    def symmetric(self) -> tuple[Arguments, Any, Any, Callable[..., float], Witness]:
        """A network whose first layer looks alike at the first two features, which are equal."""
        layers = layers_of(self.network)
        layers[0][0][:, 1] = layers[0][0][:, 0]
        network = perceptron(layers, biases=not self.method.on_x_networks)
        x, references = self.inputs.clone(), self.references
        x[1] = x[0]
        if self.method.expected:  # the set of references is symmetric, a single one need not be
            swapped = references[:, [1, 0, *range(2, FEATURES)]]
            references = torch.cat([references, swapped])
        arguments = {"network": network, "inputs": x, "references": references}
        return (
            arguments, 0, 1, lambda values, *_: float(values.abs().sum()),
            lambda _, one, two: f"the two get {one:.6g} and {two:.6g}",
        )  # fmt: skip

    def scalings(self) -> Iterator[tuple[float, Witness]]:
        """One random α."""
        _ = self.network, self.inputs, self.references  # drawn before it
        alpha = 0.1 + 4 * float(torch.rand(1, generator=self.rng))
        yield alpha, lambda _, scaled, plain: (
            f"at α = {alpha:.2g} it is {_list(scaled.values)}, α times that of x is "
            f"{_list(alpha * plain.values)}"
        )  # fmt: skip


def try_cell(
    method: str,
    axiom: str,
    trials: int = TRIALS,
    seed: int = 0,
    progress: Progress | None = None,
    without_biases: bool = False,
) -> Cell:
    """Try one axiom for one method, see `try_axioms`."""
    for name, known in ((method, AXIOM_METHODS), (axiom, AXIOMS)):
        if name not in known:
            raise UserError(f"{name!r} is not known; choose one of {', '.join(known)}.")
    if trials < 1:
        raise UserError(f"trials is {trials}; give 1 or more.")
    tried = AXIOM_METHODS[method]
    if without_biases:
        tried = replace(tried, on_x_networks=True)
    findings: list[Finding] = []
    for rng in draws(seed, trials):
        findings += AXIOMS[axiom].experiment(RandomPerceptron(tried, rng))
        if progress is not None:
            progress(len(findings), trials)
    return make_cell(method, axiom, findings)


def try_axioms(
    methods: Sequence[str] = tuple(AXIOM_METHODS),
    axioms: Sequence[str] = tuple(AXIOMS),
    trials: int = TRIALS,
    seed: int = 0,
    progress: Progress | None = None,
    known: MutableMapping[tuple[str, str], Cell] | None = None,
    without_biases: bool = False,
) -> list[Cell]:
    """Try every axiom for every method.

    `progress`: called with (trials done, in all) after every trial; may raise to cancel.
    `known`: cells of this number of trials and this seed that are there already; every new one is
    added, so that a run that was cancelled goes on where it was.

    Source: Sundararajan et al. 2017, Sections 2 and 3; Hesse et al. 2021, Table 1.
    """
    cells = {} if known is None else known
    requested = [(method, axiom) for method in methods for axiom in axioms]
    missing = [cell for cell in requested if cell not in cells]
    for number, cell in enumerate(missing):
        part = part_of(progress, number * trials, len(missing) * trials)
        cells[cell] = try_cell(*cell, trials, seed, part, without_biases)
    return [cells[cell] for cell in requested]
