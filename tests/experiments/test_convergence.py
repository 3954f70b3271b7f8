"""Convergence: the shared pass gives what one by one would, and its cost is counted truly."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from xdnn_core.attribution.captum import captum_attribution
from xdnn_core.attribution.gradients import input_x_gradient
from xdnn_core.attribution.integrated import integrated_gradients
from xdnn_core.experiments.convergence import DEFAULT_RULES, measure_convergence, with_captum
from xdnn_core.experiments.convergence_result import COUNTS, TOLERANCES, RuleCurve
from xdnn_core.metrics.distance import relative_l1


class Counted(nn.Module):
    """Counts the rows that gradients are asked for."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.rows = network, 0

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            self.rows += len(x)
        return self.network(x)


def test_equals_every_rule_on_its_own(conv_net: nn.Module, images: Tensor) -> None:
    x = images[:1]
    counts = (2, 4, 8)
    found = measure_convergence(conv_net, x, 2, counts=counts, chunk=7)
    reference = integrated_gradients(conv_net, x, 2, steps=300).values
    assert [curve.rule for curve in found.curves] == list(DEFAULT_RULES)
    for curve in found.curves:
        extra = curve.rule == "trapezoid"
        assert curve.counts == tuple(n + extra for n in counts)
        alone = [
            integrated_gradients(conv_net, x, 2, steps=n, rule=curve.rule) for n in curve.counts
        ]
        errors = [float(relative_l1(one.values, reference)[0]) for one in alone]
        assert curve.errors == pytest.approx(errors, rel=1e-9)
        gaps = [float(one.completeness_gap[0]) for one in alone]
        assert curve.completeness_gaps == pytest.approx(gaps, rel=1e-6, abs=1e-12)
        changes = [float(relative_l1(alone[k].values, alone[k + 1].values)[0]) for k in range(2)]
        assert math.isnan(curve.estimated_errors[0])
        assert curve.estimated_errors[1:] == pytest.approx(changes, rel=1e-9)
        assert list(curve.maps) == [4]
        torch.testing.assert_close(curve.maps[4], alone[1].values[0].sum(dim=0), rtol=0, atol=1e-12)
    fast = input_x_gradient(conv_net, x, 2).values
    assert found.fast_error == pytest.approx(float(relative_l1(fast, reference)[0]), rel=1e-9)


def test_calls_are_counted_truly(conv_net: nn.Module, images: Tensor) -> None:
    counted = Counted(conv_net)
    found = measure_convergence(counted, images[:1], 1, chunk=50)
    assert found.gradient_calls == counted.rows
    separately = sum(n for curve in found.curves for n in curve.counts)
    assert found.gradient_calls_separately == separately + 300 + 1
    curves = found.gradient_calls - 300
    assert curves <= 0.45 * (found.gradient_calls_separately - 300)


def test_each_nested_rule_costs_its_last_count(conv_net: nn.Module, images: Tensor) -> None:
    for rule, calls in (("graded", 256), ("left", 256), ("trapezoid", 257), ("midpoint", 511)):
        found = measure_convergence(
            conv_net, images[:1], 0, rules=(rule,), reference="quick", chunk=300
        )
        nested = rule == "graded"  # the quick reference is among its points
        shared = 64 if not nested else 0
        # t = 1, 1/2 and 1/8, 1/64, … lie in several meshes.
        assert 0 <= calls + shared + 1 - found.gradient_calls <= 20


def test_the_fine_reference_holds_the_graded_points(conv_net: nn.Module, images: Tensor) -> None:
    found = measure_convergence(
        conv_net, images[:1], 0, rules=("graded",), reference="fine", chunk=600
    )
    assert found.gradient_calls == 2048 + 1
    assert found.reference_calls == 2048
    assert found.curves[0].errors[-1] < 0.05


def test_the_path_gradient_has_the_area_of_the_rise(conv_net: nn.Module, images: Tensor) -> None:
    found = measure_convergence(conv_net, images[:1], 3, counts=(16, 32))
    with torch.no_grad():
        ends = conv_net(torch.cat([images[:1], 0 * images[:1]]))[:, 3]
    assert found.output_at_one == pytest.approx(float(ends[0]))
    assert found.output_at_zero == pytest.approx(float(ends[1]))
    assert float(found.point_weights.sum()) == pytest.approx(1)
    rise = found.output_at_one - found.output_at_zero
    assert abs(found.path_area - rise) == pytest.approx(found.path_gap * abs(rise))
    assert found.path_gap < 0.01
    assert replace(found, output_at_one=0.0, output_at_zero=0.0).path_gap == 1


