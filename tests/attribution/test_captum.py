"""Every method and rule against Captum in float64; and what Captum itself gets wrong."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import GradientShap, InputXGradient, IntegratedGradients, Saliency
from torch import Tensor, nn

from xdnn_core.attribution.baseline import blurred_baseline
from xdnn_core.attribution.captum import (
    METHODS,
    captum_attribution,
    compare_with_captum,
)
from xdnn_core.attribution.expected import expected_gradients
from xdnn_core.attribution.gradients import gradient, input_x_gradient, x_gradient
from xdnn_core.attribution.integrated import integrated_gradients
from xdnn_core.attribution.quadrature import RULES
from xdnn_core.models.networks import AlexNet, NetworkConfig

_OURS: dict[str, Callable[..., Any]] = {
    "gradient": gradient,
    "input_x_gradient": input_x_gradient,
    "x_gradient": x_gradient,
    "integrated_gradients": integrated_gradients,
    "expected_gradients": expected_gradients,
}
TARGETS = {"int": 2, "tensor": torch.tensor([0, 3, 1]), "scalar tensor": torch.tensor(1)}


def largest_difference(a: Tensor, b: Tensor) -> float:
    assert float(b.abs().max()) > 0
    return float((a - b).abs().max() / b.abs().max())


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("method", METHODS)
def test_every_method_agrees(
    method: str, kind: str, conv_net: nn.Module, x_net: nn.Module, images: Tensor
) -> None:
    net = x_net if method == "x_gradient" else conv_net
    more = {"references": torch.randn(5, 3, 9, 9).double()} if "expected" in method else {}
    ours = _OURS[method](net, images, TARGETS[kind], **more)
    theirs = captum_attribution(method, net, images, TARGETS[kind], **more)
    assert largest_difference(ours.values, theirs.values) < 1e-12
    torch.testing.assert_close(ours.outputs, theirs.outputs, rtol=1e-12, atol=1e-14)
    assert ours.gradient_calls == theirs.gradient_calls
    assert ours.method == theirs.method


@pytest.mark.parametrize("method", METHODS)
def test_every_method_agrees_on_one_output(method: str) -> None:
    net = nn.Sequential(nn.Linear(6, 5, bias=False), nn.ReLU(), nn.Linear(5, 1, bias=False))
    net = net.double().eval()
    x = torch.randn(4, 6, dtype=torch.float64)
    more = {"references": torch.randn(5, 6).double()} if "expected" in method else {}
    ours = _OURS[method](net, x, None, **more).values
    assert largest_difference(ours, captum_attribution(method, net, x, **more).values) < 1e-12


@pytest.mark.parametrize("baseline", ["zero", "tensor", "blurred"])
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_agrees(rule: str, baseline: str, conv_net: nn.Module, images: Tensor) -> None:
    start = {
        "zero": None,
        "tensor": torch.randn_like(images),
        "blurred": blurred_baseline(images, sigma=2.0),
    }[baseline]
    options: dict[str, Any] = {"baseline": start, "rule": rule, "steps": 23}
    ours = integrated_gradients(conv_net, images, TARGETS["tensor"], **options)
    theirs = captum_attribution(
        "integrated_gradients", conv_net, images, TARGETS["tensor"], **options
    )
    assert largest_difference(ours.values, theirs.values) < 1e-12
    torch.testing.assert_close(ours.completeness_gap, theirs.completeness_gap, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("rule", "name", "tolerance"),
    [
        ("gauss_legendre", "gausslegendre", 1e-6),
        ("midpoint", "riemann_middle", 1e-5),
        ("left", "riemann_left", 1e-5),
        ("right", "riemann_right", 1e-5),
    ],
)
@pytest.mark.parametrize("rows", [None, 7])
def test_rules_are_those_of_captums_public_function(
    rule: str, name: str, tolerance: float, rows: int | None, x_net: nn.Module, images: Tensor
) -> None:
    """As near as Captum's float32 weights and points allow."""
    theirs = IntegratedGradients(x_net).attribute(
        images, target=1, n_steps=20, method=name, internal_batch_size=rows
    )
    ours = integrated_gradients(x_net, images, 1, rule=rule, steps=20).values
    assert largest_difference(ours, theirs) < tolerance


def test_captum_rounds_its_weights_to_float32(linear_net: nn.Module) -> None:
    """Why the float64 comparison hands Captum one point at a time with weight 1."""
    x = torch.tensor([[3.0, -1.0]], dtype=torch.float64)
    exact = torch.tensor([[6.0, 3.0]], dtype=torch.float64)
    # On a linear model the points do not matter, so what is off is the weights.
    public = IntegratedGradients(linear_net).attribute(x, n_steps=49, method="riemann_right")
    assert 1e-9 < largest_difference(public, exact) < 1e-6
    ours = captum_attribution("integrated_gradients", linear_net, x, rule="right", steps=49)
    assert largest_difference(ours.values, exact) < 1e-14


