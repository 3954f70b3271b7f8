"""Means and their intervals: known answers."""

import numpy as np
import pytest
from scipy import stats

from xdnn_core.metrics.intervals import bootstrap_interval, mean_and_band


def test_the_band_is_students_t_over_the_numbers_there_are() -> None:
    values = np.array([0.5, np.nan, 0.7, 0.9, np.inf])
    mean, half = mean_and_band(values)
    low, high = stats.t.interval(0.95, 2, loc=0.7, scale=stats.sem([0.5, 0.7, 0.9]))
    assert (mean - half, mean + half) == pytest.approx((low, high))
    assert mean_and_band(values[:1])[0] == 0.5
    assert np.isnan(mean_and_band(values[:1])[1])
    assert np.isnan(mean_and_band(values[1:2])).all()


def test_the_bootstrap_interval_of_a_mean_is_the_normal_one_of_many() -> None:
    values = np.arange(100.0)
    low, high = bootstrap_interval(values)
    assert low < 49.5 < high
    assert high - low == pytest.approx(2 * 1.96 * values.std(ddof=1) / 10, rel=0.1)
    assert bootstrap_interval(values) == (low, high)
    assert bootstrap_interval(np.ones(5)) == (1.0, 1.0)
    assert bootstrap_interval(np.array([3.0])) == (3.0, 3.0)


def test_drawing_images_or_their_values_is_the_same() -> None:
    values = np.random.default_rng(1).integers(-1, 2, 40)
    drawn = bootstrap_interval(np.arange(40), lambda images: float(values[images].mean()))
    assert drawn == bootstrap_interval(values)
