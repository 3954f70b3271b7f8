"""X-Gradient's checks, how often they are made, and networks that no attribution is made for."""

import gc
import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, strategies as st
from torch import Tensor, nn
from torch.nn import functional

from tests.attribution.random_networks import Case, cases
from xdnn_core.attribution import cached_check
from xdnn_core.attribution.captum import captum_attribution, compare_with_captum
from xdnn_core.attribution.contrast_sweep import ray_sweep
from xdnn_core.attribution.expected import expected_gradients
from xdnn_core.attribution.gradients import gradient, input_x_gradient, x_gradient
from xdnn_core.attribution.integrated import integrated_gradients
from xdnn_core.errors import UserError
from xdnn_core.homogeneity.inspection import NotHomogeneousError
from xdnn_core.models.networks import AlexNet, NetworkConfig

Method = Callable[..., object]
METHODS: dict[str, Method] = {
    "gradient": gradient,
    "input_x_gradient": input_x_gradient,
    "x_gradient": x_gradient,
    "integrated_gradients": lambda *a: integrated_gradients(*a, steps=4),
    "expected_gradients": lambda net, x, t: expected_gradients(net, x, t, references=x, samples=3),
    "ray_sweep": lambda net, x, t: ray_sweep(net, x[:1], t, cells=2, stops=(0, 1), route="sweep"),
    "captum": lambda *a: captum_attribution("integrated_gradients", *a, steps=4),
    "compare": lambda *a: compare_with_captum("input_x_gradient", *a),
}
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


