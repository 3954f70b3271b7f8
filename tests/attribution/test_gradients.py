"""Gradient, Input×Gradient, X-Gradient: answers worked out by hand, and refusals."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from xdnn_core.attribution.gradients import gradient, input_x_gradient, x_gradient
from xdnn_core.attribution.integrated import integrated_gradients
from xdnn_core.homogeneity.inspection import NotHomogeneousError
from xdnn_core.models.networks import AlexNet, NetworkConfig


def row(*values: float) -> Tensor:
    return torch.tensor([values], dtype=torch.float64)


def two_layer_net(biases: bool) -> nn.Sequential:
    """h = ReLU(W x + b), F = v·h + c, (B, 2) -> (B, 1).

    W = [[1, -2], [3, 1]], b = (1, -1), v = (2, -1), c = 0.5.
    """
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1)).double().eval()
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[1.0, -2.0], [3.0, 1.0]]))
        net[0].bias.copy_(torch.tensor([1.0, -1.0]) * biases)
        net[2].weight.copy_(torch.tensor([[2.0, -1.0]]))
        net[2].bias.copy_(torch.tensor([0.5]) * biases)
    return net


def test_linear_model(linear_net: nn.Module) -> None:
    x = row(3, -1)
    assert gradient(linear_net, x).values.tolist() == [[2, -3]]
    found = input_x_gradient(linear_net, x)
    assert found.values.tolist() == [[6, 3]]
    assert found.outputs.tolist() == [14]
    assert found.baseline_outputs.tolist() == [5]
    assert found.completeness_gap.tolist() == [0]
    assert found.gradient_calls == 1
    assert found.method == "input_x_gradient"
    assert found.estimated_error is None
    assert found.seconds > 0


def test_one_minus_relu_has_no_gradient_at_two(one_minus_relu: nn.Module) -> None:
    """Sundararajan et al. 2017, Section 2.1: gradients break Sensitivity (a)."""
    found = input_x_gradient(one_minus_relu, row(2))
    assert found.values.tolist() == [[0]]
    assert (found.outputs.tolist(), found.baseline_outputs.tolist()) == ([1], [0])
    assert found.completeness_gap.tolist() == [1]


def test_two_layer_net_by_hand() -> None:
    """x = (2, 0.5): W x + b = (2, 5.5), F = 4 − 5.5 + 0.5, ∇F = 2·(1, −2) − (3, 1)."""
    x = row(2, 0.5)
    net = two_layer_net(biases=True)
    assert gradient(net, x).values.tolist() == [[-1, -5]]
    found = input_x_gradient(net, x)
    assert found.values.tolist() == [[-2, -2.5]]
    assert found.outputs.tolist() == [-1]
    # F(0) = 2·1 − 0 + 0.5
    assert found.baseline_outputs.tolist() == [2.5]
    assert found.completeness_gap.tolist() == pytest.approx([1 / 3.5])


def test_x_gradient_of_a_two_layer_net_by_hand() -> None:
    """Without biases W x = (1, 6.5), F = 2 − 6.5 = −4.5, and Σ x·∇F is F."""
    net = two_layer_net(biases=False)
    found = x_gradient(net, row(2, 0.5))
    assert found.values.tolist() == [[-2, -2.5]]
    assert found.outputs.tolist() == [-4.5]
    assert found.baseline_outputs.tolist() == [0]
    assert found.completeness_gap.tolist() == [0]
    # One unit off: W x = (−1, ...) for x = (−1, 0), so only the second could pass, and it is off.
    assert x_gradient(net, row(-1, 0)).values.tolist() == [[0, 0]]


@pytest.mark.parametrize("method", [gradient, input_x_gradient, x_gradient])
def test_rows_of_a_batch_do_not_mix(method: Callable, x_net: nn.Module, images: Tensor) -> None:
    target = torch.tensor([0, 3, 1])
    together = method(x_net, images, target)
    for i in range(3):
        alone = method(x_net, images[i : i + 1], int(target[i]))
        torch.testing.assert_close(together.values[i : i + 1], alone.values, rtol=1e-12, atol=0)
        assert float(together.outputs[i]) == pytest.approx(float(alone.outputs[0]), rel=1e-12)


@pytest.mark.parametrize("method", [gradient, input_x_gradient, x_gradient])
def test_network_and_inputs_are_left_alone(
    method: Callable, x_net: nn.Module, images: Tensor, untouched: Callable
) -> None:
    check, before = untouched(x_net), images.clone()
    result = method(x_net, images, 1)
    check()
    assert torch.equal(images, before)
    assert not images.requires_grad
    assert images.grad is None
    assert not result.values.requires_grad
    assert not result.outputs.requires_grad
    with torch.no_grad():
        torch.testing.assert_close(method(x_net, images, 1).values, result.values)


@pytest.mark.parametrize("dtype", [torch.int32, torch.uint8, torch.int64])
def test_any_integer_dtype_is_a_target(
    dtype: torch.dtype, x_net: nn.Module, images: Tensor
) -> None:
    expected = gradient(x_net, images, torch.tensor([2, 0, 1])).values
    found = gradient(x_net, images, torch.tensor([2, 0, 1], dtype=dtype)).values
    assert torch.equal(found, expected)


class FunctionalSigmoid(nn.Module):
    """Bends the output where no layer shows it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.network(x))


class AddsOne(FunctionalSigmoid):
    def forward(self, x: Tensor) -> Tensor:
        return self.network(x) + 1


