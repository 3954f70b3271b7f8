"""What a cohort is: people, what was measured of them, and a binary outcome."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

from xdnn_core.errors import UserError

Kind = Literal["numeric", "binary", "category"]


class CohortError(UserError):
    """A cohort that cannot be used; the message says what to do.

    Examples
    --------
    >>> import io
    >>> from xdnn_core import load_cohort
    >>> load_cohort(io.BytesIO(b""))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    xdnn_core.data.cohorts.cohort.CohortError: ...
    """


@dataclass(frozen=True)
class Column:
    """One column of the feature matrix."""

    name: str  # unique; ``"education=3"`` for one level of a categorical column
    title: str  # readable name: ``"Education: high school"``
    source: str  # the column of the file it comes from
    kind: Kind  # ``"numeric"``, ``"binary"`` (0 or 1), or ``"category"`` (one level, 0 or 1)
    unit: str = ""  # of the values, empty where there is none
    description: str = ""  # one sentence


@dataclass(frozen=True)
class LeftOut:
    """A column of the file that is not a feature, and why."""

    name: str
    reason: str


@dataclass(frozen=True, eq=False)
class Cohort:
    """Features and outcome of N people.

    Attributes
    ----------
    name
        Short and usable in a file name: ``"nhefs"``.
    title
        For people.
    outcome
        What label 1 means: ``"died by 1992"``.
    features
        (N, d), float64, NaN where a value is missing.
    labels
        (N,), float64, 0 or 1.
    columns
        One a feature: the data dictionary.
    left_out
        Columns that were not taken, with the reason.
    notes
        What else was done to the data, a sentence each.
    citation
        Where the data are from.

    Examples
    --------
    >>> import numpy as np
    >>> from xdnn_core.data.cohorts.cohort import Column
    >>> cohort = Cohort(
    ...     name="small", title="Small", outcome="Died", features=np.arange(100.0)[:, None],
    ...     labels=np.arange(100) % 2, columns=(Column("age", "Age", "age", "numeric"),),
    ... )
    >>> cohort.features.shape
    (100, 1)
    """

    name: str
    title: str
    outcome: str
    features: np.ndarray = field(repr=False)
    labels: np.ndarray = field(repr=False)
    columns: tuple[Column, ...] = field(repr=False)
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
    citation: str = ""

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def positives(self) -> int:
        """How many have label 1."""
        return int(self.labels.sum())

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over features, labels and column names; tells one cohort from another."""
        digest = hashlib.sha256()
        for start in range(0, len(self), 10_000):  # a copy of all rows could be large
            rows = np.nan_to_num(self.features[start : start + 10_000], nan=-1e300)
            digest.update(rows.tobytes())
        digest.update(self.labels.tobytes())
        digest.update("\n".join(column.name for column in self.columns).encode())
        return digest.hexdigest()
