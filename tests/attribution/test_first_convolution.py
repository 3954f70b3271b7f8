"""Integrated Gradients past the first convolution, of all kinds, against the plain formula."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tests.attribution.plain_formula import assert_same, plainly
from xdnn_core.attribution.integrated import integrated_gradients
from xdnn_core.attribution.path import straight_path
from xdnn_core.models.networks import AlexNet, NetworkConfig

FIRST_CONVOLUTIONS: dict[str, Callable[[], nn.Module]] = {
    "plain": lambda: nn.Conv2d(4, 6, 3, bias=False),
    "biased": lambda: nn.Conv2d(4, 6, 3),
    "strided": lambda: nn.Conv2d(4, 6, 3, stride=2),
    "strided with a rest": lambda: nn.Conv2d(4, 6, 4, stride=3),
    "padded": lambda: nn.Conv2d(4, 6, 3, padding=(2, 1)),
    "grouped": lambda: nn.Conv2d(4, 6, 3, groups=2),
    "dilated": lambda: nn.Conv2d(4, 6, 2, dilation=3, stride=(1, 2)),
    "all at once": lambda: nn.Conv2d(4, 8, (3, 2), (2, 3), (1, 0), (1, 2), groups=4),
}


@pytest.mark.parametrize("kind", FIRST_CONVOLUTIONS)
@pytest.mark.parametrize("zero", [True, False], ids=["zero", "baseline"])
def test_hoisted_convolution_changes_nothing(kind: str, zero: bool) -> None:
    net = nn.Sequential(
        FIRST_CONVOLUTIONS[kind](), nn.ReLU(), nn.AdaptiveMaxPool2d(2), nn.Flatten(),
        nn.LazyLinear(3),
    )  # fmt: skip
    x = torch.randn(2, 4, 10, 11, dtype=torch.float64)
    start = None if zero else torch.randn_like(x)
    net = net.double().eval()
    net(x)
    assert straight_path(net, x, torch.zeros_like(x)).hoisted
    hidden = nn.Sequential(nn.Identity(), net)  # begins with no convolution
    assert not straight_path(hidden, x, torch.zeros_like(x)).hoisted
    found = integrated_gradients(net, x, 1, baseline=start, steps=9)
    assert_same(found.values, integrated_gradients(hidden, x, 1, baseline=start, steps=9).values)
    assert_same(found.values, plainly(net, x, 1, 9, "gauss_legendre", start))


@pytest.mark.parametrize(
    ("first", "shape"),
    [(nn.Conv1d(2, 3, 3, stride=2), (2, 2, 12)), (nn.Conv3d(2, 3, 2, padding=1), (2, 2, 4, 5, 3))],
    ids=["1d", "3d"],
)
def test_hoisting_in_one_and_three_dimensions(first: nn.Module, shape: tuple[int, ...]) -> None:
    x = torch.randn(shape, dtype=torch.float64)
    net = nn.Sequential(first, nn.ReLU(), nn.Flatten(), nn.LazyLinear(2)).double().eval()
    net(x)
    assert straight_path(net, x, torch.zeros_like(x)).hoisted
    found = integrated_gradients(net, x, 0, steps=6)
    assert_same(found.values, plainly(net, x, 0, 6, "gauss_legendre"))


@pytest.mark.parametrize("biases", [True, False])
def test_alexnet_hoisted(biases: bool) -> None:
    net = AlexNet(NetworkConfig(classes=5, head=16, biases=biases)).double().eval()
    x = torch.randn(1, 3, 80, 80, dtype=torch.float64)
    start = torch.randn_like(x)
    assert straight_path(net, x, start).hoisted
    for baseline in (None, start):
        found = integrated_gradients(net, x, 2, baseline=baseline, steps=4)
        assert_same(found.values, plainly(net, x, 2, 4, "gauss_legendre", baseline))


class Doubled(nn.Sequential):
    """A sequence whose forward does more than its layers."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(2 * x + 1)


class OwnConstructor(nn.Sequential):
    """A sequence that cannot be sliced, since its constructor takes no layers."""

    def __init__(self) -> None:
        super().__init__(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(196, 2))


def sequence(*tail: nn.Module, first: nn.Module | None = None) -> nn.Sequential:
    layers = tail or (nn.ReLU(), nn.Flatten(), nn.Linear(196, 2))
    return nn.Sequential(first or nn.Conv2d(3, 4, 3), *layers)


def with_hook(kind: str) -> nn.Sequential:
    """Hooks that change what passes, on the sequence or on its first convolution."""
    net = sequence()
    if kind == "sequence before":
        net.register_forward_pre_hook(lambda module, args: (args[0] ** 2,))
    elif kind == "sequence after":
        net.register_forward_hook(lambda module, args, output: output**2)
    elif kind == "convolution before":
        net[0].register_forward_pre_hook(lambda module, args: (args[0].abs(),))
    else:
        net[0].register_forward_hook(lambda module, args, output: output**2)
    return net


@pytest.mark.parametrize(
    "make",
    [
        lambda: Doubled(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(196, 2)),
        OwnConstructor,
        lambda: sequence(nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(196, 2)),
        lambda: sequence(nn.ReLU(), nn.Flatten(), nn.Linear(324, 2),
                         first=nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular")),
        lambda: sequence(nn.ReLU(), nn.Flatten(), nn.Linear(324, 2),
                         first=nn.Conv2d(3, 4, 3, padding="same")),
        lambda: sequence(first=nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3))),
        lambda: with_hook("sequence before"),
        lambda: with_hook("sequence after"),
        lambda: with_hook("convolution before"),
        lambda: with_hook("convolution after"),
    ],
    ids=["own forward", "own constructor", "in-place ReLU", "circular padding", "same padding",
         "weight norm", "hook before sequence", "hook after sequence", "hook before convolution",
         "hook after convolution"],
)  # fmt: skip
def test_networks_that_only_look_like_a_convolution_and_the_rest(
    make: Callable[[], nn.Module], images: Tensor
) -> None:
    net = make().double().eval()
    found = integrated_gradients(net, images, 1, steps=5)
    assert_same(found.values, plainly(net, images, 1, 5, "gauss_legendre"))
