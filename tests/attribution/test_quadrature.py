"""Points and weights for ∫₀¹ g(t) dt."""

import numpy as np
import pytest
import torch
from captum.attr._utils.approximation_methods import approximation_parameters
from hypothesis import given, strategies as st

from xdnn_core.attribution.quadrature import (
    RULES,
    cell_weights,
    combine,
    doubled_steps,
    quadrature,
)


@pytest.mark.parametrize(
    ("rule", "points", "weights"),
    [
        ("left", [0, 1 / 4, 1 / 2, 3 / 4], [1 / 4] * 4),
        ("right", [1 / 4, 1 / 2, 3 / 4, 1], [1 / 4] * 4),
        ("midpoint", [1 / 8, 3 / 8, 5 / 8, 7 / 8], [1 / 4] * 4),
        ("trapezoid", [0, 1 / 3, 2 / 3, 1], [1 / 6, 1 / 3, 1 / 3, 1 / 6]),
        (
            "graded",  # cells reach half-way: 0, (0.125 + 0.354)/2, …, 1
            [1 / 8, 0.5**1.5, 0.75**1.5, 1],
            [(1 / 8 + 0.5**1.5) / 2, (0.75**1.5 - 1 / 8) / 2, (1 - 0.5**1.5) / 2,
             (1 - 0.75**1.5) / 2],
        ),
    ],
)  # fmt: skip
def test_points_and_weights_by_hand(rule: str, points: list[float], weights: list[float]) -> None:
    found_points, found_weights = quadrature(rule, 4)
    assert found_points.tolist() == pytest.approx(points, abs=1e-15)
    assert found_weights.tolist() == pytest.approx(weights, abs=1e-15)


def test_gauss_legendre_with_two_points_by_hand() -> None:
    points, weights = quadrature("gauss_legendre", 2)
    assert points.tolist() == pytest.approx([0.5 - 3**-0.5 / 2, 0.5 + 3**-0.5 / 2], abs=1e-15)
    assert weights.tolist() == pytest.approx([0.5, 0.5], abs=1e-15)


@pytest.mark.parametrize("steps", [1, 2, 7, 50, 128])
def test_gauss_legendre_is_captums(steps: int) -> None:
    step_sizes, alphas = approximation_parameters("gausslegendre")
    points, weights = quadrature("gauss_legendre", steps)
    np.testing.assert_allclose(points, alphas(steps), rtol=0, atol=1e-15)
    np.testing.assert_allclose(weights, step_sizes(steps), rtol=0, atol=1e-15)


@given(rule=st.sampled_from(RULES), steps=st.integers(2, 200))
def test_every_rule_is_an_average_over_the_unit_interval(rule: str, steps: int) -> None:
    points, weights = quadrature(rule, steps)
    assert points.dtype == weights.dtype == torch.float64
    assert points.shape == weights.shape == (steps,)
    assert float(weights.sum()) == pytest.approx(1, abs=1e-13)
    assert bool((weights > 0).all())
    assert bool((points.diff() > 0).all())
    assert float(points[0]) >= 0
    assert float(points[-1]) <= 1


@given(rule=st.sampled_from(["midpoint", "trapezoid", "gauss_legendre"]))
def test_second_order_rules_are_exact_for_straight_lines(rule: str) -> None:
    points, weights = quadrature(rule, 9)
    assert float(weights @ (3 * points - 1)) == pytest.approx(0.5, abs=1e-14)


@given(steps=st.integers(1, 12))
def test_gauss_legendre_is_exact_up_to_degree_2n_minus_1(steps: int) -> None:
    points, weights = quadrature("gauss_legendre", steps)
    degree = 2 * steps - 1
    assert float(weights @ points**degree) == pytest.approx(1 / (degree + 1), abs=1e-14)


@pytest.mark.parametrize("rule", RULES)
def test_too_few_steps_are_refused(rule: str) -> None:
    least = 2 if rule == "trapezoid" else 1
    with pytest.raises(ValueError, match=f"give {least} or more"):
        quadrature(rule, least - 1)
    assert len(quadrature(rule, least)[0]) == least


def test_an_unknown_rule_is_refused_with_the_list() -> None:
    with pytest.raises(ValueError, match=r"'simpson' is not known; choose one of gauss_legendre"):
        quadrature("simpson", 8)


@pytest.mark.parametrize("rule", ["graded", "left", "right", "trapezoid"])
@given(cells=st.integers(1, 300))
def test_doubling_keeps_every_point(rule: str, cells: int) -> None:
    few, many = (quadrature(rule, doubled_steps(rule, n)) for n in (cells, 2 * cells))
    points, _ = combine([few, many])
    assert len(points) == doubled_steps(rule, 2 * cells)


@given(
    rules=st.lists(st.tuples(st.sampled_from(RULES), st.integers(2, 40)), min_size=1, max_size=5)
)
def test_combined_rules_integrate_as_they_do_alone(rules: list[tuple[str, int]]) -> None:
    alone = [quadrature(rule, steps) for rule, steps in rules]
    points, weights = combine(alone)
    assert bool((points.diff() > 1e-13).all())
    assert weights.shape == (len(rules), len(points))
    for row, (own_points, own_weights) in zip(weights, alone, strict=True):
        assert int((row != 0).sum()) == len(own_points)
        for power in (0, 1, 3):
            expected = float(own_weights @ own_points**power)
            assert float(row @ points**power) == pytest.approx(expected, abs=1e-11)


def test_combining_by_hand() -> None:
    points, weights = combine([quadrature("left", 2), quadrature("midpoint", 1)])
    assert points.tolist() == [0, 0.5]
    assert weights.tolist() == [[0.5, 0.5], [0, 1]]


def test_cells_reach_half_way() -> None:
    found = cell_weights(torch.tensor([0.25, 0.5, 1]))
    assert found.tolist() == pytest.approx([0.375, 0.375, 0.25])
