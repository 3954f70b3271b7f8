"""The data of R replicates on one device: every replicate has its own random split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from xdnn_core.data.cohorts.cohort import Cohort
from xdnn_core.data.cohorts.splitting import split_cohort
from xdnn_core.priors.stack import padded


@dataclass(frozen=True)
class SplitStack:
    """Standardised rows of R splits of one cohort."""

    features: int  # d. Matrices are D wide, d padded with zeros, see `padded`
    x: Tensor  # training rows, then validation rows, (R, n + v, D)
    y: Tensor  # their labels, (R, n + v)
    train: int  # n
    test_index: Tensor  # rows of `table` every replicate is tested on, (R, m)
    table: Tensor  # the whole cohort, standardised once over all rows so that it survives float32
    labels: Tensor  # of the table, (N,)
    # Bring a row of the table to a replicate's own standardisation: scale·row + shift, (R, D).
    test_scale: Tensor
    test_shift: Tensor

    @property
    def replicates(self) -> int:
        """Number of replicates R."""
        return len(self.x)

    @property
    def validation_labels(self) -> Tensor:
        """Labels of the validation rows, (R, v)."""
        return self.y[:, self.train :]

    def test_rows(self, replicate: int, part: slice = slice(None)) -> Tensor:
        """Test rows of one replicate in its own standardisation, (m, D).

        A missing value is imputed with the training mean, which standardises to 0.
        """
        rows = self.table[self.test_index[replicate, part]]
        return torch.nan_to_num(rows * self.test_scale[replicate] + self.test_shift[replicate])

    @property
    def test_labels(self) -> Tensor:
        """Labels of the test rows, (R, m)."""
        return self.labels[self.test_index]


def stack_splits(
    cohort: Cohort, seeds: Sequence[int], device: torch.device, dtype: torch.dtype = torch.float32
) -> SplitStack:
    """Split a cohort once a seed and put everything on a device."""
    splits = [split_cohort(cohort, seed) for seed in seeds]
    fitted = [np.concatenate([split.train, split.validation]) for split in splits]
    rows = [
        split.standardise(cohort.features[index])
        for split, index in zip(splits, fitted, strict=True)
    ]
    table, mean, scale = _standardised_table(cohort.features)

    def tensor(array: np.ndarray) -> Tensor:
        return torch.tensor(array, device=device, dtype=dtype)

    def wide(array: np.ndarray) -> Tensor:
        return pad(tensor(array), (0, padded(features) - features))

    features = cohort.features.shape[1]
    return SplitStack(
        features=features,
        x=wide(np.stack(rows)),
        y=tensor(cohort.labels[np.stack(fitted)]),
        train=len(splits[0].train),
        test_index=torch.tensor(np.stack([split.test for split in splits]), device=device),
        table=wide(table),
        labels=tensor(cohort.labels),
        test_scale=wide(np.stack([np.where(s.empty, 0, scale / s.scale) for s in splits])),
        test_shift=wide(
            np.stack([np.where(s.empty, 0, (mean - s.mean) / s.scale) for s in splits])
        ),
    )


def _standardised_table(features: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All rows to mean 0 and deviation 1, with the means and deviations used, (d,) each."""
    present = np.isfinite(features)
    count = np.maximum(present.sum(axis=0), 1)
    mean = np.where(present, features, 0).sum(axis=0) / count
    centred = features - mean
    scale = np.sqrt((np.where(present, centred, 0) ** 2).sum(axis=0) / count)
    scale[scale == 0] = 1
    return centred / scale, mean, scale
