"""Attribution quality by masking: keep or remove the pixels an attribution ranks first.

A pixel's rank comes from the channel mean of the attribution. What is masked is replaced by a
heavy blur of the image, the network is run on the result, and the curve over the kept fraction is
reduced to its area.

Source: Hesse et al. 2021, Section 4.2 and Table 3, after Lundberg et al. 2020 (keep and remove,
positive, negative and absolute mask); Petsiuk et al. 2018 (insertion and deletion).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from xdnn_core.errors import UserError
from xdnn_core.homogeneity.checks import check_inputs

Order = Literal["positive", "negative", "absolute"]
Score = Literal["logit", "top1", "confidence"]

# Kept shares of the pixels, geometrically spaced as in the paper.
FRACTIONS: Final = tuple(np.geomspace(0.01, 1.0, 16).tolist())
# Of insertion and deletion: evenly spaced, from nothing to everything.
EVEN_FRACTIONS: Final = tuple(np.linspace(0.0, 1.0, 17).tolist())
_KERNEL: Final = 51  # pixels
_SIGMA: Final = 41.0  # pixels
# Masked images a forward pass: on a CPU those whose activations fit the caches.
_CPU_ROWS: Final = 16
_GPU_ROWS: Final = 128


@dataclass(frozen=True)
class MaskingMetric:
    """One way to mask and to score."""

    name: str
    title: str
    order: Order  # "positive": the largest values first, values ≤ 0 are never kept
    keep: bool  # the first of the order; False removes them
    score: Score  # of the target, or whether it is the prediction
    higher_is_better: bool
    fractions: tuple[float, ...] = FRACTIONS  # shares of the pixels that are kept
    # What stands where pixels are masked; "zero" is the mean image.
    background: Literal["blur", "zero"] = "blur"


MASKING_METRICS: Final = {
    metric.name: metric
    for metric in (
        MaskingMetric("KPM", "Keep positive mask", "positive", True, "logit", True),
        MaskingMetric("KNM", "Keep negative mask", "negative", True, "logit", False),
        MaskingMetric("KAM", "Keep absolute mask", "absolute", True, "top1", True),
        MaskingMetric("RAM", "Remove absolute mask", "absolute", False, "top1", False),
        MaskingMetric(
            "insertion", "Insertion", "positive", True, "confidence", True, EVEN_FRACTIONS
        ),
        MaskingMetric(
            "deletion", "Deletion", "positive", False, "confidence", False, EVEN_FRACTIONS, "zero"
        ),
    )
}

# The confidence of one image's class as its most important pixels are kept, or removed.
CONFIDENCE_CURVES: Final = {
    "keep": MaskingMetric("keep", "Keep", "positive", True, "confidence", True),
    "remove": MaskingMetric("remove", "Remove", "positive", False, "confidence", False),
}


def mask_blur(inputs: Tensor) -> Tensor:
    """Return images under the paper's blur, 51×51 pixels, the same shape (B, C, H, W).

    The kernel falls like exp(−(d / 2σ)²) with σ = 41, as the authors compute it, which is a
    Gaussian of standard deviation √2·σ; edges are mirrored.
    """
    reach = _KERNEL // 2
    distance = torch.arange(-reach, reach + 1, dtype=inputs.dtype, device=inputs.device)
    line = torch.exp(-((distance / (2 * _SIGMA)) ** 2))  # (51,)
    line = line / line.sum()
    channels = inputs.shape[1]
    padded = functional.pad(inputs, (reach,) * 4, mode="reflect")
    across = line.view(1, 1, 1, -1).expand(channels, 1, 1, -1)
    along = line.view(1, 1, -1, 1).expand(channels, 1, -1, 1)
    return functional.conv2d(
        functional.conv2d(padded, across, groups=channels), along, groups=channels
    )


def kept_pixels(attributions: Tensor, metric: MaskingMetric) -> Tensor:
    """Decide which pixels are kept at every fraction, (F, B, H, W)."""
    value = attributions.mean(dim=1).flatten(1)  # (B, C, H, W) -> (B, H*W)
    if metric.order == "negative":
        value = -value
    elif metric.order == "absolute":
        value = value.abs()
    pixels = value.shape[1]
    ranked = torch.ones_like(value, dtype=torch.bool)
    if metric.score != "confidence":
        ranked = value > 0
    # Unranked pixels go last, whichever end is kept.
    key = value if metric.keep else -value
    key = key.masked_fill(~ranked, -torch.inf)
    order = key.argsort(dim=1, descending=True, stable=True)
    rank = torch.empty_like(order)
    rank.scatter_(1, order, torch.arange(pixels, device=value.device).expand_as(order))
    counts = torch.tensor([int(f * pixels) for f in metric.fractions], device=value.device)
    kept = (rank < counts[:, None, None]) & ranked  # (F, B, H*W)
    return kept.view(len(counts), *attributions.shape[:1], *attributions.shape[2:])


def masking_curve(
    network: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    attributions: Tensor,
    metric: MaskingMetric,
    rows: int | None = None,
) -> Tensor:
    """Score the network on masked images, all fractions in one batched pass, (B, F)."""
    check_inputs(inputs)
    check_inputs(attributions, "attributions")
    if attributions.shape != inputs.shape or targets.shape != inputs.shape[:1]:
        raise UserError(
            f"inputs, attributions and targets have shapes {tuple(inputs.shape)}, "
            f"{tuple(attributions.shape)} and {tuple(targets.shape)}; give one attribution of the "
            "input's shape and one target an input."
        )
    on_cpu = inputs.device.type == "cpu"
    rows = rows or (_CPU_ROWS if on_cpu else _GPU_ROWS)
    background = mask_blur(inputs) if metric.background == "blur" else torch.zeros_like(inputs)
    # Convolutions on a CPU are a fifth faster with the channels innermost.
    layout = torch.channels_last if on_cpu else torch.contiguous_format
    inputs, background = (each.contiguous(memory_format=layout) for each in (inputs, background))
    kept = kept_pixels(attributions, metric)[:, :, None]  # (F, B, 1, H, W)
    count = len(kept)
    flat = kept.flatten(0, 1)  # (F*B, 1, H, W)
    which = torch.arange(len(inputs), device=inputs.device).repeat(count)  # (F*B,)
    scores: list[Tensor] = []
    with torch.no_grad():
        for start in range(0, len(flat), rows):
            index = which[start : start + rows]
            masked = torch.where(flat[start : start + rows], inputs[index], background[index])
            scores.append(_score(network(masked), targets[index], metric.score))
    return torch.cat(scores).view(count, len(inputs)).T.cpu()  # (F*B,) -> (B, F)


def _score(logits: Tensor, targets: Tensor, score: Score) -> Tensor:
    """Scores (b,) of logits (b, K), float64."""
    if score == "top1":
        return 100.0 * (logits.argmax(dim=1) == targets).double()
    values = logits.double()
    if score == "confidence":
        values = values.softmax(dim=1)
    return values.gather(1, targets[:, None])[:, 0]


def area_under(curve: Tensor, fractions: Sequence[float]) -> Tensor:
    """Return the area under curves (..., F) over the kept fraction, by trapezoids: (...)."""
    return torch.trapezoid(curve, torch.tensor(fractions, dtype=curve.dtype), dim=-1)
