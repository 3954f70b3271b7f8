"""The split protocol of the paper: few training rows, as many for validation, the rest test."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from xdnn_core.data.cohorts.cohort import Cohort, CohortError

SPLIT_ROWS = 100
MIN_ROWS = 50


@dataclass(frozen=True, eq=False)
class Split:
    """One random split and the preprocessing fitted on its training rows."""

    train: np.ndarray  # row indices into the cohort
    validation: np.ndarray  # row indices into the cohort
    test: np.ndarray  # row indices into the cohort
    mean: np.ndarray  # what standardisation subtracts, (d,)
    scale: np.ndarray  # what it then divides by, (d,)
    empty: np.ndarray  # (d,), True for columns without a single training value
    constant: np.ndarray  # (d,), True for columns with one training value only
    _imputer: SimpleImputer = field(repr=False)
    _scaler: StandardScaler = field(repr=False)

    def standardise(self, rows: np.ndarray) -> np.ndarray:
        """Impute and standardise rows (m, d) of the cohort's features, float64."""
        result = self._scaler.transform(self._imputer.transform(rows))
        result[:, self.empty] = 0
        return result


def split_sizes(rows: int) -> tuple[int, int]:
    """Training and validation rows: 100 each, or a third each of fewer than 300 rows."""
    part = min(SPLIT_ROWS, rows // 3)
    return part, part


def split_cohort(cohort: Cohort, seed: int) -> Split:
    """Split a cohort and fit the preprocessing, exactly as the published code does.

    Two calls of scikit-learn's train_test_split with the same seed (train and validation from
    test, then train from validation), mean imputation and standardisation fitted on the
    training rows.

    Source: Erion et al. 2021, Section 4.3; Hesse et al. 2021, Section 4.3.
    """
    if len(cohort) < MIN_ROWS:
        raise CohortError(
            f"The cohort has {len(cohort)} rows; at least {MIN_ROWS} are needed to train, "
            "validate and test."
        )
    train_rows, validation_rows = split_sizes(len(cohort))
    both, test = train_test_split(
        np.arange(len(cohort)), train_size=train_rows + validation_rows, random_state=seed
    )
    train, validation = train_test_split(both, train_size=train_rows, random_state=seed)
    rows = cohort.features[train]
    empty = np.isnan(rows).all(axis=0)
    # Zeros stand in for the empty columns so that scikit-learn neither drops them nor warns.
    imputer = SimpleImputer().fit(np.where(empty, 0, rows))
    scaler = StandardScaler().fit(imputer.transform(rows))
    return Split(
        train=train,
        validation=validation,
        test=test,
        mean=scaler.mean_,
        scale=scaler.scale_,
        empty=empty,
        constant=scaler.var_ == 0,
        _imputer=imputer,
        _scaler=scaler,
    )
