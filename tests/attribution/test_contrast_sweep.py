"""The ray sweep: every contrast from one pass, by known answers and by direct computation."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypothesis import given, strategies as st
from torch import Tensor, nn

from tests.attribution.random_networks import Case, cases
from xdnn_core.attribution.contrast_mesh import RayMesh, ray_mesh
from xdnn_core.attribution.contrast_result import RaySweep
from xdnn_core.attribution.contrast_sums import PrefixSums
from xdnn_core.attribution.contrast_sweep import STOPS, ray_sweep
from xdnn_core.homogeneity.inspection import NotHomogeneousError
from xdnn_core.models.networks import AlexNet, NetworkConfig

FEW = (0.0, 0.3, 1.0, 1.4)


def slope(network: nn.Module, x: Tensor, target: int) -> Tensor:
    """∂F/∂x by one plain autograd call."""
    x = x.detach().requires_grad_()
    return torch.autograd.grad(network(x)[:, target].sum(), x)[0]


def assert_same(found: Tensor, expected: Tensor, tolerance: float = 1e-10) -> None:
    size = float(expected.abs().max())
    torch.testing.assert_close(found, expected, rtol=0, atol=tolerance * max(size, 1e-30))


def assert_direct(network: nn.Module, x: Tensor, target: int, mesh: RayMesh, sweep: RaySweep):
    """Everything in a sweep, one stop and one autograd call at a time."""
    slopes = [slope(network, t * x, target) for t in mesh.points]
    assert_same(sweep.path_gradient, torch.stack([(g * x).sum() for g in slopes]))
    for k, alpha in enumerate(mesh.stops):
        at = alpha * x
        integrated = torch.zeros_like(x)
        if alpha > 0:
            # Direct IG of αx has its points at t/α, that is at (t/α)·αx = tx, and weights of sum 1.
            for g, w in zip(slopes, mesh.weights_to(k) / alpha, strict=True):
                integrated += at * w * g
        assert_same(sweep.integrated[k], integrated[0].sum(dim=0))
        assert_same(sweep.fast[k], (at * slope(network, at, target))[0].sum(dim=0))
        logits = network(at)[0].detach()
        assert_same(sweep.logits[k], logits)
        assert int(sweep.top_class[k]) == int(logits.argmax())
        rise = float(logits[target] - network(0 * x)[0, target].detach())
        gap = abs(float(integrated.sum()) - rise)
        assert abs(float(sweep.completeness_gap[k]) * abs(rise) - gap) < 1e-10


@given(case=cases(biases=True), cells=st.integers(1, 12), chunk=st.integers(1, 9))
def test_equals_direct_integration_on_the_same_points(case: Case, cells: int, chunk: int) -> None:
    x = case.inputs[:1]
    sweep = ray_sweep(case.network, x, case.target, cells=cells, stops=FEW, chunk=chunk)
    assert sweep.route == "sweep"
    assert_direct(case.network, x, case.target, ray_mesh(cells, FEW), sweep)


@pytest.mark.parametrize("biases", [True, False])
def test_alexnet_at_all_stops(biases: bool) -> None:
    network = AlexNet(NetworkConfig(classes=5, head=16, biases=biases)).double().eval()
    x = torch.randn(1, 3, 64, 64, dtype=torch.float64)
    sweep = ray_sweep(network, x, 2, cells=24, route="sweep")
    assert_direct(network, x, 2, ray_mesh(24, STOPS), sweep)
    assert len(sweep.stops) == 31


@given(case=cases())
def test_scaling_equals_the_sweep_on_an_x_network(case: Case) -> None:
    x = case.inputs[:1]
    swept = ray_sweep(case.network, x, case.target, cells=6, route="sweep")
    scaled = ray_sweep(case.network, x, case.target)
    assert (scaled.route, scaled.gradient_calls) == ("scaling", 1)
    for name in ("integrated", "fast", "logits", "target_logits", "confidences"):
        assert_same(getattr(scaled, name), getattr(swept, name))
    assert torch.equal(scaled.top_class, swept.top_class)
    assert not len(scaled.changes)
    assert not scaled.estimated_error.any()
    for sweep in (scaled, swept):
        rise = sweep.output_at_one - sweep.output_at_zero
        assert sweep.path_area == pytest.approx(rise, abs=1e-10)
        assert float(sweep.path_gradient.diff().abs().max()) < 1e-10


class Saturating(nn.Module):
    """F(x) = 1 − ReLU(1 − x) and a class that is always 3/4, (B, 1, 1, 1) -> (B, 2)."""

    def forward(self, x: Tensor) -> Tensor:
        first = 1 - torch.relu(1 - x.flatten(1))  # (B, 1)
        return torch.cat([first, torch.full_like(first, 0.75)], dim=1)


def test_a_network_done_by_hand() -> None:
    """At x = 2: F(αx) = min(2α, 1), the slope is 1 below α = 1/2 and 0 above."""
    x = torch.full((1, 1, 1, 1), 2.0, dtype=torch.float64)
    sweep = ray_sweep(Saturating(), x, 0, cells=4000, stops=(0, 0.25, 0.35, 0.6, 1, 1.5))
    assert sweep.target_logits.tolist() == pytest.approx([0, 0.5, 0.7, 1, 1, 1], abs=1e-14)
    assert sweep.integrated[:, 0, 0].tolist() == pytest.approx([0, 0.5, 0.7, 1, 1, 1], abs=1e-3)
    assert sweep.fast[:, 0, 0].tolist() == pytest.approx([0, 0.5, 0.7, 0, 0, 0], abs=1e-14)
    assert sweep.top_class.tolist() == [1, 1, 1, 0, 0, 0]
    assert sweep.changes.tolist() == [0, 0.25, 0.35]
    assert sweep.path_area == pytest.approx(1, abs=1e-3)
    assert (sweep.output_at_zero, sweep.output_at_one) == (0, 1)
    assert sweep.confidences[1] == pytest.approx(1 / (1 + torch.e**0.25))
    assert sweep.integrated_similarity.isnan().tolist() == [True] + 5 * [False]
    assert sweep.integrated_similarity[1:].tolist() == pytest.approx([1] * 5)
    assert sweep.fast_similarity.isnan().all()  # there is no map at α = 1


def test_the_path_gradient_has_the_area_of_the_rise(conv_net: nn.Module, images: Tensor) -> None:
    with torch.no_grad():
        ends = conv_net(torch.cat([images[:1], 0 * images[:1]]))[:, 1]
    rise, gaps = float(ends[0] - ends[1]), []
    for cells in (32, 512):
        sweep = ray_sweep(conv_net, images[:1], 1, cells=cells)
        gap = float(sweep.completeness_gap[sweep.at_one])
        assert abs(sweep.path_area - rise) == pytest.approx(gap * abs(rise), rel=1e-6)
        gaps.append(gap)
    assert gaps[1] < 0.02
    assert gaps[1] < gaps[0]


def test_the_estimate_is_the_distance_to_every_other_point(
    conv_net: nn.Module, images: Tensor
) -> None:
    mesh = ray_mesh(16, FEW)
    sweep = ray_sweep(conv_net, images[:1], 2, cells=16, stops=FEW, chunk=3)
    slopes = torch.cat([slope(conv_net, t * images[:1], 2) for t in mesh.points])
    for k in range(1, len(FEW)):
        weights = torch.stack([mesh.weights_to(k), mesh.coarse_increments[:k].sum(dim=0)])
        full, half = images[:1] * torch.einsum("kn,nchw->kchw", weights, slopes)
        expected = (full - half).abs().sum() / full.abs().sum()
        assert float(sweep.estimated_error[k]) == pytest.approx(float(expected), rel=1e-10)
    assert float(sweep.estimated_error[0]) == 0


def test_the_estimate_is_of_the_size_of_the_error(conv_net: nn.Module) -> None:
    x = torch.randn(1, 3, 9, 9, dtype=torch.float64)
    exact = ray_sweep(conv_net, x, 1, cells=4096, stops=FEW).integrated[1:]
    sweep = ray_sweep(conv_net, x, 1, cells=64, stops=FEW)
    error = (sweep.integrated[1:] - exact).abs().sum(dim=(1, 2)) / exact.abs().sum(dim=(1, 2))
    assert 0.3 < float(sweep.estimated_error[1:].mean() / error.mean()) < 10


@given(
    cells=st.integers(1, 200),
    inner=st.lists(st.integers(1, 199), max_size=12, unique=True),
)
def test_the_mesh(cells: int, inner: list[int]) -> None:
    stops = sorted({0.0, 1.0, *(number / 100 for number in inner)})
    mesh = ray_mesh(cells, stops)
    assert bool((mesh.points.diff() > 0).all())
    assert float(mesh.points[0]) > 0
    assert mesh.points[mesh.stop_points].tolist() == stops[1:]
    assert bool((mesh.increments >= 0).all())
    assert bool((mesh.coarse_increments >= 0).all())
    for k, stop in enumerate(stops):
        weights = mesh.weights_to(k)
        assert float(weights.sum()) == pytest.approx(stop, abs=1e-12)
        assert float(mesh.coarse_increments[:k].sum()) == pytest.approx(stop, abs=1e-12)
        assert not weights[mesh.points > stop + 1e-12].any()
    used = int((mesh.coarse_increments > 0).any(dim=0).sum())
    assert used == (len(mesh.points) + 1) // 2
    intervals = sum(stop <= 1 for stop in stops[1:])
    assert abs(int((mesh.points <= 1).sum()) - max(cells, intervals)) <= intervals


def test_the_mesh_by_hand() -> None:
    mesh = ray_mesh(2, (0.0, 1.0, 8.0))  # beyond 1: 2 · (8^(2/3) − 1) = 6 points
    steps = torch.tensor([1, 3], dtype=torch.float64) / 3
    assert mesh.points[:2].tolist() == pytest.approx((steps**1.5).tolist())
    assert len(mesh.points) == 8
    edge = float((1 / 3) ** 1.5 + 1) / 2
    assert mesh.weights_to(1)[:3].tolist() == pytest.approx([edge, 1 - edge, 0])
    assert float(mesh.weights_to(2)[1]) == pytest.approx((1.5**1.5 + 1) / 2 - edge)


def test_coarse_costs_little_and_all_stops_are_there() -> None:
    assert len(ray_mesh(16, STOPS).points) <= 40
    assert len(ray_mesh(128, STOPS).points) <= 170


def test_sums_are_let_go_when_their_stop_is_reached(
    conv_net: nn.Module, images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many stops there are, few sums of gradients are held."""
    held = []
    add = PrefixSums.add

    def watched(self: PrefixSums, *given: object) -> None:
        add(self, *given)
        held.append(len(self._open))

    monkeypatch.setattr(PrefixSums, "add", watched)
    stops = tuple(number / 100 for number in range(151))
    ray_sweep(conv_net, images[:1], 0, cells=128, stops=stops, chunk=8)
    assert max(held) <= 3
    assert held[-1] == 0


