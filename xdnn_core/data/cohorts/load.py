"""Open a cohort by name, folder, or CSV file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from xdnn_core.data.cohorts.cohort import Cohort, CohortError, Column, LeftOut
from xdnn_core.data.cohorts.csv_cohort import cohort_from_table
from xdnn_core.data.cohorts.csv_table import CsvSource, read_table
from xdnn_core.data.cohorts.nhanes import load_nhanes1, load_subset
from xdnn_core.data.cohorts.nhefs import load_nhefs

__all__ = ["Cohort", "CohortError", "Column", "LeftOut", "load_cohort"]


def load_cohort(
    source: CsvSource,
    outcome: str | None = None,
    positive: str | None = None,
    categorical: Iterable[str] = (),
) -> Cohort:
    """Open a cohort.

    Parameters
    ----------
    source
        ``"nhefs"`` (comes with the app), ``"nhanes1"`` (the paper's matrix, downloaded once), a
        folder with NHANESI_subset_X.csv and NHANESI_subset_y.csv, or a CSV file: its path, its
        bytes, or an open binary file.
    outcome
        CSV only: the column to predict; None takes it where just one has two values.
    positive
        CSV only: which of the outcome's values is label 1; None guesses and says so.
    categorical
        CSV only: columns of numbers that are codes, to be one-hot encoded.

    Returns
    -------
    Cohort

    Raises
    ------
    CohortError
        If the source is not there or cannot be used; one sentence that says what to do.
    DownloadError
        If "nhanes1" cannot be downloaded.

    Examples
    --------
    >>> import io
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"age": range(100), "died": [0, 1] * 50})
    >>> table = io.BytesIO(frame.to_csv(index=False).encode())
    >>> cohort = load_cohort(table, outcome="died", positive="1")
    >>> float(cohort.labels.mean())
    0.5
    """
    if source == "nhefs":
        return load_nhefs()
    if source == "nhanes1":
        return load_nhanes1()
    if isinstance(source, str | Path) and Path(source).is_dir():
        return load_subset(Path(source))
    table = read_table(source)
    return cohort_from_table(table, outcome, positive, categorical)
