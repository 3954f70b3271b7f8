"""The user's own table as a cohort: choose the outcome, infer how columns become features.

The encoded matrix is counted before it is built.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import pandas as pd

from xdnn_core.data.cohorts.cohort import Cohort, CohortError, Kind, LeftOut
from xdnn_core.data.cohorts.csv_table import (
    MAX_CELLS,
    MAX_COLUMNS,
    MAX_TEXT,
    BinaryColumn,
    CsvTable,
    as_text,
)
from xdnn_core.data.cohorts.encoding import ColumnSpec, encode
from xdnn_core.data.cohorts.splitting import MIN_ROWS

# A value is standardised by rows that may hold none of its size, then kept in float32.
MAX_SIZE: Final = 1e30


def cohort_from_table(
    table: CsvTable,
    outcome: str | None = None,
    positive: str | None = None,
    categorical: Iterable[str] = (),
) -> Cohort:
    """Make a cohort of a table by choosing its outcome."""
    chosen = _find_outcome(table, outcome)
    values = chosen.values
    if positive is not None and positive not in values:
        raise CohortError(
            f"{positive!r} is not a value of {chosen.name!r}; it has {values[0]!r} and "
            f"{values[1]!r}."
        )
    positive = positive or values[1]
    answers = table.frame[chosen.name]
    known = answers.notna()
    rows = table.frame if known.all() else table.frame[known]
    answers = answers[known]
    label = next((answer for answer in answers.unique() if as_text(answer) == positive), None)
    if len(rows) < MIN_ROWS:
        raise CohortError(
            f"Only {len(rows)} rows have a value in {chosen.name!r}; at least {MIN_ROWS} are "
            "needed."
        )
    specs, left_out = _infer_specs(rows.drop(columns=chosen.name), set(categorical))
    _check_width(specs, len(rows))
    features, columns = encode(rows, specs)
    notes = [f"Label 1 is {chosen.name} = {positive}."]
    if not known.all():
        notes.append(f"{int((~known).sum())} rows without a value of {chosen.name} are left out.")
    return Cohort(
        name="csv",
        title=table.title,
        outcome=f"{chosen.name} = {positive}",
        features=features,
        labels=(answers == label).to_numpy(dtype=np.float64),
        columns=tuple(columns),
        left_out=tuple(left_out),
        notes=tuple(notes),
        citation="own file",
    )


def _find_outcome(table: CsvTable, outcome: str | None) -> BinaryColumn:
    names = ", ".join(repr(column.name) for column in table.binary[:10])
    if outcome is None:
        if not table.binary:
            raise CohortError(
                "No column has exactly two values; add the outcome to predict as a column of 0 "
                "and 1."
            )
        if len(table.binary) > 1:
            raise CohortError(
                f"{len(table.binary)} columns have two values ({names}); say which is the outcome."
            )
        return table.binary[0]
    if outcome not in table.frame:
        raise CohortError(f"There is no column {outcome!r}; columns with two values: {names}.")
    for column in table.binary:
        if column.name == outcome:
            return column
    count = table.frame[outcome].nunique()
    if count < 2:
        raise CohortError(
            f"Column {outcome!r} has {count} value{'' if count == 1 else 's'}, so there is "
            "nothing to tell apart; pick a column with exactly two"
            f"{': ' + names if names else ''}."
        )
    raise CohortError(
        f"Column {outcome!r} has {count} different values; pick a column with exactly two"
        f"{': ' + names if names else ''}."
    )


def _infer_specs(
    frame: pd.DataFrame, categorical: set[str]
) -> tuple[list[ColumnSpec], list[LeftOut]]:
    """Decide for every column how it becomes features, or why it does not."""
    unknown = categorical - set(frame.columns)
    if unknown:
        raise CohortError(f"There is no column {sorted(unknown)[0]!r} to treat as categories.")
    specs: list[ColumnSpec] = []
    left_out: list[LeftOut] = []
    for name in frame.columns:
        column = frame[name]
        values = column.dropna().unique()
        if len(values) == 0:
            raise CohortError(f"Column {name!r} has no values at all; delete it or fill it in.")
        reason = _reason_to_leave_out(column, values)
        if reason:
            left_out.append(LeftOut(name, reason))
        elif pd.api.types.is_numeric_dtype(column) and name not in categorical:
            specs.append(_numeric_spec(column))
        elif len(values) > MAX_COLUMNS:
            raise _too_wide(len(values), str(name), len(values))
        else:
            levels = {value: as_text(value) for value in sorted(values, key=_sort_key)}
            kind: Kind = "binary" if len(levels) == 2 else "category"
            specs.append(ColumnSpec(name, name, kind, levels, description="from the file"))
    if not specs:
        raise CohortError("Besides the outcome no column can be used; add columns that vary.")
    return specs, left_out


def _sort_key(value: object) -> tuple[bool, object]:
    """Numbers before text, each in its own order."""
    is_text = isinstance(value, str)
    return is_text, value if is_text else float(value)  # type: ignore[arg-type]


def _reason_to_leave_out(column: pd.Series, values: np.ndarray) -> str:
    if len(values) == 1:
        return f"constant: always {as_text(values[0])}"
    numeric = pd.api.types.is_numeric_dtype(column)
    if not numeric and len(values) == len(column):
        return "different in every row, so it names rows"
    longest = 0 if numeric else max(map(len, values))
    if longest > MAX_TEXT:
        return f"texts of up to {longest:,} characters, too long to name a category"
    unnamed = str(column.name).startswith("Unnamed:") or column.name == ""
    if numeric and unnamed and (column.diff().dropna() == 1).all():
        return "numbers the rows"
    return ""


def _numeric_spec(column: pd.Series) -> ColumnSpec:
    sizes = column.abs()
    largest = float(sizes.max())
    if np.isinf(largest):
        raise CohortError(
            f"Column {column.name!r} holds infinite values; replace them or leave them empty."
        )
    smallest = float(sizes[sizes > 0].min())
    if largest > MAX_SIZE or largest / smallest > MAX_SIZE:
        raise CohortError(
            f"Column {column.name!r} holds numbers from {smallest:.3g} to {largest:.3g} in size; "
            f"up to {MAX_SIZE:g}, and up to {MAX_SIZE:g} times the smallest, are taken, so take "
            "their logarithm or leave such cells empty."
        )
    return ColumnSpec(str(column.name), str(column.name), description="from the file")


def _check_width(specs: list[ColumnSpec], rows: int) -> None:
    """Refuse a matrix too wide or too large before it is built."""
    width = sum(spec.width for spec in specs)
    widest = max(specs, key=lambda spec: spec.width)
    if width > MAX_COLUMNS:
        raise _too_wide(width, widest.name, widest.width)
    if width * rows > MAX_CELLS:
        raise CohortError(
            f"{rows:,} rows of {width:,} encoded columns (column {widest.name!r} alone becomes "
            f"{widest.width:,}) are more than {MAX_CELLS:,} cells; keep fewer rows or columns."
        )


def _too_wide(width: int, widest: str, values: int) -> CohortError:
    return CohortError(
        f"The file becomes {width:,} columns (text column {widest!r} alone has {values:,} "
        f"different values); at most {MAX_COLUMNS:,} are taken, so delete or shorten such columns."
    )