def made(logits: list[list[float]], stops: list[float]) -> RaySweep:
    s = len(stops)
    maps = torch.zeros(s, 2, 2)
    zeros = torch.zeros(s)
    return RaySweep(
        torch.tensor(stops), maps, maps, torch.tensor(logits), 0, torch.zeros(s).long(), zeros,
        zeros, zeros, zeros, zeros, 1, 0.0, "sweep",
    )  # fmt: skip


def test_similarity_of_maps_by_hand() -> None:
    sweep = made([[0, 1]] * 4, [0, 0.5, 1, 1.5])
    maps = torch.zeros(4, 2, 2)
    maps[1, 0, 0], maps[2, 0, 0], maps[3, 0, 0] = 0.5, 2, -1
    maps[1, 0, 1] = 0.5
    found = replace(sweep, integrated=maps).integrated_similarity
    assert bool(found[0].isnan())
    assert found[1:].tolist() == pytest.approx([2**-0.5, 1, -1])


def test_float64_verifies_a_float32_network(conv_net: nn.Module, images: Tensor) -> None:
    double = ray_sweep(conv_net, images[:1].float().double(), 0, cells=8)
    single = conv_net.float()
    verified = ray_sweep(single, images[:1].float(), 0, cells=8, dtype=torch.float64)
    assert verified.integrated.dtype == verified.logits.dtype == torch.float64
    assert single[0].weight.dtype == torch.float32
    assert_same(verified.integrated, double.integrated, 1e-5)
    plain = ray_sweep(single, images[:1].float(), 0, cells=8)
    assert plain.integrated.dtype == torch.float32
    assert plain.path_area == pytest.approx(verified.path_area, rel=1e-4)
    assert_same(plain.integrated.double(), verified.integrated, 1e-3)


