"""The axioms of Sundararajan et al. 2017 and of Hesse et al. 2021, on random networks."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, strategies as st
from torch import Tensor, nn

from tests.attribution.random_networks import CLASSES, Case, cases
from xdnn_core.attribution.gradients import x_gradient
from xdnn_core.attribution.integrated import integrated_gradients

Method = Callable[[nn.Module, Tensor, int], Tensor]


def by_integration(network: nn.Module, x: Tensor, target: int) -> Tensor:
    """On an X-DNN the gradient is constant along the ray, so three points are exact."""
    return integrated_gradients(network, x, target, steps=3, rule="graded").values


def by_x_gradient(network: nn.Module, x: Tensor, target: int) -> Tensor:
    return x_gradient(network, x, target).values


both_methods = pytest.mark.parametrize("method", [by_integration, by_x_gradient])


def close(a: Tensor, b: Tensor) -> bool:
    size = max(float(a.abs().max()), float(b.abs().max()))
    return float((a - b).abs().max()) <= 1e-10 * size


class Mask(nn.Module):
    """Hides one channel of the input from what follows."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        keep = torch.ones(channels, 1, 1, dtype=torch.float64)
        keep[hidden] = 0
        self.register_buffer("keep", keep)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.keep


class Mixture(nn.Module):
    """a·F₁ + b·F₂."""

    def __init__(self, first: nn.Module, second: nn.Module, a: float, b: float) -> None:
        super().__init__()
        self.first, self.second, self.a, self.b = first, second, a, b

    def forward(self, x: Tensor) -> Tensor:
        return self.a * self.first(x) + self.b * self.second(x)


class Symmetric(nn.Module):
    """F(x) + F(x with the pixels (0, 0) and (1, 2) exchanged)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        swapped = x.clone()
        swapped[..., 0, 0], swapped[..., 1, 2] = x[..., 1, 2], x[..., 0, 0]
        return self.network(x) + self.network(swapped)


@both_methods
@given(case=cases(), value=st.floats(0.1, 5), negative=st.booleans())
def test_sensitivity_a(method: Method, case: Case, value: float, negative: bool) -> None:
    """Where x and x' differ in one feature and F differs, that feature gets all of it."""
    x = torch.zeros_like(case.inputs[:1])
    x[0, 0, 2, 2] = -value if negative else value
    output = float(case.network(x)[0, case.target].detach())
    found = method(case.network, x, case.target)
    assert float(found[0, 0, 2, 2].detach()) == pytest.approx(output, rel=1e-10, abs=1e-14)
    assert int(found.count_nonzero()) == int(found[0, 0, 2, 2] != 0)


@both_methods
@given(case=cases())
def test_sensitivity_b(method: Method, case: Case) -> None:
    """A feature F does not depend on gets zero."""
    hidden = case.inputs.shape[1] - 1
    network = nn.Sequential(Mask(case.inputs.shape[1], hidden), case.network).eval()
    found = method(network, case.inputs, case.target)
    assert not found[:, hidden].any()


@both_methods
@given(case=cases(), factor=st.floats(0.1, 10), seed=st.integers(0, 1000))
def test_implementation_invariance(method: Method, case: Case, factor: float, seed: int) -> None:
    """Hidden units permuted and rescaled: another network, the same function."""
    into, out = case.network[-3], case.network[-1]
    order = torch.randperm(len(into.weight), generator=torch.Generator().manual_seed(seed))
    new_into = nn.Linear(into.in_features, into.out_features, bias=False).double()
    new_out = nn.Linear(out.in_features, out.out_features, bias=False).double()
    with torch.no_grad():
        new_into.weight.copy_(into.weight[order] * factor)
        new_out.weight.copy_(out.weight[:, order] / factor)
    other = nn.Sequential(*list(case.network)[:-3], new_into, nn.ReLU(), new_out).eval()
    assert close(other(case.inputs), case.network(case.inputs))
    assert close(
        method(other, case.inputs, case.target), method(case.network, case.inputs, case.target)
    )


@both_methods
@given(case=cases())
def test_completeness(method: Method, case: Case) -> None:
    found = method(case.network, case.inputs, case.target).flatten(1)
    expected = case.network(case.inputs)[:, case.target]
    error = (found.sum(dim=1) - expected).abs()
    assert bool((error <= 1e-12 * found.abs().sum(dim=1)).all())


