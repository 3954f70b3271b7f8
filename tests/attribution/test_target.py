"""What a user may pass: targets of any kind, outputs of one; and the caller's modes of torch."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from xdnn_core.attribution.captum import captum_attribution
from xdnn_core.attribution.contrast_sweep import ray_sweep
from xdnn_core.attribution.expected import expected_gradients
from xdnn_core.attribution.gradients import gradient, input_x_gradient, x_gradient
from xdnn_core.attribution.integrated import integrated_gradients
from xdnn_core.attribution.target import read_target
from xdnn_core.errors import UserError
from xdnn_core.homogeneity.inspection import inspect_homogeneity
from xdnn_core.priors.loss import training_attributions

Method = Callable[..., Tensor]
METHODS: dict[str, Method] = {
    "gradient": lambda *a: gradient(*a).values,
    "input_x_gradient": lambda *a: input_x_gradient(*a).values,
    "x_gradient": lambda *a: x_gradient(*a).values,
    "integrated_gradients": lambda *a: integrated_gradients(*a, steps=8, chunk=2).values,
    "to a tolerance": lambda *a: integrated_gradients(*a, rule="graded", tolerance=0.5).values,
    # As many samples as inputs: a list of targets then fits a chunk of samples, wrongly.
    "expected_gradients": lambda net, x, t: (
        expected_gradients(net, x, t, references=x.flip(0), samples=3).values
    ),
    "captum": lambda *a: captum_attribution("integrated_gradients", *a, steps=4).values,
    "captum, expected": lambda net, x, t: (
        captum_attribution("expected_gradients", net, x, t, references=x, samples=3).values
    ),
    "prior": lambda net, x, t: training_attributions(net, x, "x_gradient", target=t).detach(),
    "prior, expected": lambda net, x, t: _seeded(
        lambda: training_attributions(net, x, "expected_gradients:3", target=t).detach()
    ),
}
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


def _seeded(work: Callable[[], Tensor]) -> Tensor:
    torch.manual_seed(0)
    return work()


CLASSES = [0, 3, 1]
KINDS: dict[str, Any] = {
    "list": CLASSES,
    "tuple": tuple(CLASSES),
    "NumPy integers": [np.int64(k) for k in CLASSES],
    "tensors": [torch.tensor(k) for k in CLASSES],
    "array": np.array(CLASSES),
    "small array": np.array(CLASSES, dtype=np.uint8),
}


@every_method
@pytest.mark.parametrize("kind", KINDS)
def test_classes_of_any_kind(kind: str, method: Method, x_net: nn.Module, images: Tensor) -> None:
    expected = method(x_net, images, torch.tensor(CLASSES))
    assert not torch.equal(expected, method(x_net, images, torch.tensor([3, 0, 1])))
    assert torch.equal(method(x_net, images, KINDS[kind]), expected)


@pytest.mark.parametrize("target", [np.int64(2), np.array(2), torch.tensor(2)])
def test_one_class_of_any_kind(target: Any, x_net: nn.Module, images: Tensor) -> None:
    for method in METHODS.values():
        assert torch.equal(method(x_net, images, target), method(x_net, images, 2))
    sweep = ray_sweep(x_net, images[:1], target, cells=2, stops=(0, 1))
    assert sweep.target == 2


def test_a_sweep_takes_a_list_of_one_and_no_target_for_one_output(images: Tensor) -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(243, 1, bias=False)).double().eval()
    for route in ("sweep", "scaling"):
        found = [
            ray_sweep(net, images[:1], target, cells=2, stops=(0, 1), route=route)
            for target in (0, [0], None)
        ]
        assert {sweep.target for sweep in found} == {0}
        assert all(torch.equal(sweep.integrated, found[0].integrated) for sweep in found)


REFUSED: dict[str, tuple[Any, str]] = {
    "too few": ([0, 1], r"shape \(2,\) for 3 inputs; give one class, or one for each input \(3,\)"),
    "none": ([], r"shape \(0,\) for 3 inputs"),
    "two axes": (np.zeros((3, 1), dtype=int), r"shape \(3, 1\) for 3 inputs"),
    "fractions": ([0.0, 1.0, 2.0], "integers"),
    "fraction": (np.float64(1), "integers"),
    "booleans": (np.array([True, False, True]), "integers"),
    "words": (["a", "b", "c"], "integers"),
    "word": ("rooster", "'rooster'; class indices are integers"),
    "ragged": ([[0], [1, 2], [3]], "integers"),
    "above": ([0, 4, 1], "target 4 is out of range; classes run from 0 to 3"),
    "below": (np.array([-1, 0, 0]), "target -1 is out of range; classes run from 0 to 3"),
}


@every_method
@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_class(kind: str, method: Method, x_net: nn.Module, images: Tensor) -> None:
    target, message = REFUSED[kind]
    with pytest.raises(UserError, match=message):
        method(x_net, images, target)


def test_reading_a_target_leaves_the_array_alone() -> None:
    array = np.array(CLASSES)
    array.flags.writeable = False
    read = read_target(array, 3)
    assert isinstance(read, Tensor)
    assert read.dtype == torch.int64
    assert read_target(None, 3) is None
    assert read_target(np.array(2), 3) == 2


class Returning(nn.Module):
    """Returns more than logits, or in another shape."""

    def __init__(self, network: nn.Module, pack: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.network, self.pack = network, pack

    def forward(self, x: Tensor) -> object:
        return self.pack(self.network(x))


PACKED: dict[str, tuple[Callable[[Tensor], object], str]] = {
    "tuple": (lambda z: (z, z), "The network returns a tuple; needed is one tensor"),
    "dict": (lambda z: {"out": z}, "The network returns a dict; needed is one tensor"),
    "number": (lambda z: z.sum(), r"output has shape \(\); needed is \(B, classes\)"),
    "squeezed": (lambda z: z[0], r"returns 4 rows for \d inputs; needed is one row for each"),
    "maps": (lambda z: z[:, :, None], r"output has shape \(\d, 4, 1\); needed is \(B, classes\)"),
}


@every_method
@pytest.mark.parametrize("kind", PACKED)
def test_outputs_that_are_no_logits(
    kind: str, method: Method, x_net: nn.Module, images: Tensor
) -> None:
    pack, message = PACKED[kind]
    with pytest.raises(UserError, match=message):
        method(Returning(x_net, pack), images, 0)


MODES: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "inference mode": torch.inference_mode,
    "no gradients": torch.no_grad,
    "autocast to bfloat16": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "autocast to float16": lambda: torch.autocast("cpu", dtype=torch.float16),
}


@pytest.fixture
def single(x_net: nn.Module) -> nn.Module:
    """In float32, which autocast would take to 16 bits."""
    return x_net.float()


@every_method
@pytest.mark.parametrize("mode", MODES)
def test_a_callers_mode_changes_nothing(
    mode: str, method: Method, single: nn.Module, images: Tensor
) -> None:
    expected = method(single, images.float(), CLASSES)
    with MODES[mode]():
        before = (torch.is_grad_enabled(), torch.is_autocast_enabled("cpu"))
        inside = images.float()  # an inference tensor there
        target = torch.tensor(CLASSES)
        found = method(single, inside, target)
        assert before == (torch.is_grad_enabled(), torch.is_autocast_enabled("cpu"))
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)
    assert torch.equal(method(single, inside, target), expected), "made there, used outside"


@pytest.mark.parametrize("mode", MODES)
def test_sweeps_and_reports_in_a_callers_mode(mode: str, single: nn.Module, images: Tensor) -> None:
    def both(x: Tensor) -> tuple[Tensor, ...]:
        found = [
            ray_sweep(single, x, 2, cells=4, stops=(0, 0.5, 1), route=route, dtype=dtype).integrated
            for route in ("sweep", "scaling")
            for dtype in (None, torch.float64)
        ]
        assert inspect_homogeneity(single, x).is_homogeneous
        return tuple(found)

    expected = both(images[:1].float())
    with MODES[mode]():
        found = both(images[:1].float())
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)


def test_baselines_and_references_made_in_inference_mode(
    conv_net: nn.Module, images: Tensor
) -> None:
    with torch.inference_mode():
        other = torch.ones(1, 3, 9, 9, dtype=torch.float64)
    plain = other.clone()
    found = [
        integrated_gradients(conv_net, images, 0, baseline=start, steps=3).values
        for start in (other, plain)
    ]
    assert torch.equal(*found)
    found = [
        expected_gradients(conv_net, images, 0, references=data, samples=2).values
        for data in (other, plain)
    ]
    assert torch.equal(*found)


@every_method
@pytest.mark.parametrize("what", ["parameter", "buffer"])
def test_a_network_made_in_inference_mode_is_refused(
    what: str, method: Method, images: Tensor
) -> None:
    with torch.inference_mode():
        net = nn.Sequential(nn.Flatten(), nn.Linear(243, 4, bias=False)).double().eval()
    if what == "buffer":
        net = nn.Sequential(nn.Flatten(), nn.Linear(243, 4, bias=False)).double().eval()
        with torch.inference_mode():
            net.register_buffer("mean", torch.zeros(3))
    name = "1.weight" if what == "parameter" else "mean"
    with pytest.raises(UserError, match=rf"'{name}' of the network was made inside torch.infer"):
        method(net, images, 0)
