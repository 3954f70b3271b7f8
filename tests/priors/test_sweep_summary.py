"""Scores by strength."""

import math

import pandas as pd
import pytest

from xdnn_core.priors.sweep_summary import strength_scores


def rows(
    method: str, strength: float, tests: list[float], validation: float, samples: int = 0
) -> list[dict[str, object]]:
    return [
        {
            "method": method,
            "samples": samples,
            "strength": strength,
            "replicate": replicate,
            "validation_auc": validation,
            "test_auc": test,
        }
        for replicate, test in enumerate(tests)
    ]


def test_mean_and_error_at_every_strength_and_the_chosen_one() -> None:
    results = pd.DataFrame(
        rows("none", 0.0, [0.5, 0.6], 0.9)
        + rows("x_gradient", 0.1, [0.6, 0.7, 0.8], 0.6)
        + rows("x_gradient", 10.0, [0.9, float("nan"), 0.9], 0.5)
        + rows("expected_gradients", 1.0, [0.7, 0.7, 0.7], 0.6, samples=8)
    )
    first, second = strength_scores(results)
    assert (first.method, first.title, first.strength) == ("x_gradient", "X-Gradient", 0.1)
    assert first.mean == pytest.approx(0.7)
    assert first.two_sem == pytest.approx(2 * 0.1 / math.sqrt(3))
    assert first.replicates == 3
    assert first.chosen, "validation chooses, not test"
    assert (second.strength, second.chosen, second.replicates) == (10.0, False, 2)
