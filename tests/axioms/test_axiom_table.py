"""Table 1: the experiments, their networks and the exact integral behind them."""

from __future__ import annotations

import pytest
import torch

from xdnn_core.attribution.integrated import integrated_gradients
from xdnn_core.axioms.axioms import AXIOMS
from xdnn_core.axioms.functions import (
    FEATURES,
    combination,
    draws,
    exact_integrated_gradients,
    random_perceptron,
    step_network,
)
from xdnn_core.axioms.perceptrons import AXIOM_METHODS, TOLERANCE, try_axioms, try_cell
from xdnn_core.axioms.rebuild import rebuilt_perceptron
from xdnn_core.errors import UserError
from xdnn_core.homogeneity.inspection import inspect_homogeneity

# What theory says (Sundararajan et al. 2017; Hesse et al. 2021, Table 1 and appendix A), in the
# order of AXIOMS: sensitivity a and b, invariance, completeness, linearity, symmetry, homogeneity.
THEORY = {
    "integrated_gradients": "1111110",
    "expected_gradients_converged": "1111110",
    "expected_gradients_1": "0100000",
    "gradient": "0110110",
    "input_x_gradient": "0110110",
    "x_gradient": "1111111",
}


# On networks without biases I×G, IG and X-Gradient are one function; one sample of Expected
# Gradients still depends on its draw; the gradient alone is not complete and does not scale.
THEORY_WITHOUT_BIASES = THEORY | {
    "integrated_gradients": "1111111",
    "expected_gradients_converged": "1111111",
    "gradient": "1110110",
    "input_x_gradient": "1111111",
}


@pytest.mark.parametrize("method", AXIOM_METHODS)
@pytest.mark.parametrize("without_biases", [False, True])
def test_every_cell_comes_out_as_theory_says(method: str, without_biases: bool) -> None:
    cells = try_axioms(methods=[method], trials=40, without_biases=without_biases)
    theory = THEORY_WITHOUT_BIASES if without_biases else THEORY
    assert "".join(str(int(cell.holds)) for cell in cells) == theory[method]
    for cell in cells:
        assert cell.holds == (cell.violated == 0) == (cell.worst <= TOLERANCE)
        assert cell.holds or cell.worst > 1e-3, "no cell is decided by rounding"
        assert any(character.isdigit() for character in cell.witness)


def test_the_textbook_counterexample() -> None:
    network, x = step_network(), torch.tensor([2.0, 0, 0, 0], dtype=torch.float64)
    assert network(x[None]).item() == 1.0
    zero = torch.zeros(FEATURES, dtype=torch.float64)
    assert exact_integrated_gradients(network, x, zero).tolist() == [1.0, 0.0, 0.0, 0.0]
    cell = try_cell("input_x_gradient", "sensitivity_a", trials=20)
    assert (
        "1 − ReLU(1 − x) at x = 2: F changes by 1, the feature's attribution is 0" in cell.witness
    )


def test_input_x_gradient_and_x_gradient_are_one_function_without_biases() -> None:
    rows = [
        [(cell.violated, cell.worst, cell.witness)
         for cell in try_axioms([method], trials=10, without_biases=True)]
        for method in ("input_x_gradient", "x_gradient")
    ]  # fmt: skip
    assert rows[0] == rows[1]


def test_no_axiom_asks_for_more_than_it_does() -> None:
    # Sensitivity (a) asks for an attribution other than 0, which may be negative.
    assert "not 0" in AXIOMS["sensitivity_a"].statement
    assert not any("more than" in axiom.statement for axiom in AXIOMS.values())


def test_the_exact_integral_is_the_limit_of_quadrature_and_complete() -> None:
    for rng in draws(5, 10):
        network = random_perceptron(rng, biases=True)
        x, start = torch.randn(2, FEATURES, generator=rng, dtype=torch.float64)
        exact = exact_integrated_gradients(network, x, start)
        by_rule = integrated_gradients(
            network, x[None], baseline=start[None], steps=20_000, rule="midpoint"
        )
        size = float(exact.abs().sum())
        assert torch.allclose(exact, by_rule.values[0], atol=1e-3 * size)
        rise = float(network(x[None]) - network(start[None]))
        assert abs(float(exact.sum()) - rise) < 1e-12 * max(size, abs(rise))


@pytest.mark.parametrize("biases", [True, False])
def test_rebuilt_networks_compute_the_same_and_are_built_differently(biases: bool) -> None:
    for rng in draws(1, 5):
        network = random_perceptron(rng, biases)
        other = rebuilt_perceptron(network, rng)
        rows = torch.randn(50, FEATURES, generator=rng, dtype=torch.float64)
        assert torch.allclose(network(rows), other(rows), rtol=1e-12, atol=1e-12)
        assert other[0].weight.shape[0] > network[0].weight.shape[0]
        assert inspect_homogeneity(other, rows).is_homogeneous == (not biases)


def test_a_combination_is_the_sum_of_its_parts() -> None:
    for rng in draws(2, 5):
        f, g = (random_perceptron(rng, biases=True) for _ in range(2))
        rows = torch.randn(50, FEATURES, generator=rng, dtype=torch.float64)
        whole = combination(2.0, f, -0.5, g)(rows)
        assert torch.allclose(whole, 2.0 * f(rows) - 0.5 * g(rows), rtol=1e-12, atol=1e-12)


def test_the_same_seed_gives_the_same_table_and_wrong_names_one_sentence() -> None:
    seen: list[tuple[int, int]] = []
    cells = try_axioms(["gradient"], ["completeness"], 5, 3, lambda *done: seen.append(done))
    assert cells == try_axioms(["gradient"], ["completeness"], 5, 3)
    assert cells != try_axioms(["gradient"], ["completeness"], 5, 4)
    assert seen == [(n, 5) for n in range(1, 6)]
    for method, axiom, trials in (("ig", "linearity", 1), ("gradient", "beauty", 1),
                                  ("gradient", "linearity", 0)):  # fmt: skip
        with pytest.raises(UserError):
            try_cell(method, axiom, trials)
    assert len({axiom.statement for axiom in AXIOMS.values()}) == len(AXIOMS)
