"""ROC-AUC by ranks."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from sklearn.metrics import roc_auc_score

from xdnn_core.metrics.ranking import roc_auc


@given(
    st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=40).filter(
        lambda rows: len({label for _, label in rows}) == 2
    )
)
def test_equals_scikit_learn_with_ties(rows: list[tuple[int, bool]]) -> None:
    scores = np.array([score / 7 for score, _ in rows])
    labels = np.array([float(label) for _, label in rows])
    ours = roc_auc(torch.tensor(scores), torch.tensor(labels))
    assert float(ours) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_row_of_a_batch_is_scored_on_its_own(dtype: torch.dtype) -> None:
    scores = torch.randn(2, 3, 50, dtype=torch.float64).round(decimals=1).to(dtype)
    labels = (torch.rand(2, 3, 50) < 0.3).to(dtype)
    batched = roc_auc(scores, labels)
    assert batched.shape == (2, 3)
    for i in range(2):
        for j in range(3):
            expected = roc_auc_score(labels[i, j].numpy(), scores[i, j].numpy())
            assert float(batched[i, j]) == pytest.approx(expected, abs=1e-12)


def test_known_answers() -> None:
    labels = torch.tensor([0.0, 0.0, 1.0, 1.0])
    assert float(roc_auc(torch.tensor([1.0, 2.0, 3.0, 4.0]), labels)) == 1.0
    assert float(roc_auc(torch.tensor([4.0, 3.0, 2.0, 1.0]), labels)) == 0.0
    assert float(roc_auc(torch.zeros(4), labels)) == 0.5
    assert float(roc_auc(torch.tensor([1.0, 3.0, 2.0, 4.0]), labels)) == 0.75


def test_one_class_or_nan_scores_give_no_number() -> None:
    scores = torch.tensor([[0.1, 0.2, 0.3], [0.1, 0.2, 0.3], [0.1, math.nan, 0.3]])
    labels = torch.tensor([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
    assert roc_auc(scores, labels).isnan().all()


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="must be the same"):
        roc_auc(torch.zeros(3), torch.zeros(4))
