"""Means and other statistics with their confidence intervals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit
from scipy.stats import bootstrap


def mean_and_band(values: NDArray[Any]) -> tuple[float, float]:
    """Mean of the values that are numbers, and half the width of its 95 % confidence band."""
    numbers = values[np.isfinite(values)].astype(np.float64)
    if len(numbers) < 2:
        return (float(numbers[0]) if len(numbers) else float("nan")), float("nan")
    half = stdtrit(len(numbers) - 1, 0.975) * numbers.std(ddof=1) / len(numbers) ** 0.5
    return float(numbers.mean()), float(half)


def bootstrap_interval(
    sample: NDArray[Any],
    statistic: Callable[..., Any] = np.mean,
    resamples: int = 2_000,
    level: float = 0.95,
) -> tuple[float, float]:
    """Percentile bootstrap interval of a statistic of a sample (N,), one entry an image.

    Differences of two methods on the same images are paired by giving them as the sample.

    References
    ----------
    Efron 1979, Bootstrap Methods: Another Look at the Jackknife.
    """
    if len(sample) == 1:  # every resample is that image
        return float(statistic(sample)), float(statistic(sample))
    interval = bootstrap(
        (sample,), statistic, n_resamples=resamples, confidence_level=level, method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    return float(interval.low), float(interval.high)