def test_captum_rounds_the_points_of_riemann_rules_to_float32() -> None:
    """A linear slope, F = x²: the sum over midpoints is exact, Captum's is off by 1e-8."""

    class Square(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x**2

    x = torch.tensor([[1.0]], dtype=torch.float64)
    steps = 64  # a power of two: the weights 1/64 are exact in float32
    public = IntegratedGradients(Square()).attribute(x, n_steps=steps, method="riemann_middle")
    right = IntegratedGradients(Square()).attribute(x, n_steps=49, method="riemann_right")
    exact_right = 1 + 1 / 49
    ours = integrated_gradients(Square(), x, rule="midpoint", steps=steps).values
    assert float(ours) == pytest.approx(1, abs=1e-15)
    assert float(public) == pytest.approx(1, abs=1e-6)
    assert 1e-10 < abs(float(right) - exact_right) < 1e-6


@pytest.mark.parametrize("steps", [2, 10, 50])
def test_captums_trapezoid_weights_sum_to_less_than_one(steps: int, linear_net: nn.Module) -> None:
    """They are 1/n with the ends halved; on a linear model (n−1)/n of the attribution is left."""
    x = torch.tensor([[3.0, -1.0]], dtype=torch.float64)
    faulty = IntegratedGradients(linear_net).attribute(x, n_steps=steps, method="riemann_trapezoid")
    share = float(faulty.sum()) / 9
    assert share == pytest.approx((steps - 1) / steps, abs=1e-6)
    for found in (
        integrated_gradients(linear_net, x, rule="trapezoid", steps=steps),
        captum_attribution("integrated_gradients", linear_net, x, rule="trapezoid", steps=steps),
    ):
        assert float(found.values.sum()) == pytest.approx(9, rel=1e-13)


def test_the_single_gradient_methods_are_captums(x_net: nn.Module, images: Tensor) -> None:
    saliency = Saliency(x_net).attribute(images, 1, abs=False)
    product = InputXGradient(x_net).attribute(images, 1).detach()
    assert largest_difference(gradient(x_net, images, 1).values, saliency) < 1e-14
    assert largest_difference(x_gradient(x_net, images, 1).values, product) < 1e-14


@pytest.mark.parametrize("samples", [1, 6, 45])
def test_expected_gradients_is_gradient_shap_draw_for_draw(
    samples: int, conv_net: nn.Module, images: Tensor
) -> None:
    data = torch.randn(5, 3, 9, 9, dtype=torch.float64)
    target = torch.tensor([0, 3, 1])
    ours = expected_gradients(conv_net, images, target, references=data, samples=samples, seed=11)
    np.random.seed(11)
    shap = GradientShap(conv_net).attribute(
        images, baselines=data, target=target, n_samples=samples, stdevs=0.0
    )
    # Captum keeps t in float32 or float64 as numpy drew it; the sum runs in another order.
    assert largest_difference(ours.values, shap.detach()) < 1e-9


def test_the_global_generator_is_put_back(conv_net: nn.Module, images: Tensor) -> None:
    np.random.seed(4)
    expected = np.random.random()
    np.random.seed(4)
    captum_attribution("expected_gradients", conv_net, images, 0, references=images, samples=2)
    assert np.random.random() == expected


@pytest.mark.parametrize("method", METHODS)
def test_compare_with_captum_from_float32(
    method: str, x_net: nn.Module, images: Tensor, untouched: Callable
) -> None:
    """What the badge of the app calls: float32 network, inputs, references and baseline."""
    net = x_net.float()
    check = untouched(net)
    more: dict[str, Any] = {}
    if method == "expected_gradients":
        more = {"references": torch.randn(4, 3, 9, 9), "samples": 5}
    if method == "integrated_gradients":
        more = {"baseline": torch.randn(3, 9, 9), "rule": "graded", "steps": 9}
    found = compare_with_captum(method, net, images.float(), 1, **more)
    assert found.largest_difference < 1e-12
    assert found.method == method
    assert found.seconds > 0
    check()


@pytest.mark.parametrize("biases", [True, False])
def test_alexnet_agrees(biases: bool) -> None:
    net = AlexNet(NetworkConfig(classes=5, head=16, biases=biases)).eval()
    found = compare_with_captum(
        "integrated_gradients", net, torch.randn(1, 3, 80, 80), 3, rule="graded", steps=5
    )
    assert found.largest_difference < 1e-9


def test_a_difference_is_found(
    x_net: nn.Module, images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The badge could say something else than agreement."""
    monkeypatch.setattr(
        "xdnn_core.attribution.captum.quadrature",
        lambda rule, steps: (torch.ones(1).double(), torch.full((1,), 1.25).double()),
    )
    found = compare_with_captum("integrated_gradients", x_net, images, 0, steps=4)
    assert found.largest_difference == pytest.approx(0.2)
    assert found.difference_without_ties == pytest.approx(0.2)
    assert not found.agrees
    assert not found.agrees_but_for_ties


class OtherOrder(nn.Module):
    """The identity, rounded anew at every call as sums in another order are."""

    def __init__(self) -> None:
        super().__init__()
        self.rng = torch.Generator().manual_seed(0)

    def forward(self, x: Tensor) -> Tensor:
        draw = torch.rand(x.shape, generator=self.rng, dtype=x.dtype)
        return x * (1 + 8 * torch.finfo(x.dtype).eps * draw)


def test_ties_are_told_from_differences() -> None:
    """In a white surface rounding decides which position a max-pool takes."""
    net = nn.Sequential(OtherOrder(), nn.MaxPool2d(4), nn.Flatten(), nn.Linear(12, 2))
    images = torch.randn(1, 3, 8, 8)
    images[..., :4] = 2.0
    found = compare_with_captum("integrated_gradients", net.eval(), images, 0, steps=4)
    assert found.largest_difference > 1e-6
    assert found.difference_without_ties is not None
    assert found.difference_without_ties < 1e-12
    assert found.agrees


@pytest.mark.parametrize("rule", [*RULES])
def test_float32_is_near(rule: str, x_net: nn.Module, images: Tensor) -> None:
    ours = integrated_gradients(x_net.float(), images.float(), 0, rule=rule, steps=8)
    theirs = captum_attribution(
        "integrated_gradients", x_net, images.float(), 0, rule=rule, steps=8, internal_batch_size=5
    )
    assert theirs.values.dtype == torch.float32
    assert largest_difference(ours.values, theirs.values) < 1e-5


def test_network_is_left_alone(conv_net: nn.Module, images: Tensor, untouched: Callable) -> None:
    check = untouched(conv_net)
    for method in METHODS:
        found = captum_attribution(method, conv_net, images, 0, references=images, steps=3)
        assert not found.values.requires_grad
    check()


class Cancelled(Exception):
    """Raised by a test's progress."""


def test_progress_may_cancel(conv_net: nn.Module, images: Tensor) -> None:
    seen: list[tuple[int, int]] = []

    def stop(done: int, total: int) -> None:
        seen.append((done, total))
        if done == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        compare_with_captum("integrated_gradients", conv_net, images, 0, steps=6, progress=stop)
    assert seen == [(1, 6), (2, 6), (3, 6)]


def test_bad_input(conv_net: nn.Module, images: Tensor) -> None:
    with pytest.raises(ValueError, match="'lime' is not known; choose one of gradient"):
        captum_attribution("lime", conv_net, images, 0)
    with pytest.raises(ValueError, match="needs references"):
        captum_attribution("expected_gradients", conv_net, images, 0)
    with pytest.raises(ValueError, match="classes run from 0 to 3"):
        captum_attribution("gradient", conv_net, images, 9)
    with pytest.raises(ValueError, match="does not broadcast"):
        captum_attribution("integrated_gradients", conv_net, images, 0, baseline=torch.zeros(5))
    with pytest.raises(ValueError, match="not finite"):
        captum_attribution("gradient", conv_net, images / 0, 0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rule", ["gauss_legendre", "midpoint", "trapezoid"])
def test_too_few_steps_are_refused_in_any_dtype(
    dtype: torch.dtype, rule: str, conv_net: nn.Module, images: Tensor
) -> None:
    with pytest.raises(ValueError, match="too few"):
        captum_attribution(
            "integrated_gradients", conv_net.to(dtype), images.to(dtype), 0, rule=rule, steps=0
        )
    found = captum_attribution(
        "integrated_gradients", conv_net, images.to(dtype), 0, rule=rule, steps=2
    )
    assert found.gradient_calls == 2


def test_one_midpoint_in_float32(x_net: nn.Module, images: Tensor) -> None:
    """A rule that is allowed with one point, also where Captum's own builder wants two."""
    x = images.float()
    ours = integrated_gradients(x_net.float(), x, 0, rule="midpoint", steps=1)
    theirs = captum_attribution("integrated_gradients", x_net, x, 0, rule="midpoint", steps=1)
    assert largest_difference(ours.values, theirs.values) < 1e-5
