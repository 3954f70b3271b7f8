"""Erasing a region: exact on a linear network, and nothing for nothing."""

import pytest
import torch
from torch import Tensor, nn

from xdnn_core.attribution.gradients import input_x_gradient
from xdnn_core.attribution.integrated import integrated_gradients
from xdnn_core.errors import UserError
from xdnn_core.metrics.erasing import erased_change, fill


@pytest.fixture
def region() -> Tensor:
    mask = torch.zeros(9, 9, dtype=torch.bool)
    mask[2:6, 3:8] = True
    return mask


def test_predicted_and_measured_are_one_for_a_linear_network(region: Tensor) -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 81, 4)).double().eval()
    x = torch.randn(1, 3, 9, 9, dtype=torch.float64)
    measured = erased_change(net, x, [0, 3], region, "mean")
    for target, change in zip((0, 3), measured, strict=True):
        predicted = -(input_x_gradient(net, x, target).values * region).sum()
        torch.testing.assert_close(predicted, change, rtol=1e-12, atol=1e-12)


def test_by_hand_on_a_network_that_bends(region: Tensor) -> None:
    """relu(Σ − 10) of 243 ones, of which 60 are erased."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(243, 1), nn.ReLU()).double().eval()
    nn.init.ones_(net[1].weight)
    nn.init.constant_(net[1].bias, -200.0)
    x = torch.ones(1, 3, 9, 9, dtype=torch.float64)
    assert float(erased_change(net, x, [0], region, "mean")[0]) == -43.0


def test_no_region_changes_nothing_and_all_of_it_is_the_mean_image(conv_net: nn.Module) -> None:
    x = torch.randn(1, 3, 9, 9, dtype=torch.float64)
    nothing = torch.zeros(9, 9, dtype=torch.bool)
    assert erased_change(conv_net, x, [1], nothing, "mean").tolist() == [0.0]
    at_zero = conv_net(torch.zeros_like(x))[0, 1] - conv_net(x)[0, 1]
    torch.testing.assert_close(erased_change(conv_net, x, [1], ~nothing, "mean")[0], at_zero)


def test_the_difference_of_two_logits_is_the_difference_of_two_attributions(
    conv_net: nn.Module,
) -> None:
    """Attributions are linear in the target, which the A − B slider rests on."""

    class Difference(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            logits = conv_net(x)
            return logits[:, 2] - logits[:, 0]

    x = torch.randn(1, 3, 9, 9, dtype=torch.float64)
    for method in (input_x_gradient, integrated_gradients):
        both = method(conv_net, x, 2).values - method(conv_net, x, 0).values
        alone = method(Difference().eval(), x).values
        assert float((both - alone).abs().sum() / alone.abs().sum()) < 1e-12


def test_what_is_refused(conv_net: nn.Module, region: Tensor) -> None:
    x = torch.randn(2, 3, 9, 9, dtype=torch.float64)
    with pytest.raises(UserError, match="give one image"):
        erased_change(conv_net, x, [0], region)
    with pytest.raises(UserError, match="give one image"):
        erased_change(conv_net, x[:1], [0], region[1:])
    with pytest.raises(UserError, match="choose blur or mean"):
        fill(x, "noise")  # type: ignore[arg-type]