@pytest.mark.parametrize(
    ("layer", "where", "why"),
    [
        (nn.Linear(4, 4), "'2'", "bias"),
        (nn.Sigmoid(), "'2'", "activation"),
        (nn.Softmax(dim=1), "'2'", "activation"),
        (nn.GELU(), "'2'", "activation"),
        (nn.LayerNorm(4), "'2'", "normalisation"),
        (nn.Sequential(nn.ReLU(), nn.Tanh()), "'2.1'", "activation"),
    ],
    ids=lambda part: type(part).__name__ if isinstance(part, nn.Module) else "",
)
def test_x_gradient_names_the_first_layer_that_breaks(
    layer: nn.Module, where: str, why: str
) -> None:
    net = nn.Sequential(nn.Linear(3, 4, bias=False), nn.ReLU(), layer, nn.Sigmoid()).eval()
    with pytest.raises(NotHomogeneousError, match=rf"layer {where} .*{why}"):
        x_gradient(net, torch.randn(2, 3), 0)


@pytest.mark.parametrize("wrapper", [FunctionalSigmoid, AddsOne])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_x_gradient_finds_what_no_layer_shows(
    wrapper: Callable[[nn.Module], nn.Module], dtype: torch.dtype, x_net: nn.Module, images: Tensor
) -> None:
    net = wrapper(x_net).to(dtype).eval()
    with pytest.raises(NotHomogeneousError, match="outside the layers"):
        x_gradient(net, images.to(dtype), 0)


def test_x_gradient_refuses_dropout_that_is_drawing(images: Tensor) -> None:
    net = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(243, 2, bias=False)).double()
    with pytest.raises(ValueError, match=r"'1'|training"):
        x_gradient(net.train(), images, 0)


def test_x_gradient_accepts_zero_inputs_and_dead_networks(x_net: nn.Module) -> None:
    found = x_gradient(x_net, torch.zeros(1, 3, 9, 9, dtype=torch.float64), 0)
    assert not found.values.any()
    assert found.completeness_gap.tolist() == [0]


@pytest.mark.parametrize("method", [gradient, input_x_gradient, x_gradient, integrated_gradients])
class TestBadInput:
    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    def test_not_finite(
        self, method: Callable, value: float, x_net: nn.Module, images: Tensor
    ) -> None:
        images[1, 0, 3, 3] = value
        with pytest.raises(ValueError, match="inputs holds 1 values that are not finite"):
            method(x_net, images, 0)

    @pytest.mark.parametrize("target", [4, -1, torch.tensor([0, 4, 1]), torch.tensor([-1, 0, 0])])
    def test_target_out_of_range(
        self, method: Callable, target: int | Tensor, x_net: nn.Module, images: Tensor
    ) -> None:
        with pytest.raises(ValueError, match=r"out of range; classes run from 0 to 3"):
            method(x_net, images, target)

    @pytest.mark.parametrize(
        ("target", "message"),
        [
            (None, "give a class from 0 to 3"),
            (torch.tensor([0, 1]), r"shape \(2,\) for 3 inputs"),
            (torch.zeros(3, 1, dtype=torch.long), r"shape \(3, 1\)"),
            (torch.tensor([0.0, 1.0, 2.0]), "integers"),
            (1.0, "integers"),
            (True, "integers"),
        ],
    )
    def test_target_of_the_wrong_kind(
        self, method: Callable, target: Tensor, message: str, x_net: nn.Module, images: Tensor
    ) -> None:
        with pytest.raises(ValueError, match=message):
            method(x_net, images, target)

    @pytest.mark.parametrize(
        ("inputs", "message"),
        [
            (torch.zeros(3, 9, 9, dtype=torch.long)[None], "floating-point"),
            (torch.zeros(5, dtype=torch.float64), r"batch \(B, ...\)"),
            (torch.zeros(0, 3, 9, 9, dtype=torch.float64), "at least"),
        ],
    )
    def test_inputs_of_the_wrong_kind(
        self, method: Callable, inputs: Tensor, message: str, x_net: nn.Module
    ) -> None:
        with pytest.raises(ValueError, match=message):
            method(x_net, inputs, 0)


def test_outputs_that_are_no_logits_are_refused() -> None:
    with pytest.raises(ValueError, match=r"output has shape \(1, 2, 3, 3\)"):
        gradient(nn.Conv2d(1, 2, 1), torch.randn(1, 1, 3, 3), 0)


@pytest.mark.parametrize("flat", [False, True])
def test_one_output_needs_no_target(flat: bool) -> None:
    net = nn.Sequential(nn.Linear(3, 1), *([nn.Flatten(0)] if flat else [])).double().eval()
    x = torch.randn(2, 3, dtype=torch.float64)
    expected = gradient(net, x).values
    assert torch.equal(expected, gradient(net, x, 0).values)
    with pytest.raises(ValueError, match="classes run from 0 to 0"):
        gradient(net, x, 1)


def test_x_alexnet_scales_with_its_input() -> None:
    net = AlexNet(NetworkConfig(classes=5, head=16, biases=False)).double().eval()
    x = torch.randn(1, 3, 80, 80, dtype=torch.float64)
    found = x_gradient(net, x, 2)
    assert float(found.completeness_gap) < 1e-12
    for alpha in (0.25, 3.0):
        scaled = x_gradient(net, alpha * x, 2)
        torch.testing.assert_close(scaled.outputs, alpha * found.outputs, rtol=1e-12, atol=0)
        size = float(found.values.abs().max())
        torch.testing.assert_close(
            scaled.values, alpha * found.values, rtol=0, atol=1e-12 * alpha * size
        )
