"""Expected Gradients: draws, the formula, references, progress."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from xdnn_core.attribution.expected import draw_samples, expected_gradients


@pytest.fixture
def references() -> Tensor:
    return torch.randn(7, 3, 9, 9, dtype=torch.float64)


def test_linear_model_is_exact(linear_net: nn.Module) -> None:
    """(x − x')·w is linear in x', so only the mean of the drawn references matters."""
    x = torch.tensor([[3.0, -1.0]], dtype=torch.float64)
    data = torch.tensor([[0.0, 0.0], [1.0, 2.0], [-1.0, 5.0]], dtype=torch.float64)
    found = expected_gradients(linear_net, x, references=data, samples=50, seed=3)
    mean = data[draw_samples(1, 50, 3, seed=3).references[0]].mean(dim=0)
    expected = (x[0] - mean) * torch.tensor([2.0, -3.0])
    torch.testing.assert_close(found.values[0], expected, rtol=1e-13, atol=0)
    assert found.outputs.tolist() == [14]
    assert float(found.baseline_outputs) == pytest.approx(float(linear_net(mean).detach()))
    assert float(found.completeness_gap) < 1e-13
    assert found.gradient_calls == 50
    assert found.method == "expected_gradients"


def test_equals_the_formula_written_out(
    conv_net: nn.Module, images: Tensor, references: Tensor
) -> None:
    found = expected_gradients(
        conv_net, images, torch.tensor([1, 0, 3]), references=references, samples=5, seed=8
    )
    draws = draw_samples(3, 5, 7, seed=8)
    for b, target in enumerate([1, 0, 3]):
        total = torch.zeros(3, 9, 9, dtype=torch.float64)
        for k in range(5):
            chosen = references[draws.references[b, k]]
            t = draws.positions[b, k]
            at = (chosen + t * (images[b] - chosen)).requires_grad_()
            (slope,) = torch.autograd.grad(conv_net(at[None])[0, target], at)
            total += (images[b] - chosen) * slope / 5
        torch.testing.assert_close(found.values[b], total, rtol=0, atol=1e-13)
        outputs = conv_net(references[draws.references[b]])[:, target].detach()
        assert float(found.baseline_outputs[b]) == pytest.approx(float(outputs.mean()), rel=1e-12)


def test_draws_are_repeatable_and_leave_the_global_generator_alone() -> None:
    np.random.seed(5)
    expected = np.random.random()
    np.random.seed(5)
    first, again, other = (draw_samples(4, 100, 9, seed) for seed in (1, 1, 2))
    assert np.random.random() == expected
    assert np.array_equal(first.references, again.references)
    assert np.array_equal(first.positions, again.positions)
    assert not np.array_equal(first.positions, other.positions)
    assert first.references.shape == first.positions.shape == (4, 100)
    assert set(first.references.flatten().tolist()) == set(range(9))
    assert first.positions.min() >= 0
    assert first.positions.max() < 1


def test_many_samples_of_zero_are_integrated_gradients_from_zero(
    x_net: nn.Module, images: Tensor
) -> None:
    """With the one reference 0 an X-DNN's gradient is the same at every t."""
    zero = torch.zeros(1, 3, 9, 9, dtype=torch.float64)
    found = expected_gradients(x_net, images, 2, references=zero, samples=70)
    assert float(found.completeness_gap.max()) < 1e-12
    assert found.baseline_outputs.tolist() == [0, 0, 0]


def test_references_of_another_dtype(conv_net: nn.Module, images: Tensor) -> None:
    data = torch.randn(4, 3, 9, 9)
    found = expected_gradients(conv_net, images, 0, references=data, samples=4)
    expected = expected_gradients(conv_net, images, 0, references=data.double(), samples=4)
    assert torch.equal(found.values, expected.values)
    torch.testing.assert_close(found.baseline_outputs, expected.baseline_outputs)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (torch.zeros(4, 3, 8, 9), r"needed is \(R, 3, 9, 9\)"),
        (torch.zeros(0, 3, 9, 9), "references has shape"),
        (torch.full((2, 3, 9, 9), math.nan), "references holds 486 values"),
        (torch.zeros(2, 3, 9, 9, dtype=torch.long), "references has dtype"),
    ],
)
def test_bad_references(data: Tensor, message: str, conv_net: nn.Module, images: Tensor) -> None:
    with pytest.raises(ValueError, match=message):
        expected_gradients(conv_net, images, 0, references=data)


def test_other_bad_input(conv_net: nn.Module, images: Tensor, references: Tensor) -> None:
    with pytest.raises(ValueError, match="give 1 or more"):
        expected_gradients(conv_net, images, 0, references=references, samples=0)
    with pytest.raises(ValueError, match="classes run from 0 to 3"):
        expected_gradients(conv_net, images, 4, references=references)
    with pytest.raises(ValueError, match="give a class from 0 to 3"):
        expected_gradients(conv_net, images, references=references)
    images[0, 0, 0, 0] = math.nan
    with pytest.raises(ValueError, match="inputs holds 1 values"):
        expected_gradients(conv_net, images, 0, references=references)


def test_network_is_left_alone(
    conv_net: nn.Module, images: Tensor, references: Tensor, untouched: Callable
) -> None:
    check = untouched(conv_net)
    found = expected_gradients(conv_net, images, 0, references=references, samples=3)
    check()
    assert not found.values.requires_grad
    assert not found.baseline_outputs.requires_grad


class Cancelled(Exception):
    """Raised by a test's progress."""


def test_progress_counts_samples_and_may_cancel(
    conv_net: nn.Module, images: Tensor, references: Tensor
) -> None:
    """One image with many samples takes many chunks, each of which is a moment to cancel."""
    seen: list[tuple[int, int]] = []
    expected_gradients(
        conv_net, images[:1], 0, references=references, samples=80,
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    assert len(seen) > 1
    assert seen == sorted(seen)
    assert seen[-1] == (80, 80)

    def stop(done: int, total: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        expected_gradients(conv_net, images, 0, references=references, progress=stop)
