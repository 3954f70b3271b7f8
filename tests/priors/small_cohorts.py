"""Small made cohorts for the prior tests."""

import numpy as np
import torch
from torch import Tensor

from xdnn_core.data.cohorts.cohort import Cohort, Column
from xdnn_core.priors.splits import SplitStack, stack_splits

CPU = torch.device("cpu")


def make_cohort(rows: int = 320, features: int = 6, seed: int = 0) -> Cohort:
    """Two informative features, the others noise; some values missing."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, features)) * rng.uniform(0.5, 50, features)
    chance = 1 / (1 + np.exp(-1.5 * values[:, 0] / values[:, 0].std() + 0.5))
    labels = (rng.random(rows) < chance).astype(np.float64)
    values[rng.random((rows, features)) < 0.05] = np.nan
    return cohort_of(values, labels)


def cohort_of(values: np.ndarray, labels: np.ndarray) -> Cohort:
    columns = tuple(
        Column(f"f{i}", f"Feature {i}", f"f{i}", "numeric") for i in range(values.shape[1])
    )
    return Cohort("made", "A made cohort", "label 1", values, labels, columns)


def double_splits(cohort: Cohort, replicates: int, seed: int = 0) -> SplitStack:
    return stack_splits(cohort, range(seed, seed + replicates), CPU, torch.float64)


def training_rows(splits: SplitStack, replicate: int) -> tuple[Tensor, Tensor]:
    """x (n, d) without the padding, and y (n,)."""
    n = splits.train
    return splits.x[replicate, :n, : splits.features], splits.y[replicate, :n]
