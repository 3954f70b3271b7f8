"""Relative L1 distance and how much of the output passes through biases."""

import itertools
import math
import threading
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from xdnn_core.attribution.gradients import input_x_gradient
from xdnn_core.attribution.integrated import integrated_gradients
from xdnn_core.metrics.agreement import bias_diagnostics, bias_share, relative_l1


def test_relative_l1_by_hand() -> None:
    reference = torch.tensor([[[1.0, -2.0], [0.0, 1.0]], [[4.0, 0.0], [0.0, 0.0]]])
    found = torch.tensor([[[2.0, -2.0], [1.0, -1.0]], [[4.0, 0.0], [0.0, 0.0]]])
    assert relative_l1(found, reference).tolist() == [1, 0]
    assert relative_l1(2 * reference, reference).tolist() == [1, 1]
    assert relative_l1(-reference, reference).tolist() == [2, 2]


def test_relative_l1_where_the_reference_is_zero() -> None:
    zero, one = torch.zeros(1, 3), torch.ones(1, 3)
    assert relative_l1(zero, zero).tolist() == [0]
    assert relative_l1(one, zero).tolist() == [math.inf]


def test_relative_l1_does_not_depend_on_the_unit() -> None:
    a, b = torch.randn(2, 5, 3, dtype=torch.float64)
    torch.testing.assert_close(relative_l1(7 * a, 7 * b), relative_l1(a, b))


def test_relative_l1_refuses_different_shapes() -> None:
    with pytest.raises(ValueError, match=r"shapes \(1, 3\) and \(1, 4\)"):
        relative_l1(torch.zeros(1, 3), torch.zeros(1, 4))


def test_bias_share_by_hand(linear_net: nn.Module) -> None:
    """F = 2x₁ − 3x₂ + 5 at (3, −1): 6 and 3 pass through the input, 5 through the bias."""
    found = bias_diagnostics(linear_net, torch.tensor([[3.0, -1.0]], dtype=torch.float64))
    assert found.share.tolist() == pytest.approx([5 / 14])
    assert found.half_distance.tolist() == [0]


def test_bias_share_of_a_two_layer_net_by_hand() -> None:
    """h = ReLU(x − 1), F = 3h + 2 at 4: x·∇F = 12, biases 3·(−1) and 2; F = 12 − 3 + 2."""
    net = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1)).double()
    for parameter, value in zip(net.parameters(), (1.0, -1.0, 3.0, 2.0), strict=True):
        nn.init.constant_(parameter, value)
    x = torch.tensor([[4.0], [1.5]], dtype=torch.float64)
    found = bias_diagnostics(net, x)
    assert found.share.tolist() == pytest.approx([5 / 17, 5 / 9.5])
    # At 4 the gate is open at half the way too, at 1.5 it is shut there: x·∇F(x/2) = 0.
    assert found.half_distance.tolist() == [0, math.inf]


def test_an_x_network_has_no_bias_signal(x_net: nn.Module, images: Tensor) -> None:
    found = bias_diagnostics(x_net, images, torch.tensor([0, 1, 2]))
    assert found.share.tolist() == [0, 0, 0]
    assert float(found.half_distance.max()) < 1e-12


def test_the_share_alone_is_that_of_the_diagnostics(
    conv_net: nn.Module, x_net: nn.Module, images: Tensor
) -> None:
    target = torch.tensor([0, 1, 2])
    for network in (conv_net, x_net):
        share = bias_share(network, images, target)
        assert torch.equal(share, bias_diagnostics(network, images, target).share)


def test_half_distance_follows_the_distance_to_integrated_gradients() -> None:
    """Where I×G is far from Integrated Gradients, the two gradients are far apart."""
    net = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
    net = nn.Sequential(*net, nn.Linear(64, 2)).double()
    sizes = torch.logspace(-1, 2, 16, dtype=torch.float64)[:, None]
    x = sizes * torch.randn(16, 20, dtype=torch.float64)  # biases matter least for the largest
    found = bias_diagnostics(net, x, 1).half_distance
    exact = integrated_gradients(net, x, 1, steps=512, rule="graded").values
    distance = relative_l1(input_x_gradient(net, x, 1).values, exact)
    assert float(torch.corrcoef(torch.stack([found, distance]))[0, 1]) > 0.8


def test_target_is_checked(conv_net: nn.Module, images: Tensor) -> None:
    with pytest.raises(ValueError, match="classes run from 0 to 3"):
        bias_diagnostics(conv_net, images, 4)
    with pytest.raises(ValueError, match="give a class from 0 to 3"):
        bias_diagnostics(conv_net, images)
    with pytest.raises(ValueError, match="for 3 inputs"):
        bias_diagnostics(conv_net, images, torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="not finite"):
        bias_diagnostics(conv_net, images / 0, 0)


def test_network_is_left_alone(conv_net: nn.Module, images: Tensor, untouched: Callable) -> None:
    conv_net.requires_grad_(False)
    check = untouched(conv_net)
    bias_diagnostics(conv_net, images, 0)
    check()


class Unused(nn.Module):
    """Holds a layer that the output does not pass through."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.spare = nn.Linear(4, 2), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.used(x)


def test_a_bias_that_is_not_used_counts_nothing() -> None:
    net = Unused()
    x = torch.randn(2, 4)
    expected = bias_diagnostics(nn.Sequential(net.used), x, 0)
    torch.testing.assert_close(bias_diagnostics(net, x, 0).share, expected.share)


class Door:
    """Lets the first two threads in before either goes on; the first in leaves first."""

    def __init__(self) -> None:
        self.places = itertools.count()
        self.second_is_in = threading.Event()
        self.first_is_done = threading.Event()

    def pass_through(self) -> None:
        place = next(self.places)
        if place == 0:
            assert self.second_is_in.wait(20)
        elif place == 1:
            self.second_is_in.set()
            assert self.first_is_done.wait(20)

    def __deepcopy__(self, memo: dict) -> "Door":
        return self


class Meeting(nn.Module):
    """A layer behind a door."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.door = nn.Linear(3, 2), Door()

    def forward(self, x: Tensor) -> Tensor:
        self.door.pass_through()
        return self.layer(x)


def test_two_sessions_may_measure_one_network_at_once() -> None:
    """Networks are shared by all sessions of the app: nothing may be swapped in and out of them."""
    net = Meeting().requires_grad_(False)
    before = dict(net.named_parameters())
    x = torch.randn(1, 3)

    def session() -> None:
        bias_diagnostics(net, x, 0)
        net.door.first_is_done.set()

    threads = [threading.Thread(target=session) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert all(value is before[name] for name, value in net.named_parameters())
    assert not any(parameter.requires_grad for parameter in net.parameters())
