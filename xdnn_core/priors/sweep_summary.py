"""What a sweep says about each strength: mean and standard error over replicates."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from xdnn_core.priors.methods import PriorMethod
from xdnn_core.priors.sweep import choose_strengths


@dataclass(frozen=True)
class StrengthScore:
    """Test ROC-AUC of one method at one λ."""

    method: str
    title: str
    strength: float  # λ
    mean: float  # over replicates with a test ROC-AUC
    two_sem: float  # twice the standard error of that mean
    replicates: int  # how many those are
    chosen: bool  # whether validation scores chose this λ for the method


def strength_scores(results: pd.DataFrame) -> tuple[StrengthScore, ...]:
    """Score every method with a prior at every λ it was trained with."""
    chosen = choose_strengths(results)
    scores: list[StrengthScore] = []
    for (name, samples), rows in results.groupby(["method", "samples"]):
        method = PriorMethod(str(name), int(samples))
        if not method.card.regularised or rows["strength"].nunique() < 2:
            continue
        for strength, at in rows.groupby("strength"):
            tests = at["test_auc"].dropna()
            scores.append(
                StrengthScore(
                    method=method.key,
                    title=method.title,
                    strength=float(strength),
                    mean=float(tests.mean()),
                    two_sem=float(2 * tests.sem()),
                    replicates=len(tests),
                    chosen=float(strength) == chosen[method.key],
                )
            )
    return tuple(scores)
