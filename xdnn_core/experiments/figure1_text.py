"""Figure 1 in words: what its numbers say, and how sure that is."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import pandas as pd

from xdnn_core.experiments.figure1_differences import FIGURE_METHODS, PublishedOrder
from xdnn_core.experiments.figure1_summary import Figure1, Score
from xdnn_core.metrics.classification import Difference
from xdnn_core.priors.methods import parse_method


def summary_sentence(figure: Figure1) -> str:
    """The sentence that matters: what is not told apart from the best, what one gradient gains."""
    if not figure.like_the_best:
        return "No replicate has a ROC-AUC."
    best, *alike = (figure.scores[key] for key in figure.like_the_best)
    others = len(figure.scores) - 1
    text = f"**{best.title}** has the highest mean, **{best.mean:.3f}**{_gain(best)}; "
    if not alike:
        text += "all other methods are told apart from it"
    elif len(alike) == others:
        text += "no other method can be told apart from it"
    else:
        text += f"**{_names(alike)}** cannot be told apart from it"
    text += f" (paired t tests, Bonferroni-corrected for {others} comparisons, 5 %)."
    x = figure.scores["x_gradient"]
    if x is not best:
        text += f" **X-Gradient**, which takes one gradient: **{x.mean:.3f}**{_gain(x)}."
    return text


def _gain(score: Score) -> str:
    return "" if score.gain is None else f", {with_interval(score.gain)} over no prior"


def with_interval(difference: Difference) -> str:
    """A difference with its 95 % interval: ``"+0.0025 (−0.0028 to +0.0079)"``."""
    mean, low, high = (
        f"{each:+.4f}".replace("-", "−")
        for each in (difference.value, difference.low, difference.high)
    )
    return mean if math.isnan(difference.low) else f"{mean} ({low} to {high})"


def caveats(figure: Figure1) -> list[str]:
    """What a reader should know of these numbers."""
    sentences = []
    if figure.cohort != "nhanes1":
        sentences.append(
            f"Trained on {figure.cohort_title} ({figure.rows:,} people, {figure.features} "
            "features), not on the paper's NHANES I matrix (13,442 × 118): levels are not "
            "comparable, only the order of the methods is."
        )
    sentences += [
        "Intervals are over training draws and initial weights, for this cohort: a replicate "
        f"trains on {figure.train_rows} people and tests on {figure.test_rows:,}, of whom any "
        f"other replicate tests on about {100 * figure.test_rows / figure.rows:.0f} % too. They "
        "say nothing of other people.",
        "All methods share splits and initial weights, so differences are paired over replicates. "
        "Their 95 % intervals each stand for themselves. The highest mean is chosen on these test "
        "scores and so tends to be a little too high.",
    ]
    left_out = [score for score in figure.scores.values() if score.undefined]
    sentences += [
        f"{score.title}: {score.undefined} of {score.replicates + score.undefined} replicates have "
        "no ROC-AUC and are left out, in differences with their partners."
        for score in left_out
    ]
    return sentences + order_caveats(figure.orders)


def order_caveats(orders: Sequence[PublishedOrder]) -> list[str]:
    """How the order of the methods compares with the paper's."""
    if not orders:
        return []
    count = Counter(order.verdict for order in orders)
    sentences = [
        f"The paper gives the order of {len(orders)} pairs of these methods. Here {count['same']} "
        f"stand the same way, {count['reversed']} the other way round, and {count['open']} cannot "
        f"be told apart (paired t tests, Holm-corrected for {len(orders)} pairs, 5 %)."
    ]
    above = [
        f"{parse_method(order.difference.second).title} {with_interval(order.difference.flipped)}"
        f"{'' if order.verdict == 'reversed' else ', not told apart'}"
        for order in orders
        if order.difference.first == "x_gradient"
        and order.difference.second in FIGURE_METHODS
        and order.difference.value < 0
    ]
    if above:
        sentences.append(
            "The paper has X-Gradient above every other method of its left panel. Here the mean is "
            f"higher for {'; '.join(above)}."
        )
    return sentences


def other_way_round(orders: Sequence[PublishedOrder]) -> list[PublishedOrder]:
    """The pairs that stand the other way round than in the paper, told apart or not."""
    return [order for order in orders if order.difference.value < 0]


def order_row(order: PublishedOrder) -> dict[str, str]:
    """One of those pairs for a table, the one that is higher here first."""
    here = order.difference.flipped
    return {
        "higher here": parse_method(here.first).title,
        "higher in the paper": parse_method(here.second).title,
        "difference (95 %)": with_interval(here),
        "p, Holm": f"{order.p_holm:.3g}" if order.p_holm >= 0.0001 else "< 0.0001",
        "told apart": "yes" if order.verdict == "reversed" else "no",
    }


def _names(scores: Sequence[Score]) -> str:
    """Titles in a row, Expected Gradients once for all k."""
    counts = [str(samples) for samples in sorted(score.samples for score in scores) if samples]
    names = [score.title for score in scores if not score.samples]
    if counts:
        names.append(f"Expected Gradients (k = {', '.join(counts)})")
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def describe(figure: Figure1) -> str:
    """Both panels as a table in plain text, with the notes."""
    lines = [
        f"{figure.cohort_title}: {figure.outcome}, {figure.rows:,} people, {figure.features} "
        f"features, {figure.replicates} replicates",
        "",
        f"{'method':<34}{'λ':>7}{'test ROC-AUC':>20}{'gain over no prior':>32}{'paper':>20}"
        f"{'Gini':>8}",
    ]
    for score in figure.scores.values():
        paper = "" if score.paper is None else plus_minus(score.paper.mean, score.paper.two_sem)
        strength = f"{score.strength:g}" if parse_method(score.method).card.regularised else "–"
        gain = "" if score.gain is None else with_interval(score.gain)
        lines.append(
            f"{score.title:<34}{strength:>7}{plus_minus(score.mean, score.two_sem):>20}"
            f"{gain:>32}{paper:>20}{score.gini:>8.3f}"
        )
    lines += ["", "± is two standard errors of a mean, brackets hold the 95 % interval of a paired "
              "difference. λ was chosen on validation scores.",
              summary_sentence(figure).replace("**", ""), *caveats(figure)]  # fmt: skip
    table = pd.DataFrame([order_row(order) for order in other_way_round(figure.orders)])
    lines += ["", table.to_string(index=False)] if len(table) else []
    return "\n".join(lines)


def plus_minus(mean: float, two_sem: float | None) -> str:
    """A mean with twice its standard error, where there is one."""
    has_error = two_sem is not None and not math.isnan(two_sem)
    return f"{mean:.4f} ± {two_sem:.4f}" if has_error else f"{mean:.4f}"
