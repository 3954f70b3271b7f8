"""Integrated Gradients to a tolerance: stops when it stands still, spends no gradient twice."""

import math

import pytest
import torch
from torch import Tensor, nn

from xdnn_core.attribution.integrated import integrated_gradients
from xdnn_core.attribution.quadrature import RULES, doubled_steps
from xdnn_core.data.gallery import gallery
from xdnn_core.data.preprocessing import Preprocessing
from xdnn_core.metrics.distance import relative_l1
from xdnn_core.models.zoo import load_model

NESTED = ("graded", "left", "right", "trapezoid")


class Counted(nn.Module):
    """Counts the rows that gradients are asked for."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.rows = network, 0

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            self.rows += len(x)
        return self.network(x)


@pytest.mark.parametrize("rule", RULES)
def test_is_the_first_doubling_that_stands_still(
    rule: str, conv_net: nn.Module, images: Tensor
) -> None:
    x, tolerance = images[:1], 0.02
    alone = {
        n: integrated_gradients(conv_net, x, 1, rule=rule, steps=doubled_steps(rule, n)).values
        for n in (8, 16, 32, 64, 128, 256, 512, 1024)
    }
    changes = {n: float(relative_l1(alone[n // 2], alone[n])[0]) for n in alone if n > 8}
    stands = min(n for n, change in changes.items() if change <= tolerance)
    assert stands > 16
    counted = Counted(conv_net)
    found = integrated_gradients(counted, x, 1, rule=rule, tolerance=tolerance, chunk=16)
    torch.testing.assert_close(found.values, alone[stands], rtol=0, atol=1e-12)
    assert found.estimated_error is not None
    assert float(found.estimated_error) == pytest.approx(changes[stands], rel=1e-9)
    assert found.tolerance_met is not None
    assert found.tolerance_met.tolist() == [True]
    calls = doubled_steps(rule, stands) if rule in NESTED else 2 * stands - 8
    assert found.gradient_calls == counted.rows == calls


def test_the_graded_estimate_is_the_same_without_a_tolerance(
    conv_net: nn.Module, images: Tensor
) -> None:
    met = integrated_gradients(conv_net, images, 0, rule="graded", tolerance=0.05)
    steps = met.gradient_calls
    plain = integrated_gradients(conv_net, images, 0, rule="graded", steps=steps)
    torch.testing.assert_close(plain.values, met.values, rtol=0, atol=1e-12)
    torch.testing.assert_close(plain.estimated_error, met.estimated_error, rtol=1e-9, atol=0)
    assert plain.tolerance_met is None


def test_a_cap_that_is_reached_is_reported(conv_net: nn.Module, images: Tensor) -> None:
    x = torch.cat([images[:2], torch.zeros_like(images[:1])])  # the last has nothing to integrate
    found = integrated_gradients(
        conv_net, x, 1, rule="graded", tolerance=1e-9, max_steps=100, chunk=400
    )
    assert found.tolerance_met is not None
    assert found.tolerance_met.tolist() == [False, False, True]
    assert found.gradient_calls == 64
    assert found.estimated_error is not None
    assert float(found.estimated_error[:2].min()) > 1e-9


def test_an_x_network_stands_still_at_once(x_net: nn.Module, images: Tensor) -> None:
    found = integrated_gradients(x_net, images, 2, rule="graded", tolerance=1e-6)
    assert found.gradient_calls == 16
    assert bool(found.tolerance_met.all())


def test_a_baseline_is_kept(conv_net: nn.Module, images: Tensor) -> None:
    start = torch.randn_like(images)
    found = integrated_gradients(
        conv_net, images, 0, baseline=start, rule="graded", tolerance=0.1, chunk=300
    )
    alone = integrated_gradients(
        conv_net, images, 0, baseline=start, rule="graded", steps=found.gradient_calls
    )
    torch.testing.assert_close(found.values, alone.values, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tolerance": 0.0}, "tolerance is 0.0; give a relative error above 0"),
        ({"tolerance": -0.1}, "above 0"),
        ({"tolerance": math.nan}, "above 0"),
        ({"tolerance": math.inf}, "above 0"),
        ({"tolerance": 0.1, "max_steps": 15}, "max_steps is 15; with a tolerance give 16 or more"),
        ({"tolerance": 0.1, "max_steps": 16, "rule": "trapezoid"}, "give 17 or more"),
        ({"tolerance": 0.1, "rule": "simpson"}, "not known"),
    ],
)
def test_what_is_refused(
    options: dict[str, object], message: str, conv_net: nn.Module, images: Tensor
) -> None:
    with pytest.raises(ValueError, match=message):
        integrated_gradients(conv_net, images, 0, **options)


def test_progress_goes_on_from_doubling_to_doubling(conv_net: nn.Module, images: Tensor) -> None:
    seen: list[tuple[int, int]] = []
    found = integrated_gradients(
        conv_net, images[:1], 0, rule="graded", tolerance=1e-9, max_steps=64, chunk=5,
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert list(dict.fromkeys(total for _, total in seen)) == [8, 16, 32, 64]
    assert seen[-1] == (64, 64)
    assert found.gradient_calls == 64


def photographs(side: int) -> Tensor:
    """Twenty photographs: the gallery, and its first ones mirrored."""
    preprocess = Preprocessing(size=side, resize=side)
    built_in = [preprocess(item.open()) for item in gallery() if "/" not in item.key]
    return torch.stack([*built_in, *(image.flip(-1) for image in built_in)])[:20]


def test_the_estimate_bounds_the_true_error_on_photographs() -> None:
    """The error lies below the estimate, and is not less than about a third of it.

    Small photographs, which take a fifth of the time; the true value is by 128 points.
    """
    network = load_model("alexnet-caltech101", "cpu").network
    ratios = []
    for x in photographs(96).split(1):
        with torch.no_grad():
            target = int(network(x).argmax())
        found = integrated_gradients(network, x, target, rule="graded", tolerance=0.1)
        true = integrated_gradients(network, x, target, rule="graded", steps=128).values
        assert bool(found.tolerance_met)
        ratios.append(float(relative_l1(found.values, true)[0] / found.estimated_error[0]))
    assert len(ratios) == 20
    assert max(ratios) < 1
    assert min(ratios) > 1 / 3
