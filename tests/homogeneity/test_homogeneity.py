"""What breaks F(αx) = αF(x), layer by layer."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from xdnn_core.homogeneity.inspection import (
    NotHomogeneousError,
    inspect_homogeneity,
    remove_biases,
    require_homogeneous_layers,
)
from xdnn_core.models.networks import AlexNet, NetworkConfig


class Functional(nn.Module):
    """A layer of no known kind, and so judged by its numbers."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *h: Tensor) -> Tensor:
        return self.function(*h)


class Around(nn.Module):
    """A layer between two linear ones, with an operation outside any layer after it."""

    def __init__(self, layer: nn.Module, after: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first = nn.Linear(6, 6, bias=False)
        self.layer = layer
        self.after = after

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.layer(self.first(x)))


def shift_free_batch_norm() -> nn.Module:
    layer = nn.BatchNorm2d(4)
    layer.running_var.copy_(torch.tensor([0.5, 1, 2, 3]))
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([1.0, -2, 3, 0.1]))
    return layer


def shifted_batch_norm() -> nn.Module:
    layer = shift_free_batch_norm()
    layer.running_mean.fill_(0.7)
    return layer


IMAGE, ROW = (2, 4, 6, 6), (2, 6)
# layer, shape of its input, homogeneous?, words of the reason
TABLE: dict[str, tuple[nn.Module, tuple[int, ...], bool, str]] = {
    "linear with bias": (nn.Linear(6, 3), ROW, False, "bias"),
    "linear without": (nn.Linear(6, 3, bias=False), ROW, True, "no bias"),
    "conv with bias": (nn.Conv2d(4, 3, 3), IMAGE, False, "bias"),
    "conv without": (nn.Conv2d(4, 3, 3, stride=2, bias=False), IMAGE, True, "no bias"),
    "conv1d with bias": (nn.Conv1d(4, 3, 2), (2, 4, 6), False, "bias"),
    "conv3d without": (nn.Conv3d(1, 2, 2, bias=False), (2, 1, 3, 3, 3), True, "no bias"),
    "transposed conv with bias": (nn.ConvTranspose2d(4, 3, 2), IMAGE, False, "bias"),
    "transposed conv without": (nn.ConvTranspose2d(4, 3, 2, bias=False), IMAGE, True, "no bias"),
    "relu": (nn.ReLU(), ROW, True, "scaling"),
    "leaky relu": (nn.LeakyReLU(0.3), ROW, True, "scaling"),
    "prelu": (nn.PReLU(), ROW, True, "scaling"),
    "relu6": (nn.ReLU6(), ROW, False, "activation"),
    "gelu": (nn.GELU(), ROW, False, "activation"),
    "elu": (nn.ELU(), ROW, False, "activation"),
    "silu": (nn.SiLU(), ROW, False, "activation"),
    "tanh": (nn.Tanh(), ROW, False, "activation"),
    "softplus": (nn.Softplus(), ROW, False, "activation"),
    "sigmoid": (nn.Sigmoid(), ROW, False, "activation"),
    "softmax": (nn.Softmax(dim=1), ROW, False, "activation"),
    "log-softmax": (nn.LogSoftmax(dim=1), ROW, False, "activation"),
    "max pool": (nn.MaxPool2d(2, padding=1), IMAGE, True, "scaling"),
    "average pool": (nn.AvgPool2d(3, 2, 1), IMAGE, True, "scaling"),
    "adaptive average pool": (nn.AdaptiveAvgPool2d(2), IMAGE, True, "scaling"),
    "adaptive max pool": (nn.AdaptiveMaxPool2d(2), IMAGE, True, "scaling"),
    "upsample": (nn.Upsample(scale_factor=2, mode="bicubic"), IMAGE, True, "scaling"),
    "batch norm": (shifted_batch_norm(), IMAGE, False, "shift"),
    "batch norm without shift": (shift_free_batch_norm(), IMAGE, True, "fixed factor"),
    "batch norm without statistics": (
        nn.BatchNorm2d(4, track_running_stats=False), IMAGE, False, "normalisation",
    ),
    "layer norm": (nn.LayerNorm(6), ROW, False, "normalisation"),
    "rms norm": (nn.RMSNorm(6), ROW, False, "normalisation"),
    "group norm": (nn.GroupNorm(2, 4), IMAGE, False, "normalisation"),
    "instance norm": (nn.InstanceNorm2d(4), IMAGE, False, "normalisation"),
    "local response norm": (nn.LocalResponseNorm(2), IMAGE, False, "normalisation"),
    "dropout": (nn.Dropout(0.5), ROW, True, "evaluation"),
    "identity": (nn.Identity(), ROW, True, "scaling"),
    "threshold": (nn.Threshold(0.1, 0.0), ROW, False, "threshold"),
    "threshold at 0": (nn.Threshold(0.0, 0.0), ROW, True, "scaling"),
    "threshold at 0 to another value": (nn.Threshold(0.0, 1.0), ROW, False, "threshold"),
    "unknown, scales": (Functional(torch.abs), ROW, True, "numbers"),
    "unknown, sorts": (Functional(lambda h: h.sort(dim=1).values), ROW, True, "numbers"),
    "unknown, shifts": (Functional(lambda h: h + 1e-4), ROW, False, "numbers"),
    "unknown, squares": (Functional(torch.square), ROW, False, "numbers"),
    "unknown, normalises": (
        Functional(lambda h: h / h.norm(dim=1, keepdim=True)), ROW, False, "numbers",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", TABLE)
def test_verdict_of_every_layer(kind: str) -> None:
    layer, shape, homogeneous, reason = TABLE[kind]
    report = inspect_homogeneity(nn.Sequential(layer).eval(), torch.randn(shape))
    (verdict,) = report.layers
    assert verdict.is_homogeneous is report.is_homogeneous is homogeneous
    assert reason in verdict.reason
    assert verdict.name == "0"
    assert verdict.kind == type(layer).__name__
    assert (verdict.max_relative_error <= 1e-6) is homogeneous
    assert (report.max_relative_error <= 1e-6) is homogeneous
    assert (report.first_break is None) is homogeneous


@pytest.mark.parametrize("kind", TABLE)
def test_reading_the_layers_alone_agrees(kind: str) -> None:
    layer, shape, homogeneous, reason = TABLE[kind]
    net = nn.Sequential(nn.Identity(), layer).eval()
    if homogeneous or reason == "numbers":
        require_homogeneous_layers(net, torch.randn(shape))
    else:
        with pytest.raises(NotHomogeneousError, match=rf"layer '1' \({type(layer).__name__}"):
            require_homogeneous_layers(net, torch.randn(shape))


def test_a_bias_that_is_zero_breaks_nothing() -> None:
    layer = nn.Linear(6, 3)
    nn.init.zeros_(layer.bias)
    assert inspect_homogeneity(layer.eval(), torch.randn(2, 6)).is_homogeneous


def test_a_network_that_is_one_layer_is_called_the_network() -> None:
    report = inspect_homogeneity(nn.Sigmoid().eval(), torch.randn(2, 6))
    assert [layer.name for layer in report.layers] == ["network"]
    with pytest.raises(NotHomogeneousError, match="layer 'network'"):
        require_homogeneous_layers(nn.Sigmoid(), torch.randn(2, 6))


def test_layers_come_in_order_and_the_first_break_is_named() -> None:
    net = nn.Sequential(
        nn.Linear(6, 5, bias=False), nn.Sequential(nn.GELU(), nn.Linear(5, 5)), nn.Sigmoid()
    )
    report = inspect_homogeneity(net.eval(), torch.randn(2, 6))
    assert [layer.name for layer in report.layers] == ["0", "1.0", "1.1", "2"]
    assert [layer.is_homogeneous for layer in report.layers] == [True, False, False, False]
    assert report.first_break is not None
    assert report.first_break.name == "1.0"
    assert 0.0 in report.alphas
    assert max(report.alphas) > 1


@pytest.mark.parametrize(
    "after", [torch.sigmoid, torch.exp, lambda h: h + 0.1], ids=["sigmoid", "exp", "shift"]
)
def test_an_operation_outside_the_layers_is_found(after: Callable) -> None:
    report = inspect_homogeneity(Around(nn.ReLU(), after).eval(), torch.randn(2, 6))
    assert not report.is_homogeneous
    assert report.first_break is not None
    assert report.first_break.name == "forward()"
    assert "outside any layer" in report.first_break.reason
    assert report.max_relative_error > 1e-3


def test_an_operation_outside_the_layers_that_scales_is_fine() -> None:
    net = Around(nn.ReLU(), lambda h: 2 * h.flip(1) - h.amax(dim=1, keepdim=True))
    assert inspect_homogeneity(net.eval(), torch.randn(2, 6)).is_homogeneous


class LooseBias(nn.Module):
    """A composite that adds a bias itself."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 6, bias=False)
        self.bias2 = nn.Parameter(torch.full((6,), value))

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) + self.bias2


def test_a_loose_bias_is_named() -> None:
    report = inspect_homogeneity(nn.Sequential(LooseBias(0.5)).eval(), torch.randn(2, 6))
    assert report.first_break is not None
    assert report.first_break.name == "0.bias2"
    assert "bias" in report.first_break.reason
    assert inspect_homogeneity(LooseBias(0.0).eval(), torch.randn(2, 6)).is_homogeneous


class Residual(nn.Module):
    """x + G(x), the sum made by a layer with two arguments."""

    def __init__(self, add: nn.Module) -> None:
        super().__init__()
        self.layer, self.add = nn.Linear(6, 6, bias=False), add

    def forward(self, x: Tensor) -> Tensor:
        return self.add(x, self.layer(x))


def test_a_layer_with_two_arguments_is_judged_by_its_numbers() -> None:
    x = torch.randn(2, 6)
    report = inspect_homogeneity(Residual(Functional(torch.add)).eval(), x)
    assert report.is_homogeneous
    report = inspect_homogeneity(Residual(Functional(torch.mul)).eval(), x)
    assert report.first_break is not None
    assert report.first_break.name == "add"


class Unused(nn.Module):
    """Holds a layer of unknown kind that it never calls."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.spare = nn.Linear(6, 6, bias=False), Functional(torch.square)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)


def test_a_layer_that_is_not_reached_is_reported_and_not_judged() -> None:
    report = inspect_homogeneity(Unused().eval(), torch.randn(2, 6))
    assert report.unreached == ("spare",)
    assert [layer.name for layer in report.layers] == ["layer"]
    assert report.is_homogeneous


def test_training_mode_is_refused() -> None:
    with pytest.raises(ValueError, match=r"training mode; call .eval\(\)"):
        inspect_homogeneity(nn.Sequential(nn.Linear(6, 3)).train(), torch.randn(2, 6))


@pytest.mark.parametrize(
    "layer", [nn.Dropout(0.5), nn.BatchNorm1d(6, affine=False), nn.RReLU()], ids=str
)
def test_a_part_left_in_training_mode_is_named(layer: nn.Module) -> None:
    net = nn.Sequential(nn.Linear(6, 6, bias=False), layer).eval()
    net[1].train()
    report = inspect_homogeneity(net, torch.randn(8, 6))
    assert report.first_break is not None
    assert report.first_break.name == "1"


@pytest.mark.parametrize(
    "function",
    [lambda h: h / (h - h), lambda h: torch.log(h - 10)],
    ids=["infinite", "not a number"],
)
def test_what_is_not_a_number_is_not_homogeneous(function: Callable) -> None:
    report = inspect_homogeneity(nn.Sequential(Functional(function)).eval(), torch.randn(2, 6))
    assert not report.is_homogeneous


def test_an_example_that_is_not_finite_is_refused() -> None:
    example = torch.tensor([[math.nan, 1, 1, 1, 1, 1]])
    with pytest.raises(ValueError, match="not finite"):
        inspect_homogeneity(nn.Linear(6, 3, bias=False).eval(), example)


def test_the_argument_is_untouched(
    conv_net: nn.Module, images: Tensor, untouched: Callable
) -> None:
    check = untouched(conv_net)
    inspect_homogeneity(conv_net, images)
    stripped = remove_biases(conv_net)
    with torch.no_grad():
        for parameter in stripped.parameters():
            parameter.zero_()
    check()


def test_alexnet_and_x_alexnet() -> None:
    x = torch.randn(1, 3, 70, 70)
    plain = AlexNet(NetworkConfig(classes=5, head=16)).eval()
    report = inspect_homogeneity(plain, x)
    assert report.first_break is not None
    assert report.first_break.name == "features.0"
    assert sum(not layer.is_homogeneous for layer in report.layers) == 8
    stripped = remove_biases(plain)
    report = inspect_homogeneity(stripped, x)
    assert report.is_homogeneous
    assert report.max_relative_error < 1e-12
    for name, parameter in stripped.named_parameters():
        assert torch.equal(parameter, plain.get_parameter(name))
    x_net = AlexNet(NetworkConfig(classes=5, head=16, biases=False)).eval()
    assert stripped.state_dict().keys() == x_net.state_dict().keys()
