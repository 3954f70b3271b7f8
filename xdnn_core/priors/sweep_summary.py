"""What a sweep says about each strength: mean and standard error over replicates."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from xdnn_core.priors.methods import PriorMethod
from xdnn_core.priors.sweep import choose_strengths


@dataclass(frozen=True)
class StrengthScore:
    """Test ROC-AUC of one method at one λ.

    Attributes
    ----------
    method, title
        Key and readable name.
    strength
        λ.
    mean, two_sem
        Over replicates with a test ROC-AUC: mean, and twice its standard error.
    replicates
        How many those are.
    chosen
        Whether validation scores chose this λ for the method.
    """

    method: str
    title: str
    strength: float
    mean: float
    two_sem: float
    replicates: int
    chosen: bool


def strength_scores(results: pd.DataFrame) -> tuple[StrengthScore, ...]:
    """Score every method with a prior at every λ it was trained with.

    Parameters
    ----------
    results
        From `run_sweep`.

    Returns
    -------
    tuple of StrengthScore
        By method, then λ; methods trained at one λ only are left out, there is nothing to compare.
    """
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
