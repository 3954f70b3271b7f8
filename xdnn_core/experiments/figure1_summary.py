"""Figure 1 as numbers: scores beside the paper's, in what order they differ, and their file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd
import torch

from xdnn_core.data.cohort import Cohort
from xdnn_core.experiments.provenance import Origin, load_result, origin, save_result
from xdnn_core.priors.methods import parse_method
from xdnn_core.priors.sweep import choose_strengths

FIGURE_METHODS: Final = (
    "none", "none_without_bias", "rrr", "gradient", "expected_gradients:1", "x_gradient",
)  # fmt: skip


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
PAPER_CHOSEN_STRENGTHS: Final = {
    "rrr": 0.1, "gradient": 0.1, "x_gradient": 1.0, "expected_gradients:1": 1.0,
}  # fmt: skip


@dataclass(frozen=True)
class Score:
    """Test ROC-AUC of one method at its chosen strength.

    Attributes
    ----------
    method, title
        Key ("expected_gradients:8") and readable name.
    samples
        References k; 0 for methods without.
    strength
        λ chosen by validation; 0 without a prior.
    mean, two_sem
        Over replicates with a test ROC-AUC: mean, and twice its standard error.
    replicates
        How many those are.
    undefined
        Replicates left out because a ROC-AUC is not defined.
    validation_mean
        Mean validation ROC-AUC at that strength, by which it was chosen.
    gini
        Mean Gini of the attributions at the best epoch.
    paper
        The paper's value, None where it published none.
    """

    method: str
    title: str
    samples: int
    strength: float
    mean: float
    two_sem: float
    replicates: int
    undefined: int
    validation_mean: float
    gini: float
    paper: PaperValue | None


@dataclass(frozen=True)
class Figure1:
    """Both panels.

    Attributes
    ----------
    cohort, cohort_title, outcome
        What it was trained on.
    rows, features
        Size of the cohort.
    replicates
        Asked for; each score says how many it has.
    methods
        Left panel.
    references
        Right panel: Expected Gradients by k, all at the strength chosen for k = 1.
    notes
        What a reader should know, and a sentence for each method that is above others here and
        below them in the paper.
    origin
        How it was made.
    """

    cohort: str
    cohort_title: str
    outcome: str
    rows: int
    features: int
    replicates: int
    methods: tuple[Score, ...]
    references: tuple[Score, ...]
    notes: tuple[str, ...]
    origin: Origin


def summarise(results: pd.DataFrame, cohort: Cohort, device: torch.device) -> Figure1:
    """Reduce per-replicate results to the two panels.

    Parameters
    ----------
    results
        From `run_figure1`.
    cohort
        That they were trained on.
    device
        Where.

    Returns
    -------
    Figure1
    """
    chosen = choose_strengths(results)
    scores = {key: _score(results, key, strength) for key, strength in chosen.items()}
    by_references = sorted(
        (score for key, score in scores.items() if key.startswith("expected_gradients")),
        key=lambda score: score.samples,
    )
    methods = tuple(scores[key] for key in FIGURE_METHODS if key in scores)
    return Figure1(
        cohort=cohort.name,
        cohort_title=cohort.title,
        outcome=cohort.outcome,
        rows=len(cohort),
        features=cohort.features.shape[1],
        replicates=int(results["replicate"].nunique()),
        methods=methods,
        references=tuple(by_references),
        notes=(*_caveats(cohort, methods), *_order_notes([*methods, *by_references])),
        origin=origin(device),
    )


def _score(results: pd.DataFrame, key: str, strength: float) -> Score:
    method = parse_method(key)
    at = (results["method"] == method.name) & (results["samples"] == method.samples)
    rows = results[at & (results["strength"] == strength)]
    tests = rows["test_auc"].dropna()
    return Score(
        method=key,
        title=method.title,
        samples=method.samples,
        strength=strength,
        mean=float(tests.mean()),
        two_sem=float(2 * tests.sem()),
        replicates=len(tests),
        undefined=len(rows) - len(tests),
        validation_mean=float(rows["validation_auc"].mean()),
        gini=float(rows["gini"].mean()),
        paper=PAPER.get(key),
    )


def _caveats(cohort: Cohort, methods: tuple[Score, ...]) -> list[str]:
    notes = []
    if cohort.name != "nhanes1":
        notes.append(
            f"Trained on {cohort.title} ({len(cohort):,} people, {cohort.features.shape[1]} "
            "features), not on the paper's NHANES I matrix (13,442 × 118): levels are not "
            "comparable, only the order of the methods is."
        )
    for score in methods:
        if score.undefined:
            notes.append(
                f"{score.title}: {score.undefined} replicates have no ROC-AUC and are left out."
            )
    return notes


def _order_notes(scores: list[Score]) -> list[str]:
    """For every method that is above others here and below them in the paper, a sentence."""
    known = list({score.method: score for score in scores if score.paper is not None}.values())
    notes = []
    for high in known:
        passed = [low for low in known if _order_differs(high, low)]
        close = [low for low in passed if _within_two_sem(high, low)]
        far = [low for low in passed if low not in close]
        if far:
            also = f"; within two standard errors also above {_names(close)}" if close else ""
            notes.append(f"{high.title} is above {_names(far)} here, in the paper below{also}.")
        elif close:
            notes.append(
                f"{high.title} is above {_names(close)} here, in the paper below; here within two "
                "standard errors."
            )
    return notes


def _order_differs(high: Score, low: Score) -> bool:
    """Whether the first is above the second here and below it in the paper."""
    assert high.paper is not None
    assert low.paper is not None
    return high.mean > low.mean and high.paper.mean < low.paper.mean


def _within_two_sem(first: Score, second: Score) -> bool:
    return abs(first.mean - second.mean) <= math.hypot(first.two_sem, second.two_sem)


def _names(scores: Sequence[Score]) -> str:
    """Titles in a row, Expected Gradients once for all k."""
    counts = [str(score.samples) for score in scores if score.samples]
    names = [score.title for score in scores if not score.samples]
    if counts:
        names.append(f"Expected Gradients (k = {', '.join(counts)})")
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def answer(figure: Figure1) -> str:
    """The sentence that matters: what does best, and what one gradient reaches."""
    by_method = {score.method: score for score in (*figure.methods, *figure.references)}
    best = max(by_method.values(), key=lambda score: score.mean)
    said = [
        f"**{score.title}**{role} **{score.mean:.3f}**{_gain(score, by_method['none'])}."
        for score, role in ((best, " does best:"), (by_method["x_gradient"], ", one gradient:"))
    ]
    return " ".join(said[:1] if best.method == "x_gradient" else said)


def _gain(score: Score, plain: Score) -> str:
    """How far a score is from that without a prior."""
    if score is plain:
        return ""
    difference = score.mean - plain.mean
    return f", {abs(difference):.3f} {'below' if difference < 0 else 'above'} no prior"


def save_results(path: Path, results: pd.DataFrame, figure: Figure1) -> None:
    """Write the per-replicate results with the summary, as every command does."""
    save_result(path, results, figure, "figure1")


def load_results(path: Path) -> tuple[pd.DataFrame, Figure1]:
    """Read what `save_results` wrote.

    Raises
    ------
    UserError
        If the file is not there or no such result.
    """
    results, values = load_result(path, "figure1")
    for panel in ("methods", "references"):
        values[panel] = tuple(
            Score(**score | {"paper": PaperValue(**score["paper"]) if score["paper"] else None})
            for score in values[panel]
        )
    values |= {"notes": tuple(values["notes"]), "origin": Origin(**values["origin"])}
    return results, Figure1(**values)


def describe(figure: Figure1) -> str:
    """Both panels as a table in plain text, with the notes."""
    lines = [
        f"{figure.cohort_title}: {figure.outcome}, {figure.rows:,} people, {figure.features} "
        f"features, {figure.replicates} replicates",
        "",
        f"{'method':<34}{'λ':>7}{'test ROC-AUC':>20}{'paper':>20}{'Gini':>8}",
    ]
    shown = dict.fromkeys([*figure.methods, *figure.references])
    for score in shown:
        paper = "" if score.paper is None else plus_minus(score.paper.mean, score.paper.two_sem)
        strength = f"{score.strength:g}" if parse_method(score.method).card.regularised else "–"
        lines.append(
            f"{score.title:<34}{strength:>7}{plus_minus(score.mean, score.two_sem):>20}"
            f"{paper:>20}{score.gini:>8.3f}"
        )
    return "\n".join([*lines, "", "± is two standard errors. λ was chosen on validation scores.",
                      *figure.notes])  # fmt: skip


def plus_minus(mean: float, two_sem: float | None) -> str:
    """A mean with twice its standard error, where there is one."""
    known = two_sem is not None and not math.isnan(two_sem)
    return f"{mean:.4f} ± {two_sem:.4f}" if known else f"{mean:.4f}"
