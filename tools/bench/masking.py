"""The masking pass of Table 3: all fractions of an image together, against one after the other.

    python -m tools.bench masking

The loop masks, runs and scores one fraction of one image at a time, as the metrics are usually
written. Both give the same curves; the largest difference is printed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import torch
from torch import Tensor

from tools.bench.attribution import photographs
from tools.bench.report import (
    Report,
    Row,
    add_common_arguments,
    circumstances,
    finish,
    require_positive,
)
from xdnn_core.attribution.gradients import input_x_gradient
from xdnn_core.device import full_float32, resolve_device
from xdnn_core.experiments.measuring import interleaved_seconds
from xdnn_core.metrics.masking import MASKING_METRICS, MaskingMetric, mask_blur, masking_curve
from xdnn_core.models.catalogue import EMBEDDED
from xdnn_core.models.zoo import PretrainedModel, load_model

TARGET: Final = 2.0  # times as fast, on a CPU


@dataclass(frozen=True)
class MaskingReport(Report):
    """What was measured."""

    together: float  # median seconds of all metrics over all images
    one_by_one: float
    by_metric: dict[str, float]  # one_by_one / together for each metric
    apart: float  # largest difference of a score

    def table(self) -> list[Row]:
        """The ratios, beside their targets."""
        target, ratio = TARGET if self.device == "CPU" else None, self.one_by_one / self.together
        return [
            Row("all metrics, one by one / together", ratio, target, at_least=True),
            *(Row(f"  {name}", ratio) for name, ratio in self.by_metric.items()),
        ]

    def lines(self) -> list[str]:
        """Both ways."""
        return [
            f"all metrics, all fractions together {self.together:>8.2f} s",
            f"one fraction of one image at a time {self.one_by_one:>8.2f} s",
            f"Scores differ by {self.apart:.1e} at most.",
        ]


def curve_one_by_one(
    model: PretrainedModel, image: Tensor, target: int, attribution: Tensor, metric: MaskingMetric
) -> Tensor:
    """The curve of one image (1, C, H, W), one fraction after the other: (F,), float64."""
    value = attribution.mean(dim=1).flatten()  # (1, C, H, W) -> (H*W,)
    if metric.order != "positive":
        value = -value if metric.order == "negative" else value.abs()
    ranked = value > 0 if metric.score != "confidence" else torch.ones_like(value).bool()
    scores = []
    for fraction in metric.fractions:
        background = mask_blur(image) if metric.background == "blur" else torch.zeros_like(image)
        # Unranked pixels go last, whichever end is kept.
        key = (value if metric.keep else -value).masked_fill(~ranked, -torch.inf)
        first = key.argsort(descending=True, stable=True)[: int(fraction * len(key))]
        kept = torch.zeros_like(ranked)
        kept[first] = True
        kept = (kept & ranked).view(1, 1, *image.shape[2:])
        with torch.no_grad():
            logits = model.network(torch.where(kept, image, background))[0]
        scores.append(_score_one(logits, target, metric))
    return torch.tensor(scores, dtype=torch.float64)


def _score_one(logits: Tensor, target: int, metric: MaskingMetric) -> float:
    """Score of logits (K,)."""
    if metric.score == "top1":
        return 100.0 * (int(logits.argmax()) == target)
    values = logits.double()
    return float((values.softmax(dim=0) if metric.score == "confidence" else values)[target])


@full_float32()
def measure(images: int, repeats: int, device: torch.device) -> MaskingReport:
    """Measure all metrics on gallery photographs."""
    model = load_model(EMBEDDED[0][0], device)
    x, targets = photographs(model, "camera", images)
    maps = input_x_gradient(model.network, x, targets).values

    def together(metric: MaskingMetric) -> Tensor:
        return masking_curve(model.network, x, targets, maps, metric)

    def one_by_one(metric: MaskingMetric) -> Tensor:
        single = [
            curve_one_by_one(model, x[i : i + 1], int(targets[i]), maps[i : i + 1], metric)
            for i in range(len(x))
        ]
        return torch.stack(single)

    metrics = list(MASKING_METRICS.values())
    apart = max(float((together(m) - one_by_one(m)).abs().max()) for m in metrics)  # warms up
    works: list[Callable[[], object]] = [
        partial(way, metric) for metric in metrics for way in (together, one_by_one)
    ]
    seconds = interleaved_seconds(works, repeats, device)
    batched, looped = seconds[::2], seconds[1::2]
    return MaskingReport(
        *circumstances(device, f"{images} photographs", repeats),
        together=sum(batched),
        one_by_one=sum(looped),
        by_metric={
            m.name: slow / fast for m, slow, fast in zip(metrics, looped, batched, strict=True)
        },
        apart=apart,
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``python -m tools.bench masking``."""
    add_common_arguments(parser, repeats=5)
    parser.add_argument("--images", type=int, default=4, help="in the batch (default: 4)")


def main(args: argparse.Namespace) -> int:
    """Run ``python -m tools.bench masking``; returns the exit status."""
    require_positive(repeats=args.repeats, images=args.images)
    report = measure(args.images, args.repeats, resolve_device(args.device))
    return finish(report, args.json)