def test_float32_is_near(conv_net: nn.Module, images: Tensor) -> None:
    double = measure_convergence(conv_net, images[:1], 3, counts=(16, 32))
    single = measure_convergence(conv_net.float(), images[:1].float(), 3, counts=(16, 32))
    assert single.path_area == pytest.approx(double.path_area, rel=1e-3)
    for ours, theirs in zip(single.curves, double.curves, strict=True):
        assert ours.errors == pytest.approx(theirs.errors, abs=1e-2)


def test_an_x_network_has_converged_at_one_call(x_net: nn.Module, images: Tensor) -> None:
    found = measure_convergence(x_net, images[:1], 0, counts=COUNTS[:5])
    assert found.fast_error < 1e-10
    for curve in found.curves:
        if curve.rule not in ("left", "trapezoid"):  # they have a point at 0, on every kink
            assert max(curve.errors) < 1e-10
    assert float(found.path_gradient.diff().abs().max()) < 1e-10
    assert found.slope_spread < 1e-9


def test_captum_lies_over_our_gauss_legendre(conv_net: nn.Module, images: Tensor) -> None:
    seen: list[tuple[int, int]] = []
    found = measure_convergence(
        conv_net, images[:1], 1, rules=("gauss_legendre",), counts=(1, 2, 4), captum=True,
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    assert found.captum is not None
    assert found.captum.counts == (1, 2, 4)
    assert found.captum.errors == pytest.approx(found.curves[0].errors, rel=1e-6)
    theirs = captum_attribution("integrated_gradients", conv_net, images[:1], 1, steps=4).values
    torch.testing.assert_close(found.captum.maps[4], theirs[0].sum(dim=0))
    assert found.captum_calls == 7
    without = measure_convergence(
        conv_net, images[:1], 1, rules=("gauss_legendre",), counts=(1, 2, 4)
    )
    later = with_captum(without, conv_net, images[:1], 1, (1, 2, 4))
    assert later.captum is not None
    assert later.captum.errors == pytest.approx(found.captum.errors)
    assert (later.gradient_calls, later.captum_calls) == (found.gradient_calls, 7)
    assert seen[-1][0] == seen[-1][1] == found.gradient_calls - 1 + 7
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_bias_outside_the_layers_falls_back_to_input_x_gradient() -> None:
    class Shifted(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.relu(x.flatten(1) - 0.5)

    x = torch.rand(1, 1, 2, 2, dtype=torch.float64) + 1
    found = measure_convergence(Shifted(), x, 0, counts=(256, 512))
    assert found.fast_error == pytest.approx(
        float(x[0, 0, 0, 0]) / (float(x[0, 0, 0, 0]) - 0.5) - 1, rel=0.02
    )


def curve(*estimates: float) -> RuleCurve:
    counts = tuple(2**k for k in range(len(estimates)))
    return RuleCurve("graded", counts, estimates, estimates, estimates, {})


@pytest.mark.parametrize(
    ("estimates", "needed"),
    [
        ((math.nan, 0.1, 0.04, 0.02), (4, 8, None)),
        ((math.nan, 0.001, 0.06, 0.009), (8, 8, 8)),  # a lucky small count does not count
        ((math.nan, 0.2, 0.2), (None, None, None)),
        ((math.nan, 0.01, 0.01), (2, 2, 2)),
    ],
)
def test_calls_needed(estimates: tuple[float, ...], needed: tuple[int | None, ...]) -> None:
    assert tuple(curve(*estimates).calls_needed(tolerance) for tolerance in TOLERANCES) == needed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rules": ()}, "The rules are none"),
        ({"rules": ("left", "left")}, "give each once"),
        ({"rules": ("simpson",)}, "'simpson' is not known"),
        ({"counts": (1, 3)}, "each twice the one before"),
        ({"counts": ()}, "The counts are none"),
        ({"reference": "exact"}, "choose one of paper, fine, quick"),
        ({"target": 9}, "classes run from 0 to 3"),
    ],
)
def test_what_is_refused(
    change: dict[str, object], message: str, conv_net: nn.Module, images: Tensor
) -> None:
    options = {"target": 0} | change
    with pytest.raises(ValueError, match=message):
        measure_convergence(conv_net, images[:1], **options)
    with pytest.raises(ValueError, match="give one image"):
        measure_convergence(conv_net, images, 0)


class Cancelled(Exception):
    """Raised by a test's progress."""


def test_progress_may_cancel(conv_net: nn.Module, images: Tensor, untouched: Callable) -> None:
    def stop(done: int, total: int) -> None:
        raise Cancelled

    check = untouched(conv_net)
    with pytest.raises(Cancelled):
        measure_convergence(conv_net, images[:1], 0, progress=stop)
    check()
