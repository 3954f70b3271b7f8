"""Integrated Gradients: known answers, chunks, error estimate."""

import math
import time
from collections.abc import Callable

import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from tests.attribution.plain_formula import assert_same, plainly
from xdnn_core.attribution.baseline import blurred_baseline
from xdnn_core.attribution.integrated import integrated_gradients
from xdnn_core.attribution.path import chunk_rows, straight_path
from xdnn_core.attribution.quadrature import RULES
from xdnn_core.errors import UserError


def row(*values: float) -> Tensor:
    return torch.tensor([values], dtype=torch.float64)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("steps", [2, 5, 64])
def test_linear_model_is_exact_for_every_rule(rule: str, steps: int, linear_net: nn.Module) -> None:
    found = integrated_gradients(linear_net, row(3, -1), rule=rule, steps=steps)
    assert found.values.tolist() == [pytest.approx([6, 3], rel=1e-14)]
    assert (found.outputs.tolist(), found.baseline_outputs.tolist()) == ([14], [5])
    assert float(found.completeness_gap) < 1e-14
    assert found.gradient_calls == steps
    assert found.estimated_error is not None
    assert float(found.estimated_error) < 1e-14
    assert found.seconds > 0
    assert found.method == "integrated_gradients"


@pytest.mark.parametrize(
    ("rule", "steps"),
    [("gauss_legendre", 128), ("graded", 4000), ("midpoint", 100), ("trapezoid", 4001),
     ("left", 100), ("right", 4000)],
)  # fmt: skip
def test_one_minus_relu_rises_by_one(rule: str, steps: int, one_minus_relu: nn.Module) -> None:
    """∇F is 1 up to t = 1/2 and 0 beyond; x·½·1 = 1."""
    found = integrated_gradients(one_minus_relu, row(2), rule=rule, steps=steps)
    assert float(found.values) == pytest.approx(1, abs=1e-3)


def test_two_layer_net_by_hand() -> None:
    """h = ReLU(x₁ − 1), F = 3h + 2x₂: of x₁ = 4 the gate is open for t > 1/4."""

    class Net(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 3 * torch.relu(x[:, :1] - 1) + 2 * x[:, 1:]

    found = integrated_gradients(Net(), row(4, 5), rule="midpoint", steps=100)
    # 4 · 3 · (1 − 1/4) = 9 and 2 · 5 = 10; F(x) − F(0) = 9 + 10.
    assert found.values.tolist() == [pytest.approx([9, 10], rel=1e-13)]
    assert float(found.completeness_gap) < 1e-14
    # From x' = (2, 1): open all the way, (4 − 2) · 3 and (5 − 1) · 2.
    found = integrated_gradients(Net(), row(4, 5), baseline=row(2, 1), steps=3)
    assert found.values.tolist() == [pytest.approx([6, 8], rel=1e-13)]
    assert found.baseline_outputs.tolist() == [5]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("baseline", ["zero", "tensor", "row", "blurred"])
def test_equals_the_plain_formula(
    rule: str, baseline: str, conv_net: nn.Module, images: Tensor
) -> None:
    starts = {
        "zero": None,
        "tensor": torch.randn_like(images),
        "row": torch.randn(3, 1, 1, dtype=torch.float64),
        "blurred": blurred_baseline(images, sigma=2.0),
    }
    target = torch.tensor([3, 0, 2])
    found = integrated_gradients(
        conv_net, images, target, baseline=starts[baseline], rule=rule, steps=11
    )
    assert_same(found.values, plainly(conv_net, images, target, 11, rule, starts[baseline]))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("coarse", "fine"), [(4, 32), (8, 16), (5, 12), (16, 16)])
def test_an_integral_goes_on_from_a_coarser_one(
    rule: str, coarse: int, fine: int, conv_net: nn.Module, images: Tensor
) -> None:
    options = {"rule": rule, "chunk": 3}
    begun = integrated_gradients(conv_net, images, 1, steps=coarse, finer=fine, **options)
    alone = integrated_gradients(conv_net, images, 1, steps=coarse, **options)
    assert_same(begun.values, alone.values)
    shown: list[int] = []
    gone_on = integrated_gradients(
        conv_net, images, 1, steps=fine, begun=begun, **options,
        progress=lambda done, total: shown.append(total),
    )  # fmt: skip
    whole = integrated_gradients(conv_net, images, 1, steps=fine, **options)
    assert_same(gone_on.values, whole.values)
    assert_same(gone_on.estimated_error, whole.estimated_error)
    assert gone_on.gradient_calls == whole.gradient_calls
    if rule == "graded" and fine % coarse == 0 and fine > coarse:
        assert shown[-1] % (fine - coarse) == 0, "points that nest are evaluated once"


