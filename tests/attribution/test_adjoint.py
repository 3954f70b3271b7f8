"""The attribution written out in forward operations equals autograd's; and as one ONNX graph."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tools.bench.onnx import x_twin
from xdnn_core.attribution.adjoint import WithAttribution
from xdnn_core.attribution.gradients import x_gradient
from xdnn_core.attribution.onnx_export import export_onnx
from xdnn_core.attribution.result import relative_l1
from xdnn_core.errors import UserError
from xdnn_core.homogeneity.inspection import NotHomogeneousError
from xdnn_core.models.zoo import load_model

ARCHITECTURES = (
    "alexnet", "vgg11_bn", "resnet18", "squeezenet1_1", "densenet121", "resnext50_32x4d",
    "regnet_x_400mf", "mnasnet0_5",
)  # fmt: skip


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_it_equals_autograd(name: str) -> None:
    network = x_twin(name).double()
    x, target = torch.randn(2, 3, 96, 96, dtype=torch.float64), torch.tensor([3, 7])
    with torch.no_grad():
        logits, values = WithAttribution(network, x)(x, target)
        assert torch.equal(logits, network(x))
    assert float(relative_l1(values, x_gradient(network, x, target).values).max()) < 1e-12


class Layers(nn.Module):
    """Every kind of layer in an awkward setting, and functions in place of layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, (3, 5), stride=(2, 3), padding=(1, 2), bias=False)
        self.grouped = nn.Conv2d(8, 8, 3, padding=1, groups=4, bias=False)
        self.spread = nn.Conv2d(8, 8, 3, padding=2, dilation=2, bias=False)
        self.beyond = nn.Conv2d(16, 16, 1, padding=2, bias=False)  # more margin than kernel
        self.pool = nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True)
        self.average = nn.AvgPool2d(3, stride=2, padding=1)
        self.last = nn.Linear(96, 4, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(functional.relu(self.first(x)))
        x = torch.cat([self.grouped(x).relu(), self.spread(x)], dim=1)
        x = x + functional.dropout(x, training=self.training)
        one, other = self.average(x), self.average(torch.relu(x))
        one += other
        x = functional.adaptive_avg_pool2d(self.beyond(one), (2, 3))
        return self.last(torch.flatten(x, 1))


def test_awkward_layers() -> None:
    network = Layers().double().eval()
    x, target = torch.randn(3, 3, 37, 41, dtype=torch.float64), torch.tensor([0, 3, 1])
    with torch.no_grad():
        logits, values = WithAttribution(network, x)(x, target)
        assert torch.equal(logits, network(x))
    assert float(relative_l1(values, x_gradient(network, x, target).values).max()) < 1e-12


def test_the_first_of_equal_values_gets_the_gradient() -> None:
    """As in PyTorch; and the padding, which is smaller than all, gets none."""
    network = nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Flatten(), nn.Linear(36, 2, bias=False))
    network = network.double().eval()
    x = torch.randint(-2, 1, (4, 1, 6, 6)).double()
    target = torch.zeros(4, dtype=torch.int64)
    with torch.no_grad():
        _, values = WithAttribution(network, x)(x, target)
    assert torch.allclose(values, x_gradient(network, x, target).values)


class Other(nn.Module):
    """An operation that has no transpose here, of degree 1."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cumsum(x.flatten(1), dim=1)


class Deciding(nn.Module):
    """Its forward() looks at values."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) if bool(x.sum() > 0) else -x.flatten(1)


@pytest.mark.parametrize(
    ("network", "error", "message"),
    [
        (nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten()), NotHomogeneousError, "layer '0'"),
        (Other(), UserError, "operation 'cumsum'"),
        (nn.Sequential(nn.Upsample(scale_factor=2), nn.Flatten()), UserError, "layer '0'"),
        (Deciding(), UserError, "decides by its values"),
    ],
)
def test_what_it_cannot_write_is_named(
    network: nn.Module, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        WithAttribution(network.eval(), torch.randn(1, 3, 8, 8))


@pytest.mark.parametrize("name", ["xalexnet-caltech101", "resnet18", "squeezenet1_1"])
def test_an_onnx_graph_says_the_same(name: str, tmp_path: Path) -> None:
    """float32: a ReLU gate that rounding flips moves a few values, so by their sum."""
    embedded = name.startswith("xalexnet")
    network = load_model(name, "cpu").network if embedded else x_twin(name)
    file = export_onnx(network, tmp_path / "network.onnx")
    session = onnxruntime.InferenceSession(str(file))
    for count in (1, 3):
        x, target = torch.randn(count, 3, 224, 224), torch.arange(count)
        logits, values = session.run(None, {"images": x.numpy(), "target": target.numpy()})
        exact = x_gradient(network, x, target)
        with torch.no_grad():
            assert torch.allclose(torch.from_numpy(logits), network(x), rtol=1e-4, atol=1e-5)
        assert float(relative_l1(torch.from_numpy(values), exact.values).max()) < 1e-3
    assert [each.name for each in tmp_path.iterdir()] == ["network.onnx"]


def test_a_missing_package_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, x_net: nn.Module
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"onnx and onnxscript is not installed.*xdnn\[onnx\]"):
        export_onnx(x_net, tmp_path / "network.onnx")
