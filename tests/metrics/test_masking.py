"""Masking metrics against a slow, obvious reference and known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate1d
from torch import Tensor, nn

from xdnn_core.errors import UserError
from xdnn_core.metrics.masking import (
    MASKING_METRICS,
    MaskingMetric,
    area_under,
    kept_pixels,
    mask_blur,
    masking_curve,
)


def small_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 5, stride=3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 18 * 18, 5)
    ).double()


def case(count: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    shape = (count, 3, 56, 56)
    inputs = torch.randn(shape, generator=generator, dtype=torch.float64)
    attributions = torch.randn(shape, generator=generator, dtype=torch.float64)
    return inputs, torch.arange(count) % 5, attributions


def obvious(
    network: nn.Module, x: Tensor, target: int, attribution: Tensor, metric: MaskingMetric
) -> list[float]:
    """One image, one fraction at a time, pixel by pixel."""
    value = attribution.mean(0).flatten().tolist()
    if metric.order == "negative":
        value = [-v for v in value]
    if metric.order == "absolute":
        value = [abs(v) for v in value]
    everything = metric.score == "confidence"
    order = sorted(range(len(value)), key=lambda i: -value[i] if metric.keep else value[i])
    order = [i for i in order if everything or value[i] > 0]
    blurred = mask_blur(x[None])[0] if metric.background == "blur" else torch.zeros_like(x)
    found = []
    for fraction in metric.fractions:
        masked = blurred.clone().flatten(1)
        for i in order[: math.floor(fraction * len(value))]:
            masked[:, i] = x.flatten(1)[:, i]
        logits = network(masked.view_as(x)[None])[0]
        if metric.score == "logit":
            found.append(float(logits[target].detach()))
        elif metric.score == "top1":
            found.append(100.0 * (int(logits.argmax()) == target))
        else:
            found.append(float(logits.softmax(0)[target].detach()))
    return found


@pytest.mark.parametrize("name", MASKING_METRICS)
@pytest.mark.parametrize("rows", [64, 5])
def test_the_batched_pass_equals_the_obvious_loop(name: str, rows: int) -> None:
    network, metric = small_network(), MASKING_METRICS[name]
    inputs, targets, attributions = case()
    curves = masking_curve(network, inputs, targets, attributions, metric, rows)
    for b in range(len(inputs)):
        wanted = obvious(network, inputs[b], int(targets[b]), attributions[b], metric)
        assert curves[b].tolist() == pytest.approx(wanted, rel=1e-12, abs=1e-12)


def test_the_blur_is_the_written_formula() -> None:
    x = torch.randn(1, 2, 60, 70, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    d = np.arange(-25, 26)
    line = np.exp(-((d / 82) ** 2))
    line /= line.sum()
    wanted = x[0].numpy()
    for axis in (1, 2):
        wanted = correlate1d(wanted, line, axis=axis, mode="mirror")
    assert np.allclose(mask_blur(x)[0].numpy(), wanted, atol=1e-12)
    flat = torch.full((1, 3, 60, 60), 0.7)
    assert torch.allclose(mask_blur(flat), flat)


def test_keeping_keeps_the_largest_and_removing_the_smallest() -> None:
    attribution = torch.arange(100.0).view(1, 1, 10, 10) - 50  # 49 of them are positive
    keep = kept_pixels(attribution, MASKING_METRICS["KPM"])
    counts = keep.flatten(1).sum(1).tolist()
    assert counts == [min(int(f * 100), 49) for f in MASKING_METRICS["KPM"].fractions]
    assert keep[0].flatten().nonzero().flatten().tolist() == [99]
    negative = kept_pixels(attribution, MASKING_METRICS["KNM"])
    assert negative[0].flatten().nonzero().flatten().tolist() == [0]
    removed = kept_pixels(attribution, MASKING_METRICS["RAM"])
    assert removed[0].flatten().nonzero().flatten().tolist() in ([49], [51]), "the smallest |value|"
    assert not removed[-1].flatten()[50], "a pixel of exactly 0 is never kept"


def test_everything_kept_is_the_image_and_a_perfect_attribution_beats_its_opposite() -> None:
    network, metric = small_network(), MASKING_METRICS["insertion"]
    inputs, _, attributions = case()
    targets = network(inputs).argmax(1)
    curve = masking_curve(network, inputs, targets, attributions, metric)
    full = network(inputs).softmax(1).gather(1, targets[:, None])[:, 0]
    assert torch.allclose(curve[:, -1], full)
    linear = nn.Sequential(nn.Flatten(), nn.Linear(3 * 56 * 56, 5, bias=False)).double()
    weight = linear[1].weight[targets].view_as(inputs)
    exact = (weight * (inputs - mask_blur(inputs))).detach()
    area = {
        sign: area_under(
            masking_curve(linear, inputs, targets, sign * exact, MASKING_METRICS["KPM"]),
            MASKING_METRICS["KPM"].fractions,
        )
        for sign in (1, -1)
    }
    assert (area[1] > area[-1]).all()


def test_areas() -> None:
    assert float(area_under(torch.tensor([0.0, 1.0, 1.0]).double(), (0.0, 0.5, 1.0))) == 0.75


def test_what_does_not_fit_is_refused() -> None:
    network, metric = small_network(), MASKING_METRICS["KAM"]
    inputs, targets, attributions = case()
    with pytest.raises(UserError, match="shapes"):
        masking_curve(network, inputs, targets, attributions[:, :, :9], metric)
    with pytest.raises(UserError, match="finite"):
        masking_curve(network, inputs, targets, attributions / 0, metric)


def test_deletion_is_pixel_flipping_of_quantus() -> None:
    """Where the definitions coincide: one channel, zero background, softmax, every 16th removed.

    The paper's four metrics have no counterpart there: Quantus has no measure that keeps pixels,
    none that leaves those of the other sign out, and none that scores over a blurred image with
    geometric steps.
    """
    quantus = pytest.importorskip(
        "quantus", exc_type=ImportError, reason="Quantus needs OpenCV, which needs libGL here"
    )
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(6 * 36, 5),
    ).eval()
    inputs, attributions = torch.randn(4, 1, 12, 12), torch.randn(4, 1, 12, 12)
    targets = torch.tensor([0, 3, 4, 1])
    flipping = quantus.PixelFlipping(
        features_in_step=12 * 12 // 16, perturb_baseline=0.0, normalise=False,
        disable_warnings=True,
    )  # fmt: skip
    theirs = flipping(
        model=network, x_batch=inputs.numpy(), y_batch=targets.numpy(),
        a_batch=attributions.numpy(), softmax=True,
    )  # fmt: skip
    ours = masking_curve(network, inputs, targets, attributions, MASKING_METRICS["deletion"])
    # Theirs removes 1/16, 2/16, ..., all; ours keeps nothing, 1/16, ..., all.
    wanted = torch.tensor(np.array(theirs)).flip(1)
    assert torch.allclose(ours[:, :-1], wanted.double(), atol=1e-6)