@both_methods
@given(case=cases(), a=st.floats(-3, 3), b=st.floats(-3, 3), seed=st.integers(0, 1000))
def test_linearity(method: Method, case: Case, a: float, b: float, seed: int) -> None:
    torch.manual_seed(seed)
    width = case.inputs[0].numel()
    second = nn.Sequential(
        nn.Flatten(),
        nn.Linear(width, 4, bias=False),
        nn.ReLU(),
        nn.Linear(4, CLASSES, bias=False),
    )
    second = second.double().eval()
    mixture = Mixture(case.network, second, a, b).eval()
    found = method(mixture, case.inputs, case.target)
    parts = [method(net, case.inputs, case.target) for net in (case.network, second)]
    size = abs(a) * float(parts[0].abs().max()) + abs(b) * float(parts[1].abs().max())
    assert float((found - a * parts[0] - b * parts[1]).abs().max()) <= 1e-12 * size


@both_methods
@given(case=cases())
def test_symmetry(method: Method, case: Case) -> None:
    """Features that F treats alike and that have the same value get the same."""
    x = case.inputs.clone()
    x[..., 1, 2] = x[..., 0, 0]
    found = method(Symmetric(case.network).eval(), x, case.target)
    assert close(found[..., 0, 0], found[..., 1, 2])


@given(case=cases(), alpha=st.floats(0, 100))
def test_network_and_x_gradient_scale_with_the_input(case: Case, alpha: float) -> None:
    outputs = case.network(case.inputs)
    assert close(case.network(alpha * case.inputs), alpha * outputs)
    at_one = by_x_gradient(case.network, case.inputs, case.target)
    assert close(by_x_gradient(case.network, alpha * case.inputs, case.target), alpha * at_one)


@given(
    case=cases(),
    rule=st.sampled_from(["gauss_legendre", "graded", "midpoint", "right"]),
    steps=st.integers(1, 20),
)
def test_x_gradient_is_integrated_gradients(case: Case, rule: str, steps: int) -> None:
    net, x, target = case.network, case.inputs, case.target
    integrated = integrated_gradients(net, x, target, rule=rule, steps=steps)
    assert close(by_x_gradient(net, x, target), integrated.values)


@given(case=cases(biases=True))
def test_completeness_of_integrated_gradients_with_biases(case: Case) -> None:
    """The gap closes with the steps: 1,000 cells of a piecewise constant gradient leave little."""
    coarse, fine = (
        integrated_gradients(
            case.network, case.inputs, case.target, steps=n, rule="midpoint", chunk=1000
        )
        for n in (20, 1000)
    )
    missing = fine.values.flatten(1).sum(dim=1) - (fine.outputs - fine.baseline_outputs)
    size = fine.values.abs().flatten(1).sum(dim=1)
    assert bool((missing.abs() <= 5e-3 * size + 1e-9).all())
    assert coarse.gradient_calls == 20
    assert fine.gradient_calls == 1000


@given(case=cases(biases=True), a=st.floats(-3, 3), b=st.floats(-3, 3))
def test_linearity_of_integrated_gradients_with_biases(case: Case, a: float, b: float) -> None:
    second = nn.Sequential(nn.Flatten(), nn.Linear(case.inputs[0].numel(), CLASSES)).double().eval()
    mixture = Mixture(case.network, second, a, b).eval()

    def ig(network: nn.Module) -> Tensor:
        return integrated_gradients(network, case.inputs, case.target, steps=7).values

    parts = ig(case.network), ig(second)
    size = abs(a) * float(parts[0].abs().max()) + abs(b) * float(parts[1].abs().max())
    assert float((ig(mixture) - a * parts[0] - b * parts[1]).abs().max()) <= 1e-12 * size


@given(case=cases(biases=True))
def test_sensitivity_b_and_symmetry_of_integrated_gradients_with_biases(case: Case) -> None:
    channels = case.inputs.shape[1]
    masked = nn.Sequential(Mask(channels, 0), case.network).eval()
    baseline = torch.full_like(case.inputs, 0.3)
    found = integrated_gradients(masked, case.inputs, case.target, steps=5, baseline=baseline)
    assert not found.values[:, 0].any()
    x = case.inputs.clone()
    x[..., 1, 2] = x[..., 0, 0]
    symmetric = Symmetric(case.network).eval()
    values = integrated_gradients(symmetric, x, case.target, steps=5, baseline=baseline).values
    assert close(values[..., 0, 0], values[..., 1, 2])
