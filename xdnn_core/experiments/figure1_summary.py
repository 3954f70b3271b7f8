"""Figure 1 as numbers: scores, what they differ by, and their file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from xdnn_core.data.cohorts.cohort import Cohort
from xdnn_core.data.cohorts.splitting import split_sizes
from xdnn_core.experiments.figure1_differences import (
    FIGURE_METHODS,
    PAPER,
    PaperValue,
    PublishedOrder,
    ScoreDifference,
    like_the_best,
    paired_difference,
    published_orders,
)
from xdnn_core.experiments.provenance import Provenance, load_result, provenance, save_result
from xdnn_core.priors.methods import PriorMethod, parse_method
from xdnn_core.priors.sweep import choose_strengths

_COHORT_FACTS = ("cohort", "cohort_title", "outcome", "rows", "features")


@dataclass(frozen=True)
class Score:
    """Test ROC-AUC of one method at one strength."""

    method: str  # key, "expected_gradients:8"
    title: str
    samples: int  # references k; 0 for methods without
    strength: float  # λ; 0 without a prior
    mean: float  # over replicates with a test ROC-AUC
    two_sem: float  # twice the standard error of that mean
    replicates: int  # how many those are
    undefined: int  # replicates left out because a ROC-AUC is not defined
    validation_mean: float  # of the validation ROC-AUC, by which λ is chosen
    gini: float  # mean Gini of the attributions at the best epoch
    # Over no prior, paired; None for no prior itself, and at a λ that was not chosen.
    gain: ScoreDifference | None = None
    paper: PaperValue | None = None  # the paper's value at its chosen λ, where it published one


@dataclass(frozen=True)
class Figure1:
    """Both panels of the figure, as numbers."""

    cohort: str  # what it was trained on
    cohort_title: str
    outcome: str
    rows: int  # of the cohort
    features: int
    replicates: int  # asked for; each score says how many it has
    strengths: tuple[float, ...]  # λ to choose from
    methods: tuple[Score, ...]  # left panel, each at the λ that validation chose
    # Right panel: Expected Gradients by k, all at the λ chosen for k = 1.
    references: tuple[Score, ...]
    # Keys of the methods that cannot be told apart from the best, the highest mean first.
    like_the_best: tuple[str, ...]
    orders: tuple[PublishedOrder, ...]  # every two methods whose order the paper gives, compared
    origin: Provenance  # how the results that this is computed from were made

    @property
    def scores(self) -> dict[str, Score]:
        """Both panels by method key."""
        return {score.method: score for score in (*self.methods, *self.references)}

    @property
    def train_rows(self) -> int:
        """People a replicate trains on."""
        return split_sizes(self.rows)[0]

    @property
    def test_rows(self) -> int:
        """People a replicate tests on."""
        return self.rows - sum(split_sizes(self.rows))


def summarise(results: pd.DataFrame, cohort: Cohort, device: torch.device) -> Figure1:
    """Reduce per-replicate results to the two panels."""
    facts = {
        "cohort": cohort.name,
        "cohort_title": cohort.title,
        "outcome": cohort.outcome,
        "rows": len(cohort),
        "features": cohort.features.shape[1],
    }
    return _summarise(results, facts, provenance(cohort.name, 0, device))


def _summarise(results: pd.DataFrame, facts: Mapping[str, Any], origin: Provenance) -> Figure1:
    chosen = choose_strengths(results)
    rows = {key: _rows_at(results, key, strength) for key, strength in chosen.items()}
    tests = pd.DataFrame({key: at.set_index("replicate")["test_auc"] for key, at in rows.items()})
    scores = {
        key: replace(
            _score(parse_method(key), chosen[key], at),
            gain=None if key == "none" else paired_difference(tests, key, "none"),
            paper=PAPER.get(key),
        )
        for key, at in rows.items()
    }
    by_references = sorted(
        (score for key, score in scores.items() if key.startswith("expected_gradients")),
        key=lambda score: score.samples,
    )
    return Figure1(
        **facts,
        replicates=int(results["replicate"].nunique()),
        strengths=tuple(sorted(results.loc[results["strength"] > 0, "strength"].unique().tolist())),
        methods=tuple(scores[key] for key in FIGURE_METHODS if key in scores),
        references=tuple(by_references),
        like_the_best=like_the_best(tests),
        orders=published_orders(tests),
        origin=origin,
    )


def _rows_at(results: pd.DataFrame, key: str, strength: float) -> pd.DataFrame:
    method = parse_method(key)
    at = (results["method"] == method.name) & (results["samples"] == method.samples)
    return results[at & (results["strength"] == strength)]


def strength_scores(results: pd.DataFrame) -> tuple[Score, ...]:
    """Score every method at every λ, where it was trained with more than one."""
    return tuple(
        _score(PriorMethod(str(name), int(samples)), float(strength), at)
        for (name, samples), rows in results.groupby(["method", "samples"])
        if rows["strength"].nunique() > 1
        for strength, at in rows.groupby("strength")
    )


def _score(method: PriorMethod, strength: float, rows: pd.DataFrame) -> Score:
    """Score the replicates of a method at one λ."""
    tests = rows["test_auc"].dropna()
    return Score(
        method=method.key,
        title=method.title,
        samples=method.samples,
        strength=strength,
        mean=float(tests.mean()),
        two_sem=float(2 * tests.sem()),
        replicates=len(tests),
        undefined=len(rows) - len(tests),
        validation_mean=float(rows["validation_auc"].mean()),
        gini=float(rows["gini"].mean()),
    )


def save_results(path: Path, results: pd.DataFrame, figure: Figure1) -> None:
    """Write the per-replicate results with the summary, as every command does."""
    save_result(path, results, figure, "figure1")


def load_results(path: Path) -> tuple[pd.DataFrame, Figure1]:
    """Read what `save_results` wrote, and summarise its per-replicate results anew.

    So what is shown is always of this version's statistics, however old the file is.
    """
    results, values = load_result(path, "figure1")
    facts = {name: values[name] for name in _COHORT_FACTS}
    return results, _summarise(results, facts, Provenance(**values["origin"]))
