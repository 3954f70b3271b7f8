"""The removal of biases: what is taken away, and that nothing else is."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, strategies as st
from torch import Tensor, nn

from xdnn_core.homogeneity.biases import remove_biases
from xdnn_core.homogeneity.inspection import inspect_homogeneity
from xdnn_core.homogeneity.layer_kinds import FoldedBatchNorm


def shifted_batch_norm() -> nn.Module:
    layer = nn.BatchNorm2d(4)
    layer.running_var.copy_(torch.tensor([0.5, 1, 2, 3]))
    layer.running_mean.fill_(0.7)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([1.0, -2, 3, 0.1]))
    return layer


WITH_BIAS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "linear": (nn.Linear(6, 3), (2, 6)),
    "conv1d": (nn.Conv1d(4, 3, 2, stride=2), (2, 4, 6)),
    "conv2d": (nn.Conv2d(4, 6, 3, padding=1, groups=2), (2, 4, 6, 6)),
    "conv3d": (nn.Conv3d(2, 3, 2), (2, 2, 3, 3, 3)),
    "transposed1d": (nn.ConvTranspose1d(4, 3, 2, stride=2), (2, 4, 6)),
    "transposed2d": (nn.ConvTranspose2d(4, 3, 3), (2, 4, 6, 6)),
    "transposed3d": (nn.ConvTranspose3d(2, 3, 2), (2, 2, 3, 3, 3)),
}


@pytest.mark.parametrize("kind", WITH_BIAS)
def test_remove_biases_subtracts_the_bias_and_nothing_else(kind: str) -> None:
    layer, shape = WITH_BIAS[kind]
    layer = layer.double()
    x = torch.randn(shape, dtype=torch.float64)
    stripped = remove_biases(layer)
    bias = layer.bias.view(1, -1, *[1] * (len(shape) - 2))  # (C,) -> (1, C, ...)
    torch.testing.assert_close(stripped(x), layer(x) - bias, rtol=0, atol=1e-14)
    assert stripped.bias is None
    assert "bias" not in stripped.state_dict()
    assert inspect_homogeneity(stripped, x).is_homogeneous
    assert layer.bias is not None


@given(
    dimensions=st.integers(1, 3), affine=st.booleans(), seed=st.integers(0, 1000),
    eps=st.sampled_from([1e-5, 1e-2]),
)  # fmt: skip
def test_batch_norm_becomes_its_factor(
    dimensions: int, affine: bool, seed: int, eps: float
) -> None:
    """Folded is γ·x/√(σ² + ε): what is left of y(x) when y(0) is subtracted."""
    torch.manual_seed(seed)
    kind = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)[dimensions - 1]
    layer = kind(3, eps=eps, affine=affine).double()
    for _ in range(3):
        layer(2 * torch.randn(5, 3, *[2] * dimensions).double() + 1)
    if affine:
        nn.init.normal_(layer.weight)
        nn.init.normal_(layer.bias)
    layer.eval()
    x = torch.randn(2, 3, *[2] * dimensions, dtype=torch.float64)
    net = nn.Sequential(layer, nn.ReLU()).eval()
    stripped = remove_biases(net)
    expected = torch.relu(layer(x) - layer(torch.zeros_like(x)))
    torch.testing.assert_close(stripped(x), expected, rtol=1e-12, atol=1e-13)
    gamma = layer.weight if affine else torch.ones(3).double()
    by_hand = gamma / (layer.running_var + eps).sqrt()
    torch.testing.assert_close(stripped[0].weight, by_hand, rtol=1e-13, atol=0)
    assert inspect_homogeneity(stripped, x).is_homogeneous


def nested() -> nn.Module:
    block = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5))
    net = nn.Sequential(block, nn.AvgPool2d(2), nn.Flatten(), nn.Linear(36, 2))
    net.train()(torch.randn(5, 3, 9, 9))
    return net


def test_a_nested_network_from_training_mode(untouched: Callable) -> None:
    net = nested()
    check = untouched(net)
    stripped = remove_biases(net)
    check()
    assert isinstance(stripped[0][1], FoldedBatchNorm)
    assert not any(module.training for module in stripped.modules())
    x = torch.randn(2, 3, 9, 9)
    assert inspect_homogeneity(stripped, x).is_homogeneous
    net.eval()
    conv, norm, head = net[0][0], net[0][1], net[3]
    factor = (norm.weight / (norm.running_var + norm.eps).sqrt()).view(1, -1, 1, 1)
    hidden = torch.relu(torch.conv2d(x, conv.weight) * factor)
    expected = nn.functional.avg_pool2d(hidden, 2).flatten(1) @ head.weight.T
    torch.testing.assert_close(stripped(x), expected, rtol=1e-4, atol=1e-5)


def test_frozen_parameters_stay_frozen() -> None:
    net = nested().eval().requires_grad_(False)
    assert not any(parameter.requires_grad for parameter in remove_biases(net).parameters())


def test_a_network_that_is_one_batch_norm() -> None:
    stripped = remove_biases(shifted_batch_norm())
    assert not stripped.training
    assert inspect_homogeneity(stripped, torch.randn(2, 4, 6, 6)).is_homogeneous


def test_a_batch_norm_used_under_two_names() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = shifted_batch_norm()
            self.second = self.first

        def forward(self, x: Tensor) -> Tensor:
            return self.second(self.first(x))

    stripped = remove_biases(Twice())
    assert inspect_homogeneity(stripped, torch.randn(2, 4, 6, 6)).is_homogeneous


def test_a_batch_norm_without_statistics_is_refused() -> None:
    net = nn.Sequential(nn.Identity(), nn.BatchNorm2d(4, track_running_stats=False))
    with pytest.raises(ValueError, match=r"^1 is a batch normalisation without running stat"):
        remove_biases(net)


class Attending(nn.Module):
    """Attention of every row to every other, (B, T, 4) -> (B, 4)."""

    def __init__(self, **options: object) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, **options)

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(x, x, x)[0].mean(dim=1)


@pytest.mark.parametrize("options", [{}, {"batch_first": True}, {"add_bias_kv": True}, {"kdim": 4}])
@pytest.mark.parametrize("gradients", [True, False])
def test_attention_without_biases_is_attention_made_without(
    options: dict[str, object], gradients: bool
) -> None:
    net = Attending(**options)
    nn.init.normal_(net.attention.in_proj_bias)
    nn.init.normal_(net.attention.out_proj.bias)
    stripped, x = remove_biases(net), torch.randn(2, 3, 4)
    made = Attending(**{k: v for k, v in options.items() if k != "add_bias_kv"}, bias=False)
    made.load_state_dict(stripped.state_dict())
    with torch.set_grad_enabled(gradients):  # without them torch takes another way
        assert torch.equal(stripped(x), made.eval()(x))
        assert not torch.equal(stripped(x), net.eval()(x))
    assert not any("bias" in name for name in stripped.state_dict())
    report = inspect_homogeneity(stripped, x)
    assert [layer.name for layer in report.layers] == ["attention"]
    assert "softmax" in report.layers[0].reason
    assert not report.is_homogeneous


def test_a_transformer_runs_without_biases() -> None:
    net = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
    stripped, x = remove_biases(net), torch.randn(2, 3, 4)
    with torch.no_grad():
        without = stripped(x)
    torch.testing.assert_close(stripped(x).detach(), without)
    report = inspect_homogeneity(stripped, x)
    assert {"self_attn", "norm1", "norm2"} <= {
        layer.name for layer in report.layers if not layer.is_homogeneous
    }


class Own(nn.Module):
    """A layer of no known kind with a bias of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(6)), nn.Parameter(torch.ones(6))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight + self.bias


