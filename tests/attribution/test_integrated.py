"""Integrated Gradients: known answers, the hoisted first convolution, chunks, error estimate."""

import math
import time
from collections.abc import Callable

import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from xdnn_core.attribution.baseline import blurred_baseline
from xdnn_core.attribution.integrated import integrated_gradients
from xdnn_core.attribution.path import chunk_rows, straight_path
from xdnn_core.attribution.quadrature import RULES, quadrature
from xdnn_core.errors import UserError
from xdnn_core.models.alexnet import AlexNet, AlexNetConfig


def row(*values: float) -> Tensor:
    return torch.tensor([values], dtype=torch.float64)


def plainly(
    network: nn.Module,
    x: Tensor,
    target: int | Tensor | None,
    steps: int,
    rule: str,
    baseline: Tensor | None = None,
) -> Tensor:
    """Equation 1 of Sundararajan et al. 2017 with one autograd call a point and nothing else."""
    start = torch.zeros_like(x) if baseline is None else baseline.expand_as(x)
    total = torch.zeros_like(x)
    index = None if target is None else torch.as_tensor(target).expand(len(x))
    for t, w in zip(*quadrature(rule, steps), strict=True):
        at = (start + t * (x - start)).requires_grad_()
        out = network(at)
        picked = out.sum() if index is None else out[torch.arange(len(x)), index].sum()
        total += w * torch.autograd.grad(picked, at)[0]
    return (x - start) * total


def assert_same(found: Tensor, expected: Tensor) -> None:
    size = float(expected.abs().max())
    assert size > 0
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12 * size)


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
    net = AlexNet(AlexNetConfig(classes=5, head=16, biases=biases)).double().eval()
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
