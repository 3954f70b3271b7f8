"""What the methods of Figure 1 differ by: on the stored results, and on made scores."""

from functools import cache
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from xdnn_core.data.cohorts.load import load_cohort
from xdnn_core.data.cohorts.splitting import split_cohort
from xdnn_core.experiments.figure1_differences import (
    like_the_best,
    paired_difference,
    published_orders,
)
from xdnn_core.experiments.figure1_summary import Figure1, load_results
from xdnn_core.experiments.figure1_text import caveats, other_way_round, summary_sentence
from xdnn_core.io import RESULTS

NHEFS, SUBSET = "nhefs", "nhanes-i-subset"


@cache
def stored(name: str) -> tuple[pd.DataFrame, Figure1]:
    return load_results(RESULTS / f"figure1-{name}.parquet")


def scores_of(name: str) -> pd.DataFrame:
    """Test ROC-AUC at the chosen λ, straight from the rows."""
    rows, figure = stored(name)
    return pd.DataFrame(
        {
            key: rows[
                (rows["method"] == key.partition(":")[0])
                & (rows["samples"] == score.samples)
                & (rows["strength"] == score.strength)
            ].set_index("replicate")["test_auc"]
            for key, score in figure.scores.items()
        }
    )


def key(short: str) -> str:
    return {"XG": "x_gradient", "RRR": "rrr", "Gradient": "gradient"}.get(
        short, f"expected_gradients:{short[2:]}"
    )


@pytest.mark.parametrize(
    ("cohort", "first", "second", "mean", "two_sem"),
    [
        (NHEFS, "EG4", "XG", 0.0063, 0.0032),
        (NHEFS, "EG8", "XG", 0.0047, 0.0033),
        (NHEFS, "EG16", "XG", 0.0048, 0.0028),
        (NHEFS, "EG1", "EG2", 0.0037, 0.0024),
        (NHEFS, "EG1", "EG4", 0.0067, 0.0021),
        (NHEFS, "EG1", "EG128", 0.0066, 0.0028),
        (SUBSET, "EG2", "XG", 0.0059, 0.0035),
        (SUBSET, "EG8", "XG", 0.0061, 0.0035),
        (SUBSET, "EG16", "XG", 0.0065, 0.0040),
        (SUBSET, "RRR", "XG", 0.0080, 0.0030),
        (SUBSET, "Gradient", "XG", 0.0072, 0.0031),
    ],
)
def test_differences_that_unpaired_errors_hide(
    cohort: str, first: str, second: str, mean: float, two_sem: float
) -> None:
    _, figure = stored(cohort)
    (order,) = (
        order
        for order in figure.orders
        if {order.difference.first, order.difference.second} == {key(first), key(second)}
    )
    apart = order.difference
    if apart.first != key(first):
        apart = apart.flipped
    assert apart.value == pytest.approx(mean, abs=5e-5)
    students_t = stats.t.ppf(0.975, apart.replicates - 1)
    assert (apart.high - apart.low) / students_t == pytest.approx(two_sem, abs=5e-5)
    assert apart.low > 0, "its own interval leaves out 0"
    scores = scores_of(cohort)
    assert apart.p == pytest.approx(stats.ttest_rel(scores[key(first)], scores[key(second)]).pvalue)
    if (first, second) not in {("RRR", "XG"), ("Gradient", "XG")}:
        one, other = (figure.scores[key(each)] for each in (first, second))
        unpaired = np.hypot(one.two_sem, other.two_sem)
        assert abs(one.mean - other.mean) < unpaired, "what was called within two standard errors"


def test_what_cannot_be_told_apart_from_the_best() -> None:
    _, nhefs = stored(NHEFS)
    assert nhefs.like_the_best == ("expected_gradients:1",)
    assert "all other methods are told apart from it" in summary_sentence(nhefs)
    _, subset = stored(SUBSET)
    assert subset.like_the_best[0] == "rrr"
    left_out = set(subset.scores) - set(subset.like_the_best)
    assert left_out == {"x_gradient", "none", "none_without_bias"}
    assert (
        "Gradient and Expected Gradients (k = 1, 2, 4, 8, 16)** cannot be told"
        in summary_sentence(subset)
    )


