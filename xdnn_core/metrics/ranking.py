"""How well scores rank positives above negatives."""

from __future__ import annotations

import torch
from torch import Tensor


def roc_auc(scores: Tensor, labels: Tensor) -> Tensor:
    """Return the area under the ROC curve of every row, ties counted as one half, (...).

    By ranks (Mann–Whitney): (Σ ranks of positives − P(P+1)/2) / (P·N), where tied scores share
    their mean rank. It is the share of (positive, negative) pairs in the right order.

    Source: Hanley and McNeil 1982.
    """
    if scores.shape != labels.shape:
        raise ValueError(
            f"scores have shape {tuple(scores.shape)} and labels {tuple(labels.shape)}; they "
            "must be the same."
        )
    scores = scores.detach().contiguous()
    ascending = scores.sort(dim=-1).values
    below = torch.searchsorted(ascending, scores)  # (..., n), how many are smaller
    up_to = torch.searchsorted(ascending, scores, right=True)  # and how many smaller or equal
    ranks = (below + up_to + 1).double() / 2  # (..., n), from 1
    positive = labels.double()
    positives = positive.sum(dim=-1)
    negatives = labels.shape[-1] - positives
    wins = (ranks * positive).sum(dim=-1) - positives * (positives + 1) / 2
    area = wins / (positives * negatives)  # 0/0 is NaN: one class only
    return area.masked_fill(scores.isnan().any(dim=-1), float("nan"))
