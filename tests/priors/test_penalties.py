"""The Gini coefficient and the penalties."""

import math

import pytest
import torch
from hypothesis import given, strategies as st
from torch import Tensor

from xdnn_core.errors import UserError
from xdnn_core.priors.penalties import PENALTIES, find_penalty, gini, profile

nonnegative = st.lists(st.floats(0, 1e6), min_size=2, max_size=30).filter(
    lambda values: sum(values) > 1e-3
)


def pairwise_gini(a: Tensor) -> Tensor:
    """Half the relative mean absolute difference, over all pairs."""
    return 0.5 * (a[:, None] - a[None, :]).abs().mean() / a.mean()


@given(nonnegative)
def test_gini_equals_the_pairwise_definition(values: list[float]) -> None:
    a = torch.tensor(values, dtype=torch.float64)
    assert float(gini(a)) == pytest.approx(float(pairwise_gini(a)), abs=1e-12)


def test_gini_known_answers() -> None:
    assert float(gini(torch.ones(5))) == pytest.approx(0, abs=1e-7)
    assert float(gini(torch.tensor([0.0, 0.0, 0.0, 3.0]))) == pytest.approx(0.75)
    assert float(gini(torch.tensor([1.0, 3.0]))) == pytest.approx(0.25)


@given(nonnegative, st.floats(1e-2, 1e3))
def test_gini_does_not_change_with_scale_or_order(values: list[float], scale: float) -> None:
    a = torch.tensor(values, dtype=torch.float64)
    assert float(gini(a.flip(0) * scale)) == pytest.approx(float(gini(a)), abs=1e-12)


def test_rows_of_a_batch_are_independent() -> None:
    a = torch.rand(3, 4, 7, dtype=torch.float64)
    batched = gini(a)
    assert batched.shape == (3, 4)
    assert float(batched[2, 1]) == pytest.approx(float(pairwise_gini(a[2, 1])), abs=1e-14)


def test_slope_of_the_gini_penalty_is_that_of_the_pairwise_definition() -> None:
    a = torch.rand(9, dtype=torch.float64, requires_grad=True)
    (expected,) = torch.autograd.grad(-pairwise_gini(a), a)
    value = PENALTIES["gini"].at_profile(a.detach())
    torch.testing.assert_close(value.slope, expected, rtol=0, atol=1e-14)
    assert float(value.value) == pytest.approx(-float(pairwise_gini(a.detach())), abs=1e-14)


@given(nonnegative)
def test_the_gini_penalty_is_half_of_the_printed_one(values: list[float]) -> None:
    a = torch.tensor(values, dtype=torch.float64)
    printed = -(a[:, None] - a[None, :]).abs().sum() / (len(a) * a.sum())
    value = PENALTIES["gini"].at_profile(a)
    assert float(value.value) == pytest.approx(float(printed) / 2, abs=1e-12)


@pytest.mark.parametrize("name", list(PENALTIES))
def test_differentiable_form_agrees_with_the_closed_form(name: str) -> None:
    penalty = find_penalty(name)
    a = torch.rand(9, dtype=torch.float64, requires_grad=True)
    value = penalty.differentiable(a)
    (slope,) = torch.autograd.grad(value, a)
    closed = penalty.at_profile(a.detach())
    assert float(value.detach()) == pytest.approx(float(closed.value), abs=1e-14)
    torch.testing.assert_close(slope, closed.slope, rtol=0, atol=1e-14)


def test_l1_is_the_mean_absolute_attribution() -> None:
    attributions = torch.tensor([[1.0, -2.0], [3.0, 0.0]])
    assert profile(attributions).tolist() == [2.0, 1.0]
    assert float(PENALTIES["l1"](attributions)) == 1.5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_zero_profile_is_reported_and_pulls_nowhere(dtype: torch.dtype) -> None:
    a = torch.zeros(2, 4, dtype=dtype)
    a[1] = torch.tensor([0.0, 0.0, 1.0, 1.0])
    value = PENALTIES["gini"].at_profile(a)
    assert value.undefined.tolist() == [True, False]
    assert value.value.tolist() == [0.0, -0.5]
    assert value.slope[0].tolist() == [0.0] * 4
    assert math.isnan(gini(a)[0])
    assert float(gini(a)[1]) == 0.5


def test_a_zero_profile_does_not_break_autograd() -> None:
    weight = torch.zeros(3, requires_grad=True)
    PENALTIES["gini"](torch.ones(2, 3) * weight).backward()
    assert weight.grad is not None
    assert weight.grad.tolist() == [0.0, 0.0, 0.0]


def test_slopes_stay_small_enough_for_adam_to_square() -> None:
    for size in (1e-30, 1e-10, 1e-9, 1e-6, 1.0):
        slope = PENALTIES["gini"].at_profile(torch.tensor([size, 2 * size, 0.0])).slope
        assert (slope**2).isfinite().all()


def test_unknown_penalty() -> None:
    with pytest.raises(UserError, match="'tv' is not known; choose from gini, l1"):
        find_penalty("tv")
