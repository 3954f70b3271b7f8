"""Exact Integrated Gradients from few gradients: of one degree, of several, and refused."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, strategies as st
from torch import Tensor, nn

from xdnn_core.attribution.captum import captum_attribution
from xdnn_core.attribution.closed_form import MAX_DEGREE, closed_form_attribution
from xdnn_core.attribution.gradients import x_gradient
from xdnn_core.attribution.integrated import integrated_gradients
from xdnn_core.attribution.result import relative_l1
from xdnn_core.errors import UserError
from xdnn_core.homogeneity.inspection import NotHomogeneousError
from xdnn_core.models.zoo import load_model


class Product(nn.Module):
    """Π_k |W_k x|, then linear -> (B, 3): of degree `factors`; `constant` is added."""

    def __init__(self, factors: int, constant: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(6, 12, bias=False) for _ in range(factors))
        for layer in self.layers:
            nn.init.normal_(layer.weight, std=0.5)
        self.last = nn.Linear(12, 3, bias=False)
        self.constant = constant

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.stack([layer(x).abs() for layer in self.layers]).prod(dim=0)
        return self.last(hidden) + self.constant


class Sum(nn.Module):
    """The sum of several networks."""

    def __init__(self, *parts: nn.Module) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([part(x) for part in self.parts]).sum(dim=0)


class Normalised(nn.Module):
    """A network behind a normalised input, F(αx) = F(x)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x / x.norm(dim=1, keepdim=True))


INPUTS = torch.randn(4, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def product(*degrees: int, constant: float = 0.0) -> nn.Module:
    """A network of these degrees, float64."""
    parts = [Product(degree, constant) for degree in degrees]
    return (parts[0] if len(parts) == 1 else Sum(*parts)).double().eval()


@pytest.mark.parametrize("degree", range(1, 5))
def test_one_degree_takes_one_gradient(degree: int) -> None:
    network = product(degree)
    closed = closed_form_attribution(network, INPUTS, 1)
    assert closed.degrees == (degree,)
    assert closed.gradient_calls == 1
    assert closed.method == "closed_form"
    exact = captum_attribution("integrated_gradients", network, INPUTS, 1, steps=16)
    assert float(relative_l1(closed.values, exact.values).max()) < 1e-9
    assert float(closed.completeness_gap.max()) < 1e-9


def test_degree_one_is_x_gradient(x_net: nn.Module, images: Tensor) -> None:
    closed = closed_form_attribution(x_net, images, [0, 1, 2])
    assert closed.degrees == (1,)
    assert torch.equal(closed.values, x_gradient(x_net, images, [0, 1, 2]).values)


@given(st.sets(st.integers(1, MAX_DEGREE - 1), min_size=2, max_size=3), st.integers(0, 50))
def test_several_degrees_take_half_as_many(degrees: set[int], seed: int) -> None:
    """One evaluation less is off, so that no fewer would do."""
    torch.manual_seed(seed)
    network = product(*sorted(degrees))
    closed = closed_form_attribution(network, INPUTS, 0)
    assert closed.degrees == tuple(sorted(degrees))
    assert closed.gradient_calls == math.ceil(max(degrees) / 2)
    exact = integrated_gradients(network, INPUTS, 0, steps=16)
    assert float(relative_l1(closed.values, exact.values).max()) < 1e-8
    fewer = closed.gradient_calls - 1
    if fewer:
        near = integrated_gradients(network, INPUTS, 0, steps=fewer)
        assert float(relative_l1(near.values, exact.values).max()) > 1e-8


def test_a_constant_stays_out() -> None:
    network = product(1, constant=5.0)
    closed = closed_form_attribution(network, INPUTS, 2)
    assert closed.degrees == (1,)
    assert torch.equal(closed.baseline_outputs, torch.full((4,), 5.0, dtype=torch.float64))
    assert float(closed.completeness_gap.max()) < 1e-12
    with pytest.raises(NotHomogeneousError, match="differs from F"):
        x_gradient(network, INPUTS, 2)


def test_degree_zero_is_refused() -> None:
    with pytest.raises(NotHomogeneousError, match="degree 0, as behind a normalised input"):
        closed_form_attribution(Normalised(product(1)).eval(), INPUTS, 0)


@pytest.mark.parametrize("check", ["once", "full"])
def test_what_is_no_sum_of_degrees_is_refused(
    check: str, conv_net: nn.Module, images: Tensor
) -> None:
    with pytest.raises(NotHomogeneousError, match=r"no sum of degrees up to 8.*use remove_biases"):
        closed_form_attribution(conv_net, images, 0, check=check)


def test_a_mixed_sum_in_a_relu_is_refused() -> None:
    """ReLU(f₁ − f₂) bends where α f₁ = α² f₂."""
    torch.manual_seed(1)
    bent = nn.Sequential(product(1, 2), nn.ReLU(), nn.Linear(3, 1, bias=False).double()).eval()
    with pytest.raises(NotHomogeneousError):
        closed_form_attribution(bent, INPUTS)


def test_other_inputs_are_not_taken_for_the_first() -> None:
    """What was measured once is compared with F(x) − F(0) at every call."""

    class Switch(nn.Module):
        """x, or beyond 10 its square."""

        def forward(self, x: Tensor) -> Tensor:
            return torch.where(x > 10, x * x, x).sum(dim=1)

    network = Switch().eval()
    assert closed_form_attribution(network, torch.ones(1, 2)).degrees == (1,)
    with pytest.raises(NotHomogeneousError, match='use check="full"'):
        closed_form_attribution(network, torch.full((1, 2), 40.0))


def test_it_is_measured_again_when_values_change() -> None:
    network = nn.Linear(2, 1).eval()
    network.requires_grad_(False)
    network.bias.zero_()
    x = torch.ones(1, 2)
    first = closed_form_attribution(network, x)
    network.weight.mul_(2)
    assert torch.allclose(closed_form_attribution(network, x).values, 2 * first.values)


def test_a_network_that_ignores_its_input() -> None:
    class Constant(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 0 * x.sum(dim=1) + 3

    closed = closed_form_attribution(Constant().eval(), torch.ones(2, 5))
    assert not closed.values.any()


def test_on_the_embedded_pair() -> None:
    """float32, and the twin with one gradient where the regular network is refused."""
    x = torch.randn(1, 3, 224, 224)
    model = load_model("xalexnet-caltech101", "cpu")
    closed = closed_form_attribution(model.network, x, 5)
    assert closed.degrees == (1,)
    assert torch.equal(closed.values, x_gradient(model.network, x, 5).values)
    with pytest.raises(NotHomogeneousError):
        closed_form_attribution(load_model("alexnet-caltech101", "cpu").network, x, 5)


def test_an_unknown_check_is_refused(x_net: nn.Module, images: Tensor) -> None:
    with pytest.raises(UserError, match="check is 'never'; choose once or full"):
        closed_form_attribution(x_net, images, 0, check="never")


def test_the_network_is_left_alone(x_net: nn.Module, images: Tensor, untouched) -> None:
    verify = untouched(x_net)
    closed_form_attribution(x_net, images, 0)
    verify()