def test_the_papers_order_of_x_gradient_is_contradicted_where_it_prints_no_number() -> None:
    _, figure = stored(SUBSET)
    said = caveats(figure)[-1]
    assert "RRR +0.0080 (+0.0050 to +0.0110); Gradient +0.0072 (+0.0041 to +0.0103)" in said
    assert "Expected Gradients (k = 1) +0.0035 (−0.0007 to +0.0076), not told apart" in said
    reversed_pairs = {
        (order.difference.second, order.difference.first)
        for order in other_way_round(figure.orders)
        if order.verdict == "reversed"
    }
    assert ("rrr", "x_gradient") in reversed_pairs
    assert ("gradient", "x_gradient") in reversed_pairs


def test_orders_count_up_and_are_corrected_by_holm() -> None:
    _, figure = stored(NHEFS)
    assert len(figure.orders) == 11 * 10 // 2 + 2  # eleven printed numbers; RRR and Gradient
    p = [order.difference.p for order in figure.orders]
    assert p == sorted(p)
    # Holm's rule step by step: reject while p_(i) ≤ 5 % / (m − i + 1).
    rejected = 0
    while rejected < len(p) and p[rejected] * (len(p) - rejected) < 0.05:
        rejected += 1
    assert [order.verdict != "open" for order in figure.orders] == [
        place < rejected for place in range(len(p))
    ]
    assert (
        "Here 23 stand the same way, 15 the other way round, and 19 cannot" in caveats(figure)[-2]
    )


def test_a_gain_over_no_prior_has_its_interval() -> None:
    scores = scores_of(NHEFS)
    _, figure = stored(NHEFS)
    gain = figure.scores["x_gradient"].gain
    assert gain is not None
    expected = stats.ttest_rel(scores["x_gradient"], scores["none"]).confidence_interval(0.95)
    assert (gain.low, gain.high) == pytest.approx(tuple(expected), abs=1e-12)


def test_most_test_people_are_the_same_in_every_replicate() -> None:
    cohort = load_cohort("nhefs")
    tests = [set(split_cohort(cohort, seed).test.tolist()) for seed in range(40)]
    shared = np.mean([len(a & b) / len(a) for a, b in combinations(tests, 2)])
    _, figure = stored(NHEFS)
    assert {len(test) for test in tests} == {figure.test_rows}
    assert shared == pytest.approx(figure.test_rows / figure.rows, abs=0.002)
    assert any("any other replicate tests on about 88 % too" in note for note in caveats(figure))


def test_the_best_is_left_out_no_more_often_than_it_says() -> None:
    """All methods truly alike, so that each is a best one: the worst case of the guarantee."""
    rng = np.random.default_rng(0)
    lost = 0
    for _ in range(400):
        common = rng.normal(size=(30, 1))
        scores = pd.DataFrame(
            0.7 + 0.01 * (common + rng.normal(size=(30, 8))), columns=[*"abcdefgh"]
        )
        lost += "a" not in like_the_best(scores)
    assert lost <= 0.05 * 400 + 3 * np.sqrt(0.05 * 0.95 * 400)


def test_replicates_without_a_partner_are_left_out() -> None:
    nan = float("nan")
    scores = pd.DataFrame({"a": [0.7, 0.8, nan, 0.9], "b": [0.6, nan, 0.5, 0.7]})
    apart = paired_difference(scores, "a", "b")
    assert (apart.replicates, apart.left_out) == (2, 2)
    assert apart.value == pytest.approx(0.15)
    single = paired_difference(scores.head(2), "a", "b")
    assert single.value == pytest.approx(0.1)
    assert np.isnan([single.low, single.high, single.p]).all()
    assert published_orders(scores) == ()