def test_the_time_does_not_count_what_the_progress_waits_for(
    conv_net: nn.Module, images: Tensor
) -> None:
    waited = 4.0
    found = integrated_gradients(
        conv_net, images[:1], 1, steps=2, chunk=1, progress=lambda *_: time.sleep(waited / 2)
    )
    assert 0 < found.seconds < waited


def test_an_integral_goes_on_from_its_own_beginning_only(
    conv_net: nn.Module, images: Tensor
) -> None:
    begun = integrated_gradients(conv_net, images, 1, steps=4, rule="graded", finer=8)
    for inputs, options in ((images, {"steps": 16}), (images[:1], {"steps": 8}),
                            (images, {"steps": 8, "rule": "left"})):  # fmt: skip
        with pytest.raises(UserError, match="begun is not the beginning of"):
            integrated_gradients(
                conv_net, inputs, 1, **{"rule": "graded"} | options, begun=begun
            )  # fmt: skip
    with pytest.raises(UserError, match="leave them out with a tolerance"):
        integrated_gradients(conv_net, images, 1, tolerance=0.01, begun=begun)


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 100])
def test_chunks_change_nothing(chunk: int, conv_net: nn.Module, images: Tensor) -> None:
    target = torch.tensor([0, 1, 2])
    whole = integrated_gradients(conv_net, images, target, steps=13)
    found = integrated_gradients(conv_net, images, target, steps=13, chunk=chunk)
    assert_same(found.values, whole.values)
    torch.testing.assert_close(found.estimated_error, whole.estimated_error, rtol=1e-10, atol=0)
    assert found.gradient_calls == 13


@pytest.mark.parametrize("chunk", [0, -3])
def test_a_chunk_holds_at_least_one_row(chunk: int, conv_net: nn.Module, images: Tensor) -> None:
    with pytest.raises(ValueError, match="give 1 or more rows"):
        integrated_gradients(conv_net, images, 0, chunk=chunk)


def test_chunks_keep_to_the_memory_budget(
    conv_net: nn.Module, images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = straight_path(conv_net, images, torch.zeros_like(images))
    monkeypatch.setattr("xdnn_core.attribution.path.memory_budget", lambda device: 2**40)
    assert chunk_rows(path, None) == 24
    monkeypatch.setattr("xdnn_core.attribution.path.memory_budget", lambda device: 20_000)
    few = chunk_rows(path, None)
    assert 1 <= few < 24
    with torch.no_grad():
        assert chunk_rows(path, None) == few
    monkeypatch.setattr("xdnn_core.attribution.path.memory_budget", lambda device: 1)
    assert chunk_rows(path, None) == 1


@pytest.mark.parametrize("rule", RULES)
def test_estimated_error_shrinks_with_the_steps(
    rule: str, conv_net: nn.Module, images: Tensor
) -> None:
    estimates = []
    for steps in (12, 60, 300):
        found = integrated_gradients(conv_net, images, 0, rule=rule, steps=steps, chunk=300)
        assert found.estimated_error is not None
        assert bool((found.estimated_error > 0).all())
        estimates.append(float(found.estimated_error.mean()))
    assert estimates[0] > 2 * estimates[1] > 4 * estimates[2]


def test_estimated_error_is_of_the_size_of_the_error(conv_net: nn.Module) -> None:
    x = torch.randn(16, 3, 9, 9, dtype=torch.float64)
    exact = integrated_gradients(conv_net, x, 1, rule="midpoint", steps=8192, chunk=2048).values
    found = integrated_gradients(conv_net, x, 1, rule="graded", steps=64)
    assert found.estimated_error is not None
    size = exact.abs().flatten(1).sum(dim=1)
    error = (found.values - exact).abs().flatten(1).sum(dim=1) / size
    ratio = float(found.estimated_error.mean() / error.mean())
    assert 0.7 < ratio < 5


def test_one_step_has_no_error_estimate(conv_net: nn.Module, images: Tensor) -> None:
    """With one point there is no half rule, so the error is unknown, not 0."""
    found = integrated_gradients(conv_net, images, 0, steps=1)
    assert found.estimated_error is not None
    assert bool(found.estimated_error.isnan().all())


def test_inputs_equal_to_the_baseline_get_nothing(conv_net: nn.Module, images: Tensor) -> None:
    found = integrated_gradients(conv_net, images, 0, baseline=images, steps=4)
    assert not found.values.any()
    assert found.completeness_gap.tolist() == [0, 0, 0]
    assert found.estimated_error is not None
    assert found.estimated_error.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("baseline", "message"),
    [
        (torch.zeros(2, 3, 9, 9), r"shape \(2, 3, 9, 9\), which does not broadcast"),
        (torch.zeros(1, 3, 8, 8), "does not broadcast"),
        (torch.full((3, 1, 1), math.nan), "baseline holds 729 values that are not finite"),
    ],
)
def test_bad_baselines(baseline: Tensor, message: str, conv_net: nn.Module, images: Tensor) -> None:
    with pytest.raises(ValueError, match=message):
        integrated_gradients(conv_net, images, 0, baseline=baseline)


