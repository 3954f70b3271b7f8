"""Differences between the methods of Figure 1, paired over replicates.

Replicate i of every method has the same split and the same seed of its weights, so scores rise and
fall together (correlation 0.55 to 0.97 on NHEFS): methods are compared replicate by replicate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations
from typing import Final, Literal

import numpy as np
import pandas as pd
from scipy.stats import ttest_1samp

from xdnn_core.metrics.classification import Difference
from xdnn_core.metrics.intervals import mean_and_band

FIGURE_METHODS: Final = (
    "none", "none_without_bias", "rrr", "gradient", "expected_gradients:1", "x_gradient",
)  # fmt: skip
LEVEL: Final = 0.05  # of all tests, after their correction

Verdict = Literal["same", "reversed", "open"]


@dataclass(frozen=True)
class PaperValue:
    """A number of the paper: mean test ROC-AUC over 200 replicates and twice its standard error.

    `two_sem` is None where it was not published.
    """

    mean: float
    two_sem: float | None


# Recomputed from the authors' published per-replicate results (Hesse et al. 2021, Figure 1).
PAPER: Final[dict[str, PaperValue]] = {
    "none": PaperValue(0.7077, 0.0042),
    "none_without_bias": PaperValue(0.7056, 0.0047),
    "x_gradient": PaperValue(0.7673, None),
    "expected_gradients:1": PaperValue(0.7486, 0.0058),
    "expected_gradients:2": PaperValue(0.7518, 0.0059),
    "expected_gradients:4": PaperValue(0.7603, 0.0054),
    "expected_gradients:8": PaperValue(0.7607, 0.0057),
    "expected_gradients:16": PaperValue(0.7640, 0.0055),
    "expected_gradients:32": PaperValue(0.7679, 0.0048),
    "expected_gradients:64": PaperValue(0.7687, 0.0050),
    "expected_gradients:128": PaperValue(0.7722, 0.0047),
}


@dataclass(frozen=True)
class ScoreDifference(Difference):
    """Test ROC-AUC of one method minus another's, mean over replicates.

    The 95 % interval (Student's t) stands for itself: it is not widened for other comparisons. NaN
    with fewer than two replicates.
    """

    first: str  # method key
    second: str
    p: float  # of the two-sided paired t test
    replicates: int  # how many have both scores
    left_out: int  # and how many do not

    @property
    def flipped(self) -> ScoreDifference:
        """The second method minus the first."""
        return replace(
            self,
            first=self.second, second=self.first, value=-self.value, low=-self.high, high=-self.low,
        )  # fmt: skip


@dataclass(frozen=True)
class PublishedOrder:
    """Two methods whose order the paper gives."""

    difference: ScoreDifference  # the method that is higher in the paper minus the other one, here
    p_holm: float  # p corrected by Holm's method for all pairs whose order the paper gives
    verdict: Verdict  # ``"same"`` or ``"reversed"`` if p_holm is below 5 %, else ``"open"``


def paired_difference(scores: pd.DataFrame, first: str, second: str) -> ScoreDifference:
    """Compare two methods replicate by replicate."""
    differences = (scores[first] - scores[second]).dropna().to_numpy()
    count = len(differences)
    mean, half = mean_and_band(differences)
    p = float(ttest_1samp(differences, 0).pvalue) if count > 1 else float("nan")
    return ScoreDifference(
        mean, mean - half, mean + half, first, second, p, count, len(scores) - count
    )


def like_the_best(scores: pd.DataFrame) -> tuple[str, ...]:
    """The methods that cannot be told apart from the best one.

    Every method is compared with the one whose mean is highest, by one-sided paired t tests at
    5 % divided by the number of comparisons. Should the truly best method be left out, it lost
    one of its own comparisons by chance; so it is among those returned with 95 % confidence,
    although the highest mean is chosen on the same scores.

    References
    ----------
    Gupta 1965, On Some Multiple Decision (Selection and Ranking) Rules; Hsu 1996, Multiple
    Comparisons, Chapter 4 (comparisons with the best); Bonferroni's correction.
    """
    means = scores.mean().dropna().sort_values(ascending=False, kind="stable")
    best, others = means.index[:1], means.index[1:]
    return (*best, *(key for key in others if not _is_below(scores, key, best[0], len(others))))


def _is_below(scores: pd.DataFrame, key: str, best: str, comparisons: int) -> bool:
    lead = paired_difference(scores, best, key)
    return lead.value > 0 and lead.p / 2 * comparisons < LEVEL


def published_orders(scores: pd.DataFrame) -> tuple[PublishedOrder, ...]:
    """Compare every two methods whose order the paper gives.

    References
    ----------
    Holm 1979, A Simple Sequentially Rejective Multiple Test Procedure.
    """
    pairs = [pair for pair in permutations(scores.columns, 2) if is_above_in_paper(*pair)]
    differences = sorted(
        (paired_difference(scores, *pair) for pair in pairs),
        key=lambda difference: (np.isnan(difference.p), difference.p),
    )
    p = np.array([difference.p for difference in differences])
    corrected = np.maximum.accumulate(np.minimum(p * np.arange(len(p), 0, -1), 1))
    return tuple(
        PublishedOrder(difference, p_holm, _verdict(difference, p_holm))
        for difference, p_holm in zip(differences, corrected.tolist(), strict=True)
    )


def is_above_in_paper(first: str, second: str) -> bool:
    """Whether the paper has the first method above the second one.

    By its numbers; where it prints none, by its text, which has X-Gradient above every other
    method of the left panel (Hesse et al. 2021, Section 4.3).
    """
    if first in PAPER and second in PAPER:
        return PAPER[first].mean > PAPER[second].mean
    return first == "x_gradient" and second in FIGURE_METHODS


def _verdict(difference: ScoreDifference, p_holm: float) -> Verdict:
    if not p_holm < LEVEL:
        return "open"
    return "same" if difference.value > 0 else "reversed"