def test_a_bias_outside_the_layers_is_found() -> None:
    """Every layer is homogeneous, only Euler's theorem shows that the network is not."""

    class Shifted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 2, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x.flatten(1)).relu() + 1

    x = torch.randn(1, 1, 2, 2)
    sweep = ray_sweep(Shifted().eval(), x, 0, cells=2, stops=FEW)
    assert sweep.route == "sweep"
    assert sweep.gradient_calls == len(sweep.points) + 1
    with pytest.raises(NotHomogeneousError):
        ray_sweep(Shifted().eval(), x, 0, route="scaling")


def test_scaling_is_refused_where_layers_have_biases(conv_net: nn.Module, images: Tensor) -> None:
    with pytest.raises(NotHomogeneousError, match="its bias does not scale"):
        ray_sweep(conv_net, images[:1], 0, route="scaling")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cells": 0}, "cells is 0"),
        ({"stops": (0.0, 0.5)}, "rise from 0 and hold 1"),
        ({"stops": (0.1, 1.0)}, "rise from 0 and hold 1"),
        ({"stops": (0.0, 1.0, 0.5)}, "rise from 0 and hold 1"),
        ({"stops": ()}, "The stops are none"),
        ({"stops": (0.0, 1.0, float("inf"))}, "rise from 0 and hold 1"),
        ({"route": "guess"}, "choose sweep or scaling"),
        ({"target": 4}, "classes run from 0 to 3"),
        ({"chunk": 0}, "give 1 or more rows"),
    ],
)
def test_what_is_refused(
    change: dict[str, object], message: str, conv_net: nn.Module, images: Tensor
) -> None:
    options = {"target": 0, "cells": 2} | change
    with pytest.raises(ValueError, match=message):
        ray_sweep(conv_net, images[:1], **options)
    with pytest.raises(ValueError, match="give one image"):
        ray_sweep(conv_net, images, 0)


class Cancelled(Exception):
    """Raised by a test's progress."""


def test_progress_counts_up_and_cancels(
    conv_net: nn.Module, images: Tensor, untouched: Callable
) -> None:
    check, seen = untouched(conv_net), []
    sweep = ray_sweep(
        conv_net,
        images[:1],
        0,
        cells=9,
        chunk=7,
        progress=lambda done, all_: seen.append((done, all_)),
    )
    n = len(sweep.points)
    assert seen == [(min(done, n), n) for done in range(7, n + 7, 7)]

    def stop(done: int, total: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        ray_sweep(conv_net, images[:1], 0, progress=stop)
    check()
