"""Means with their confidence intervals."""

from __future__ import annotations

import numpy as np
from scipy.special import stdtrit


def mean_and_band(values: np.ndarray) -> tuple[float, float]:
    """Mean of the values that are numbers, and half the width of its 95 % confidence band."""
    known = values[np.isfinite(values)].astype(np.float64)
    if len(known) < 2:
        return (float(known[0]) if len(known) else float("nan")), float("nan")
    half = stdtrit(len(known) - 1, 0.975) * known.std(ddof=1) / len(known) ** 0.5
    return float(known.mean()), float(half)