def test_unknown_rule_and_too_few_steps(conv_net: nn.Module, images: Tensor) -> None:
    with pytest.raises(ValueError, match="not known; choose one of"):
        integrated_gradients(conv_net, images, 0, rule="simpson")
    with pytest.raises(ValueError, match="too few"):
        integrated_gradients(conv_net, images, 0, steps=0)


@pytest.mark.parametrize("batch", [1, 3])
def test_progress_runs_once_from_first_to_last(
    batch: int, conv_net: nn.Module, images: Tensor
) -> None:
    seen: list[tuple[int, int]] = []
    integrated_gradients(
        conv_net, images[:batch], 0, steps=5, chunk=2,
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    done = [one for one, _ in seen]
    assert len(seen) >= 3
    assert len({total for _, total in seen}) == 1
    assert seen[-1][0] == seen[-1][1]
    assert done == sorted(done)


class Cancelled(Exception):
    """Raised by a test's progress."""


def test_progress_may_raise_to_cancel(
    conv_net: nn.Module, images: Tensor, untouched: Callable
) -> None:
    calls = []

    def stop(done: int, total: int) -> None:
        calls.append(done)
        raise Cancelled

    check = untouched(conv_net)
    with pytest.raises(Cancelled):
        integrated_gradients(conv_net, images, 0, steps=8, chunk=3, progress=stop)
    assert len(calls) == 1
    check()


def test_network_and_inputs_are_left_alone(
    conv_net: nn.Module, images: Tensor, untouched: Callable
) -> None:
    check, before = untouched(conv_net), images.clone()
    result = integrated_gradients(conv_net, images, 0, steps=4)
    check()
    assert torch.equal(images, before)
    assert not images.requires_grad
    assert not result.values.requires_grad
    assert result.estimated_error is not None
    assert not result.estimated_error.requires_grad
    with torch.no_grad():
        assert_same(integrated_gradients(conv_net, images, 0, steps=4).values, result.values)


def test_inputs_that_require_a_gradient(conv_net: nn.Module, images: Tensor) -> None:
    expected = integrated_gradients(conv_net, images, 0, steps=4).values
    asking = images.clone().requires_grad_()
    found = integrated_gradients(conv_net, asking, 0, steps=4)
    assert_same(found.values, expected)
    assert asking.requires_grad
    assert asking.grad is None


def test_float32_stays_float32_and_near(conv_net: nn.Module, images: Tensor) -> None:
    double = integrated_gradients(conv_net, images, 0, steps=16)
    single = integrated_gradients(conv_net.float(), images.float(), 0, steps=16)
    assert single.values.dtype == single.outputs.dtype == torch.float32
    distance = (single.values - double.values).abs().sum() / double.values.abs().sum()
    assert float(distance) < 1e-3


def test_blurred_baseline(images: Tensor) -> None:
    found = blurred_baseline(images, sigma=1.5)
    expected = gaussian_filter(images[1, 2].numpy(), 1.5, mode="nearest")
    torch.testing.assert_close(found[1, 2], torch.from_numpy(expected), rtol=0, atol=1e-12)
    constant = torch.full((1, 3, 9, 9), 0.7)
    torch.testing.assert_close(blurred_baseline(constant), constant)
    assert blurred_baseline(constant).dtype == torch.float32
