"""The columns of Table 1: for every axiom an experiment on one random network and input.

Each returns how badly the axiom is violated, relative, 0 if it holds, and a sentence with the
numbers. Implementation invariance, linearity and homogeneity compare two runs of a method, each
with draws of its own where the method draws.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from xdnn_core.axioms.methods import AxiomMethod
from xdnn_core.axioms.networks import (
    FEATURES,
    combination,
    layers_of,
    perceptron,
    random_perceptron,
    rebuilt,
)

_REFERENCES = 3


@dataclass(frozen=True)
class Finding:
    """What one experiment showed.

    Attributes
    ----------
    violation
        Relative size of the violation, 0 if there is none.
    witness
        The numbers, in a sentence.
    """

    violation: float
    witness: str


Experiment = Callable[[AxiomMethod, torch.Generator], Finding]


@dataclass(frozen=True)
class Axiom:
    """A column of the table.

    Attributes
    ----------
    name, title
        Key and name on screen.
    statement
        What it asks, in one sentence.
    experiment
        Tries it once.
    """

    name: str
    title: str
    statement: str
    experiment: Experiment


def _vector(rng: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=rng, dtype=torch.float64)


def _references(method: AxiomMethod, rng: torch.Generator) -> Tensor:
    """Reference inputs (R, D) of Expected Gradients; the zero baseline (1, D) of the others."""
    if method.expected:
        return _vector(rng, _REFERENCES, FEATURES)
    return torch.zeros(1, FEATURES, dtype=torch.float64)


def _run(
    method: AxiomMethod, network: nn.Sequential, x: Tensor, references: Tensor, rng: torch.Generator
) -> Tensor:
    return method.attribute(network, x, references, rng)


def _network(method: AxiomMethod, rng: torch.Generator) -> nn.Sequential:
    return random_perceptron(rng, biases=not method.on_x_networks)


def relative_distance(a: Tensor, b: Tensor) -> float:
    """‖a − b‖₁ relative to the larger of the two; 0 where both are zero."""
    distance = float((a - b).abs().sum())
    return distance / max(float(a.abs().sum()), float(b.abs().sum())) if distance else 0.0


def _list(values: Tensor) -> str:
    return "(" + ", ".join(f"{v + 0.0:.3g}" for v in values.tolist()) + ")"  # + 0.0: no "-0"


STEP = "1 − ReLU(1 − x) at x = 2"  # how findings name it
_X_STEP = "ReLU(x₁ − x₂) from (0, 1) to (2, 1)"


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


def sensitivity_a(method: AxiomMethod, rng: torch.Generator) -> Finding:
    """Change one feature of the baseline so that F changes; its attribution must not be 0.

    Half of the trials are on a network that is flat where it hurts: 1 − ReLU(1 − x) at x = 2; among
    networks without biases, for methods whose baseline need not be zero, ReLU(x₁ − x₂) from (0, 1).
    """
    textbook = float(torch.rand(1, generator=rng)) < 0.5
    flat = textbook and (method.expected or not method.on_x_networks)
    baseline = torch.zeros(FEATURES, dtype=torch.float64)
    if flat and method.on_x_networks:
        network, step = x_step_network(), _X_STEP
        baseline[1] = 1.0
    else:
        network, step = step_network() if flat else _network(method, rng), STEP
    feature = 0 if flat else int(torch.randint(FEATURES, (1,), generator=rng))
    x = baseline.clone()
    x[feature] = 2.0 if flat else float(_vector(rng, 1))
    rise = float(network(x[None]) - network(baseline[None]))
    given = float(_run(method, network, x, baseline[None], rng)[feature])
    if abs(rise) < 1e-6:  # a random unit may be dead: nothing is asked then
        return Finding(0.0, "F does not change, so nothing is asked")
    where = step if flat else f"a random network at x = {x[feature]:.3g}"
    sentence = f"{where}: F changes by {rise:.3g}, the feature's attribution is {given:.3g}"
    return Finding(float(abs(given) <= 1e-12 * abs(rise)), sentence)


def sensitivity_b(method: AxiomMethod, rng: torch.Generator) -> Finding:
    """A feature that F does not depend on gets 0."""
    layers = layers_of(_network(method, rng))
    feature = int(torch.randint(FEATURES, (1,), generator=rng))
    layers[0][0][:, feature] = 0
    network = perceptron(layers, biases=not method.on_x_networks)
    x = _vector(rng, FEATURES)
    given = _run(method, network, x, _references(method, rng), rng)
    size = float(given.abs().sum())
    violation = float(given[feature].abs()) / size if size else 0.0
    return Finding(
        violation, f"F ignores the feature; its attribution is {float(given[feature]) + 0.0:.3g}"
    )


def implementation_invariance(method: AxiomMethod, rng: torch.Generator) -> Finding:
    """Two networks that compute the same function get the same attribution."""
    network = _network(method, rng)
    other = rebuilt(network, rng)
    x, references = _vector(rng, FEATURES), _references(method, rng)
    one, two = (_run(method, each, x, references, rng) for each in (network, other))
    gap = float((network(x[None]) - other(x[None])).abs())
    return Finding(
        relative_distance(two, one),
        f"outputs differ by {gap:.1g}, attributions are {_list(one)} and {_list(two)}",
    )


def completeness(method: AxiomMethod, rng: torch.Generator) -> Finding:
    """Attributions sum to F(x) − F(x')."""
    network, x = _network(method, rng), _vector(rng, FEATURES)
    references = _references(method, rng)
    rise = float(network(x[None]) - network(references).mean())
    given = _run(method, network, x, references, rng)
    total, size = float(given.sum()), max(float(given.abs().sum()), abs(rise))
    violation = abs(total - rise) / size if size else 0.0
    return Finding(violation, f"attributions sum to {total:.6g}, F(x) − F(x') is {rise:.6g}")


def linearity(method: AxiomMethod, rng: torch.Generator) -> Finding:
    """The attribution of a·F + b·G is a times that of F plus b times that of G."""
    f, g = _network(method, rng), _network(method, rng)
    a, b = _vector(rng, 2).tolist()
    x, references = _vector(rng, FEATURES), _references(method, rng)
    whole = _run(method, combination(a, f, b, g), x, references, rng)
    parts = a * _run(method, f, x, references, rng) + b * _run(method, g, x, references, rng)
    return Finding(
        relative_distance(whole, parts),
        f"of {a:.2g}·F + {b:.2g}·G: {_list(whole)}; of the parts: {_list(parts)}",
    )


def symmetry(method: AxiomMethod, rng: torch.Generator) -> Finding:
    """Features that F cannot tell apart, equal in x and alike in x', get the same."""
    layers = layers_of(_network(method, rng))
    layers[0][0][:, 1] = layers[0][0][:, 0]
    network = perceptron(layers, biases=not method.on_x_networks)
    x = _vector(rng, FEATURES)
    x[1] = x[0]
    references = _references(method, rng)
    if method.expected:  # the set of references is symmetric, a single one need not be
        swapped = references[:, [1, 0, *range(2, FEATURES)]]
        references = torch.cat([references, swapped])
    given = _run(method, network, x, references, rng)
    size = float(given.abs().sum())
    violation = float((given[0] - given[1]).abs()) / size if size else 0.0
    return Finding(violation, f"the two get {given[0]:.6g} and {given[1]:.6g}")


def homogeneity(method: AxiomMethod, rng: torch.Generator) -> Finding:
    """The attribution of αx is α times that of x, α ≥ 0, the baseline scaled alike."""
    network, x = _network(method, rng), _vector(rng, FEATURES)
    references = _references(method, rng)
    alpha = 0.1 + 4 * float(torch.rand(1, generator=rng))
    scaled = _run(method, network, alpha * x, alpha * references, rng)
    wanted = alpha * _run(method, network, x, references, rng)
    return Finding(
        relative_distance(scaled, wanted),
        f"at α = {alpha:.2g} it is {_list(scaled)}, α times that of x is {_list(wanted)}",
    )


AXIOMS: Final = {
    axiom.name: axiom
    for axiom in (
        Axiom("sensitivity_a", "Sensitivity (a)",
              "If x and the baseline differ in one feature and F differs, that feature's "
              "attribution is not 0.", sensitivity_a),
        Axiom("sensitivity_b", "Sensitivity (b)",
              "The attribution of a feature that F does not depend on is 0.", sensitivity_b),
        Axiom("implementation_invariance", "Implementation invariance",
              "Networks that compute the same function get the same attribution.",
              implementation_invariance),
        Axiom("completeness", "Completeness",
              "Attributions sum to F(x) − F(x').", completeness),
        Axiom("linearity", "Linearity",
              "The attribution of a·F + b·G is a times F's plus b times G's.", linearity),
        Axiom("symmetry_preserving", "Symmetry",
              "Features that F cannot tell apart, with equal values, get the same.", symmetry),
        Axiom("homogeneity", "Nonnegative homogeneity",
              "The attribution of αx is α times that of x, for α ≥ 0.", homogeneity),
    )
}  # fmt: skip
