"""Paired accuracy: counted by hand, and against scikit-learn and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy.stats import binom
from sklearn.metrics import recall_score

from xdnn_core.metrics.classification import compare_classifiers, mean_per_class


@given(st.integers(0, 2**32 - 1))
def test_the_mean_over_classes_is_the_macro_recall(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, predicted = rng.integers(0, 7, (2, 60))
    own = mean_per_class(predicted == labels, labels)
    recall = recall_score(labels, predicted, labels=np.unique(labels), average="macro")
    assert own == pytest.approx(recall)


def test_mcnemar_as_printed_for_the_embedded_pair() -> None:
    """31 images right with biases alone, 16 without alone: p = 0.04, two-sided, exact."""
    agreed = 1450
    first = np.array([[0] * 31 + [1] * 16 + [0] * agreed])
    second = np.array([[1] * 31 + [0] * 16 + [0] * agreed])
    labels = np.arange(first.shape[1]) % 101
    found = compare_classifiers(first, second, labels)
    assert (found.only_first, found.only_second) == (31, 16)
    assert found.p == pytest.approx(2 * binom.cdf(16, 47, 0.5))
    assert found.p == pytest.approx(0.04, abs=5e-3)
    assert found.top1.value == pytest.approx(-15 / 1497)
    # Of a mean of −1, 0, 1, the normal interval is close to the bootstrap's.
    half = 1.96 * np.sqrt(47 / 1497 - (15 / 1497) ** 2) / np.sqrt(1497)
    assert found.top1.high - found.top1.low == pytest.approx(2 * half, rel=0.1)
    assert found.top1.high < 0
    assert found.top5.value == found.top5.low == found.top5.high == 0


def test_several_pairs_are_averaged_image_by_image() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, 300)
    first, second = rng.integers(0, 3, (2, 3, 300))
    mean = compare_classifiers(first, second, labels)
    each = [compare_classifiers(first[n : n + 1], second[n : n + 1], labels) for n in range(3)]
    for name in ("top1", "top5", "mean_per_class"):
        values = [getattr(one, name).value for one in each]
        assert getattr(mean, name).value == pytest.approx(np.mean(values))
    assert mean.p is None
    assert mean.only_first is None
    width = mean.top1.high - mean.top1.low
    assert all(one.top1.high - one.top1.low > width for one in each)
