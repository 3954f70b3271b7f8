"""Relative L1 distance, and the distance that half the contrast makes."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from xdnn_core.attribution.gradients import input_x_gradient
from xdnn_core.attribution.integrated import integrated_gradients
from xdnn_core.metrics.distance import half_distance, relative_l1


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


def test_half_distance_by_hand() -> None:
    """h = ReLU(x − 1), F = 3h + 2: at 4 the gate is open at half the way too, at 1.5 shut there."""
    net = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1)).double()
    for parameter, value in zip(net.parameters(), (1.0, -1.0, 3.0, 2.0), strict=True):
        nn.init.constant_(parameter, value)
    x = torch.tensor([[4.0], [1.5]], dtype=torch.float64)
    assert half_distance(net, x).tolist() == [0, math.inf]


def test_an_x_network_is_the_same_at_half_the_contrast(x_net: nn.Module, images: Tensor) -> None:
    assert float(half_distance(x_net, images, torch.tensor([0, 1, 2])).max()) < 1e-12


def test_half_distance_follows_the_distance_to_integrated_gradients() -> None:
    """Where I×G is far from Integrated Gradients, the two gradients are far apart."""
    net = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
    net = nn.Sequential(*net, nn.Linear(64, 2)).double()
    sizes = torch.logspace(-1, 2, 16, dtype=torch.float64)[:, None]
    x = sizes * torch.randn(16, 20, dtype=torch.float64)  # biases matter least for the largest
    found = half_distance(net, x, 1)
    exact = integrated_gradients(net, x, 1, steps=512, rule="graded").values
    distance = relative_l1(input_x_gradient(net, x, 1).values, exact)
    assert float(torch.corrcoef(torch.stack([found, distance]))[0, 1]) > 0.8


def test_target_is_checked(conv_net: nn.Module, images: Tensor) -> None:
    with pytest.raises(ValueError, match="classes run from 0 to 3"):
        half_distance(conv_net, images, 4)
    with pytest.raises(ValueError, match="not finite"):
        half_distance(conv_net, images / 0, 0)


def test_network_is_left_alone(conv_net: nn.Module, images: Tensor, untouched: Callable) -> None:
    conv_net.requires_grad_(False)
    check = untouched(conv_net)
    half_distance(conv_net, images, 0)
    check()
