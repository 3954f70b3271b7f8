"""The first convolution is taken out of the loop only where that was found to change nothing."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from xdnn_core.attribution.contrast_sweep import ray_sweep
from xdnn_core.attribution.integrated import integrated_gradients
from xdnn_core.attribution.path import straight_path
from xdnn_core.models.fixup_resnet import FixupResNet50
from xdnn_core.models.networks import VGG16, AlexNet, NetworkConfig

SMALL = NetworkConfig(classes=5, head=16)


class Behind(nn.Module):
    """Hides what a network begins with."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)


class Normalising(AlexNet):
    """Inherits what comes after the first convolution, and does more before it."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward((x - 0.5) / 0.25)


class Clamping(AlexNet):
    """The same function as AlexNet at every image of values from 0 to 1, and no other."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.clamp(0, 1))


class Shifting(AlexNet):
    """Does more after it."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + x.mean(dim=(1, 2, 3))[:, None]


class InPlace(AlexNet):
    """Overwrites the first pre-activations where no layer says so."""

    def after_first_convolution(self, z: Tensor) -> Tensor:
        return super().after_first_convolution(functional.relu(z, inplace=True))


class InPlaceView(AlexNet):
    """The same, through a view."""

    def after_first_convolution(self, z: Tensor) -> Tensor:
        z.flatten()[::2].mul_(0.5)
        return super().after_first_convolution(z)


def photograph() -> Tensor:
    return torch.rand(1, 3, 64, 64, dtype=torch.float64)


def hoisted(network: nn.Module, x: Tensor, baseline: Tensor | None = None) -> bool:
    return straight_path(network, x, torch.zeros_like(x) if baseline is None else baseline).hoisted


@pytest.mark.parametrize(
    ("kind", "found"),
    [(AlexNet, True), (Normalising, False), (Clamping, False), (Shifting, False),
     (InPlace, True), (InPlaceView, True)],
)  # fmt: skip
def test_a_subclass_that_inherits_the_split(kind: type[AlexNet], found: bool) -> None:
    net, x = kind(SMALL).double().eval(), photograph()
    assert hoisted(net, x) is found
    for baseline in (None, -torch.ones_like(x)):
        options = {"baseline": baseline, "steps": 3}
        ours = integrated_gradients(net, x, 1, **options).values
        plain = integrated_gradients(Behind(net), x, 1, **options).values
        torch.testing.assert_close(ours, plain, rtol=0, atol=1e-12 * float(plain.abs().max()))
    swept = ray_sweep(net, x[:1], 1, cells=4, stops=(0, 0.5, 1), route="sweep")
    plain = ray_sweep(Behind(net), x[:1], 1, cells=4, stops=(0, 0.5, 1), route="sweep")
    size = float(plain.integrated.abs().max())
    torch.testing.assert_close(swept.integrated, plain.integrated, rtol=0, atol=1e-12 * size)


def test_an_in_place_operation_in_a_sequence() -> None:
    class Halving(nn.Module):
        def forward(self, z: Tensor) -> Tensor:
            return z.mul_(0.5)

    net = nn.Sequential(nn.Conv2d(3, 4, 3), Halving(), nn.ReLU(), nn.Flatten(), nn.Linear(196, 2))
    net, x = net.double().eval(), torch.randn(2, 3, 9, 9, dtype=torch.float64)
    assert hoisted(net, x)
    ours = integrated_gradients(net, x, 1, steps=5).values
    plain = integrated_gradients(Behind(net), x, 1, steps=5).values
    torch.testing.assert_close(ours, plain, rtol=0, atol=1e-12 * float(plain.abs().max()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("make", "side"),
    [
        (lambda: AlexNet(SMALL), 64),
        (lambda: VGG16(NetworkConfig(classes=5, head=16)), 32),
        (lambda: FixupResNet50(NetworkConfig(classes=5)), 33),
    ],
    ids=["AlexNet", "VGG16", "Fixup ResNet-50"],
)
def test_our_networks_are_hoisted(
    make: Callable[[], nn.Module], side: int, dtype: torch.dtype
) -> None:
    net = make().to(dtype).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            if not parameter.any():  # Fixup begins with zeros
                parameter.normal_(0, 0.1)
    assert hoisted(net, torch.rand(1, 3, side, side, dtype=dtype))


class Counting(AlexNet):
    """Counts its own forward passes."""

    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(x)


def test_it_is_tried_once_and_again_when_the_weights_have_changed() -> None:
    net, x = Counting(SMALL).double().eval(), photograph()
    for _ in range(3):
        assert hoisted(net, x)
    assert net.calls == 1
    assert hoisted(net, torch.rand(1, 3, 80, 64, dtype=x.dtype))
    assert net.calls == 2
    with torch.no_grad():
        net.classifier[6].weight.mul_(2)
    assert hoisted(net, x)
    assert net.calls == 3


def test_a_large_bias_does_not_hide_what_forward_does() -> None:
    """Both are near 10¹¹ everywhere, but not the same function."""
    net, x = Normalising(SMALL).double().eval(), photograph()
    nn.init.constant_(net.classifier[6].bias, 1e11)
    assert not hoisted(net, x)


def test_weights_that_come_later_do_not_stand_by_a_network_of_zeros() -> None:
    """A network that is 0 everywhere is equal to anything; what it became is tried again."""
    net, x = Normalising(SMALL).double().eval(), photograph()
    weights = {key: value.clone() for key, value in net.state_dict().items()}
    with torch.no_grad():
        net.classifier[6].weight.zero_()
    assert not integrated_gradients(net, x, 1, steps=3).values.any()
    net.load_state_dict(weights)
    assert not hoisted(net, x)


def test_hooks_that_see_gradients_are_seen() -> None:
    """A gradient changed on its way through the first convolution, as guided methods do."""
    net, x = AlexNet(SMALL).double().eval(), photograph()
    net.first_convolution.register_full_backward_hook(
        lambda module, inputs, outputs: (2 * inputs[0],)
    )
    ours = integrated_gradients(net, x, 1, steps=3).values
    plain = integrated_gradients(Behind(net), x, 1, steps=3).values
    assert torch.equal(ours, plain)
