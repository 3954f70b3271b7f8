"""From a table of numbers and categories to a feature matrix with a data dictionary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from xdnn_core.data.cohorts.cohort import Column, Kind


@dataclass(frozen=True)
class ColumnSpec:
    """How one column of a table becomes features."""

    name: str  # of the column in the table
    title: str  # readable name
    kind: Kind = "numeric"
    # Values and their readable names, in order; a value that is not listed counts as missing.
    levels: Mapping[Any, str] = field(default_factory=dict)
    missing: tuple[float, ...] = ()  # numeric columns: codes that mean "not known"
    unit: str = ""  # for the data dictionary
    description: str = ""  # for the data dictionary

    @property
    def width(self) -> int:
        """Features it becomes."""
        return len(self.levels) if self.kind == "category" else 1


def encode(table: pd.DataFrame, specs: Sequence[ColumnSpec]) -> tuple[np.ndarray, list[Column]]:
    """Encode a table, a missing category giving a missing value in all its levels.

    Returns features (N, d), read-only, and what they are.
    """
    features = np.full((len(table), sum(spec.width for spec in specs)), np.nan)
    columns: list[Column] = []
    for spec in specs:
        block = features[:, len(columns) : len(columns) + spec.width]
        if spec.kind == "numeric":
            values = table[spec.name].astype(float)
            block[:, 0] = values.mask(values.isin(spec.missing)).to_numpy()
        else:
            codes = pd.Index(list(spec.levels)).get_indexer(pd.Index(table[spec.name]))
            known = codes >= 0
            if spec.kind == "binary":
                block[known, 0] = codes[known]
            else:
                block[known] = codes[known, None] == np.arange(spec.width)  # (known, width)
        columns += _columns_of(spec)
    features.setflags(write=False)
    return features, columns


def _columns_of(spec: ColumnSpec) -> list[Column]:
    if spec.kind == "category":
        return [
            Column(
                f"{spec.name}={level}", f"{spec.title}: {title}", spec.name, "category",
                "0 or 1", spec.description,
            )
            for level, title in spec.levels.items()
        ]  # fmt: skip
    title, unit = spec.title, spec.unit
    if spec.kind == "binary":
        second = list(spec.levels.values())[-1]
        title = title if second == "yes" else f"{title}: {second}"
        unit = "0 or 1"
    return [Column(spec.name, title, spec.name, spec.kind, unit, spec.description)]