class Of(nn.Module):
    """F is a function of the input, and counts its calls."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function, self.calls = function, 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.function(x)


def ones(*shape: int) -> Tensor:
    return torch.ones(*shape, dtype=torch.float64)


def test_a_threshold_is_named() -> None:
    """Σ x·∂F/∂x = F(x) holds wherever the units are on either side of it."""
    net = nn.Sequential(
        nn.Flatten(),
        nn.Linear(6, 8, bias=False),
        nn.Threshold(0.5, 0),
        nn.Linear(8, 3, bias=False),
    )
    net, x = net.double().eval(), torch.randn(4, 1, 2, 3, dtype=torch.float64)
    exact = integrated_gradients(net, x, 0, rule="midpoint", steps=400).values
    found = input_x_gradient(net, x, 0)
    assert float((found.values.flatten(1).sum(1) - found.outputs).abs().max()) < 1e-14
    assert float((found.values - exact).abs().sum() / exact.abs().sum()) > 0.5
    with pytest.raises(NotHomogeneousError, match=r"layer '2' \(Threshold: a threshold that is"):
        x_gradient(net, x, 0)
    net[2] = nn.Threshold(0.0, 0.0)  # a ReLU
    assert float(x_gradient(net, x, 0).completeness_gap.max()) < 1e-12


# Each but the first passes all checks that stand before the one that finds it.
BENT: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "Euler": (lambda x: x.square().sum(1), "differs from F(x) by 50.0% of its size"),
    "F(0)": (
        lambda x: torch.relu(x[:, 0] - 0.5) + torch.relu(x[:, 1] + 0.5),
        "but F(0) is 0.5 and not 0: an operation outside the layers breaks it",
    ),
    "F(x/2)": (
        lambda x: functional.threshold(x, 0.75, 0).sum(1),
        "2·F(x/2) differs from F(x) by 1 of the largest",
    ),
    "gradient": (
        lambda x: (x + torch.sin(2 * math.pi * x) * (1 - x)).sum(1),
        "the gradient at x/2 differs from that at x by 3.1 of the largest",
    ),
}


@pytest.mark.parametrize("check", ["once", "full"])
@pytest.mark.parametrize("kind", BENT)
def test_every_check_finds_what_the_others_do_not(kind: str, check: str) -> None:
    function, message = BENT[kind]
    with pytest.raises(NotHomogeneousError) as raised:
        x_gradient(Of(function), ones(1, 2), check=check)
    assert message in str(raised.value)
    with pytest.raises(NotHomogeneousError):
        x_gradient(Of(function), ones(1, 2).float(), check=check)


def test_what_is_not_a_number_at_zero_does_not_pass() -> None:
    net = Of(lambda x: (x.square() / x.abs()).sum(1))
    with pytest.raises(NotHomogeneousError, match=r"F\(0\) is nan"):
        x_gradient(net, ones(1, 2))


def test_two_biases_that_cancel_at_the_sample_reported_zero_for_f_of_zero() -> None:
    net = Of(BENT["F(0)"][0])
    assert input_x_gradient(net, ones(1, 2)).baseline_outputs.tolist() == [0.5]
    with pytest.raises(NotHomogeneousError):
        x_gradient(net, ones(1, 2))


def test_the_layer_is_named_where_the_numbers_show_one() -> None:
    net = nn.Sequential(nn.Linear(2, 2, bias=False), Of(lambda h: functional.threshold(h, 0.75, 0)))
    nn.init.eye_(net[0].weight)
    with pytest.raises(NotHomogeneousError, match=r"layer '1' \(Of: by the numbers only\) breaks"):
        x_gradient(net, torch.ones(1, 2), 0)


@given(case=cases(), single=st.booleans())
def test_x_networks_pass_in_either_precision(case: Case, single: bool) -> None:
    dtype = torch.float32 if single else torch.float64
    x_gradient(case.network.to(dtype), case.inputs.to(dtype), case.target, check="full")


@given(case=cases(), offset=st.sampled_from([1e-3, -1e-2, 0.1]))
def test_a_hidden_offset_of_a_thousandth_is_found(case: Case, offset: float) -> None:
    x = case.inputs
    size = float(case.network(x).detach().abs().max())
    if size == 0:
        return
    net = nn.Sequential(case.network, Of(lambda h: h + offset * size)).eval()
    with pytest.raises(NotHomogeneousError):
        x_gradient(net, x, case.target)


def test_a_large_network_scales_bit_by_bit_in_float32() -> None:
    """What the tolerance rests on: halving is exact, so no gate flips."""
    net = AlexNet(NetworkConfig(classes=5, head=16, biases=False)).eval()
    x = torch.randn(2, 3, 80, 80)
    assert torch.equal(2 * net(x / 2), net(x))
    assert torch.equal(gradient(net, x / 2, 1).values, gradient(net, x, 1).values)


class TestHowOften:
    """Passes counted on a network: 1 for the gradient, 2 for the check, 2 for a repetition."""

    @pytest.mark.parametrize(
        ("check", "passes"), [("once", [3, 1, 1]), ("full", [3, 3, 3]), ("off", [3, 1, 1])]
    )
    def test_passes(self, check: str, passes: list[int]) -> None:
        net, counts = Of(lambda x: torch.relu(x).sum(1)), []
        for _ in range(3):
            before = net.calls
            x_gradient(net, ones(1, 2), check=check)
            counts.append(net.calls - before)
        assert counts == passes

    def test_once_a_shape_whatever_the_batch(self) -> None:
        net = Of(lambda x: torch.relu(x).sum(1))
        for shape, passes in {(1, 2): 3, (5, 2): 1, (1, 3): 3}.items():
            before = net.calls
            x_gradient(net, ones(*shape))
            assert net.calls - before == passes

    def test_off_believes_the_caller(self) -> None:
        found = x_gradient(Of(lambda x: x.square().sum(1)), 3 * ones(1, 1), check="off")
        assert (found.values.tolist(), found.baseline_outputs.tolist()) == ([[18]], [0])
        with pytest.raises(UserError, match="check is 'never'; choose one of full, once, off"):
            x_gradient(Of(torch.abs), ones(1, 2), 0, check="never")  # type: ignore[arg-type]

    @pytest.mark.parametrize("what", ["parameter", "buffer", "step", "module"])
    def test_again_when_the_network_has_changed(self, what: str) -> None:
        class Offset(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.inner = nn.ReLU()
                self.offset = nn.Parameter(torch.zeros(2))
                self.register_buffer("constant", torch.zeros(2))

            def forward(self, x: Tensor) -> Tensor:
                # Of slope 0 in x, so that Euler's sum is not what finds it.
                step = torch.heaviside(x.detach() - 0.75, torch.zeros(()))
                return (self.inner(x) * (1 - step * (self.offset + self.constant))).sum(1)

        net, x = Offset().eval(), torch.ones(1, 2)
        x_gradient(net, x)
        x_gradient(net, 3 * x)
        if what == "parameter":
            with torch.no_grad():
                net.offset.fill_(0.5)
        elif what == "step":
            net.offset.grad = -torch.ones(2)
            torch.optim.SGD(net.parameters(), lr=0.5).step()
        elif what == "buffer":
            net.constant = torch.full((2,), 0.5)
        else:
            net.inner = Of(lambda h: functional.threshold(h, 0.75, 0))
        with pytest.raises(NotHomogeneousError):
            x_gradient(net, x)

    def test_a_zero_input_does_not_stand_for_others(self) -> None:
        net = Of(lambda x: functional.threshold(x, 0.75, 0).sum(1))
        assert x_gradient(net, 0 * ones(1, 2)).values.tolist() == [[0, 0]]
        with pytest.raises(NotHomogeneousError):
            x_gradient(net, ones(1, 2))

    def test_what_was_found_goes_with_the_network(self) -> None:
        net = Of(lambda x: torch.relu(x).sum(1))
        x_gradient(net, ones(1, 2))
        gc.collect()
        before = len(cached_check._RESULTS)
        del net
        gc.collect()
        assert len(cached_check._RESULTS) == before - 1


TRAINING: dict[str, nn.Module] = {
    "BatchNorm2d": nn.BatchNorm2d(4),
    "InstanceNorm2d": nn.InstanceNorm2d(4, track_running_stats=True),
    "Dropout": nn.Dropout(0.1),
    "Dropout2d": nn.Dropout2d(0.1),
    "AlphaDropout": nn.AlphaDropout(0.1),
    "RReLU": nn.RReLU(),
}


def images() -> Tensor:
    return torch.randn(3, 4, 5, 5)


@every_method
@pytest.mark.parametrize("kind", TRAINING)
def test_training_mode_is_refused_where_it_matters(
    kind: str, method: Method, untouched: Callable
) -> None:
    net = nn.Sequential(
        nn.Conv2d(4, 4, 2, bias=False), TRAINING[kind], nn.Flatten(), nn.Linear(64, 2, bias=False)
    ).eval()
    net[1].train()
    check = untouched(net)  # of running statistics, too
    with pytest.raises(UserError, match=rf"Module '1' \({kind}\) is in training mode"):
        method(net, images(), 0)
    check()


@every_method
def test_training_mode_that_changes_nothing_is_allowed(method: Method) -> None:
    net = nn.Sequential(
        nn.Conv2d(4, 4, 2, bias=False), nn.ReLU(), nn.Dropout(0.0), nn.InstanceNorm2d(4),
        nn.Flatten(), nn.Linear(64, 2, bias=False),
    ).train()  # fmt: skip
    if method is x_gradient:
        net[3] = nn.Identity()
    method(net, images(), 0)


@every_method
def test_statistics_of_the_batch_are_refused_in_any_mode(method: Method) -> None:
    net = nn.Sequential(nn.BatchNorm2d(4, track_running_stats=False), nn.Flatten()).eval()
    with pytest.raises(UserError, match=r"'0' .*; use track_running_stats=True"):
        method(net, images(), 0)


def test_integrated_gradients_through_batch_statistics_were_something_else() -> None:
    """What the refusal spares: values more than half off, and statistics overwritten."""
    net = nn.Sequential(nn.Conv2d(4, 4, 2), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(64, 2))
    for _ in range(20):
        net(2 * torch.randn(16, 4, 5, 5) + 0.5)
    x, mean = images(), net[1].running_mean.clone()
    with pytest.raises(UserError, match="takes its statistics from the batch"):
        integrated_gradients(net, x, 1, steps=8)
    assert torch.equal(net[1].running_mean, mean)
    found = integrated_gradients(net.eval(), x, 1, steps=8)
    assert float(found.completeness_gap.max()) < 1e-4
    assert torch.equal(net[1].running_mean, mean)


class Dropping(nn.Module):
    """Dropout where no layer shows it, and in any mode."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.head = nn.Linear(100, 64, bias=False), nn.Linear(64, 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(functional.dropout(self.layer(x.flatten(1)).relu(), 0.5))


@every_method
def test_functional_dropout_is_found(method: Method) -> None:
    with pytest.raises(UserError, match=r"draws at random: two passes .* differ by \d+\.\d%"):
        method(Dropping().double().eval(), images().double(), 0)


@every_method
def test_the_repetition_is_made_once(method: Method) -> None:
    net = Of(lambda x: x.flatten(1) @ torch.ones(100, 2, dtype=x.dtype)).eval()
    method(net, images(), 0)
    first = net.calls
    method(net, images(), 0)
    if method not in (METHODS["compare"], x_gradient):  # it takes a copy each time; see above
        assert net.calls - first == first - 2


def test_a_network_that_overwrites_its_input_is_refused() -> None:
    net = nn.Sequential(nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(100, 2))
    x = images()
    before = x.clone()
    for method in (gradient, input_x_gradient, integrated_gradients):
        with pytest.raises(UserError, match="overwrites its input"):
            method(net, x, 0)
    assert torch.equal(x, before)