@pytest.mark.parametrize(
    "layer", [Own(), nn.LayerNorm(6), nn.GroupNorm(2, 6), nn.Bilinear(6, 6, 2), nn.LSTM(6, 4)]
)
def test_biases_of_every_other_layer_become_zero(layer: nn.Module) -> None:
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.fill_(0.5)
    stripped = remove_biases(nn.Sequential(layer))
    for name, parameter in stripped.named_parameters():
        assert bool((parameter == (0.0 if "bias" in name else 0.5)).all()), name
    if isinstance(layer, Own):
        assert inspect_homogeneity(stripped, torch.randn(2, 6)).is_homogeneous


@pytest.mark.parametrize("affine", [True, False])
def test_a_batch_norm_made_without_bias(affine: bool) -> None:
    layer = nn.BatchNorm2d(4, affine=affine, bias=False)
    layer.running_var.copy_(torch.tensor([0.5, 1, 2, 3]))
    x = torch.randn(2, 4, 6, 6)
    assert inspect_homogeneity(layer.eval(), x).is_homogeneous
    layer.running_mean.fill_(0.7)
    report = inspect_homogeneity(layer, x)
    assert report.first_break is not None
    assert "shift" in report.first_break.reason
    stripped = remove_biases(layer)
    torch.testing.assert_close(stripped(x), layer(x) - layer(torch.zeros_like(x)))
    assert inspect_homogeneity(stripped, x).is_homogeneous
