"""How often classifiers are right, and whether two of them differ on the same images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from xdnn_core.metrics.intervals import bootstrap_interval

_RESAMPLES = 9_999


def mean_per_class(hits: NDArray[Any], labels: NDArray[np.integer]) -> float:
    """Average over the classes of the mean of their images' values."""
    images = np.bincount(labels)
    sums = np.bincount(labels, weights=hits)
    return float((sums[images > 0] / images[images > 0]).mean())


@dataclass(frozen=True)
class Difference:
    """Second minus first, image by image, averaged."""

    value: float
    low: float  # percentile bootstrap interval over the images, 95 %
    high: float


@dataclass(frozen=True)
class PairedAccuracy:
    """How a second classifier differs from a first one on the same images."""

    top1: Difference  # differences in accuracy; means where there are several pairs
    top5: Difference  # differences in accuracy; means where there are several pairs
    mean_per_class: Difference  # differences in accuracy; means where there are several pairs
    only_first: int | None  # images it alone names right; None where there are several pairs
    only_second: int | None
    p: float | None  # McNemar's exact test of these two numbers, two-sided; None for several pairs


def compare_classifiers(
    first: NDArray[np.integer], second: NDArray[np.integer], labels: NDArray[np.integer]
) -> PairedAccuracy:
    """Compare two classifiers, or the mean of several pairs of them, image by image.

    Source: McNemar 1947; Efron 1979.
    """

    def mean(values: NDArray[Any], _: NDArray[np.integer]) -> float:
        return float(values.mean())

    by_place = {k: ((second < k).mean(axis=0) - (first < k).mean(axis=0)) for k in (1, 5)}  # (N,)
    only_first = only_second = p = None
    if len(first) == 1:
        only_first, only_second = (int((by_place[1] == sign).sum()) for sign in (-1, 1))
        discordant = only_first + only_second
        p = float(binomtest(only_first, discordant).pvalue) if discordant else 1.0
    return PairedAccuracy(
        _difference(by_place[1], labels, mean),
        _difference(by_place[5], labels, mean),
        _difference(by_place[1], labels, mean_per_class),
        only_first,
        only_second,
        p,
    )


def _difference(
    values: NDArray[Any],
    labels: NDArray[np.integer],
    statistic: Callable[[NDArray[Any], NDArray[np.integer]], float],
) -> Difference:
    """A statistic of the images' differences (N,), with its interval."""
    value = statistic(values, labels)
    if not values.any():
        return Difference(value, value, value)
    interval = bootstrap_interval(
        np.arange(len(values)), lambda drawn: statistic(values[drawn], labels[drawn]), _RESAMPLES
    )
    return Difference(value, *interval)
