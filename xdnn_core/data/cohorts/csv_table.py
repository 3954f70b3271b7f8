"""Read the user's own CSV file.

Files are hostile until read: pyarrow reads them block by block as text, and every limit is checked
on the rows and columns it found. A column is then numbers where all its cells are, else text.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from xdnn_core.data.cohorts.cohort import CohortError
from xdnn_core.data.cohorts.csv_header import (
    BLOCK,
    MAX_COLUMNS,
    MAX_MEGABYTES,
    MAX_TEXT,
    CsvSource,
    as_utf8,
    encoding_of,
    open_text,
    read_header,
    written,
)
from xdnn_core.data.cohorts.splitting import MIN_ROWS

__all__ = ["MAX_COLUMNS", "MAX_MEGABYTES", "MAX_TEXT", "CsvSource", "CsvTable", "read_table"]

MAX_ROWS: Final = 1_000_000
# Of the table, and of the matrix made of it: 64 MB each in float64.
MAX_CELLS: Final = 8_000_000
_WRONG_ROW: Final = re.compile(r"Row #(?P<row>\d+): Expected \d+ columns, got (?P<cells>\d+)")
_MISSING: Final = (*pa_csv.ConvertOptions().null_values, "None", "<NA>", "?", ".")
_POSITIVE_WORDS: Final = ("1", "1.0", "true", "yes", "y", "positive", "dead", "died", "case")


@dataclass(frozen=True)
class BinaryColumn:
    """A column that could be the outcome."""

    name: str  # of the column
    values: tuple[str, str]  # its two values as text
    counts: tuple[int, int]  # how often each occurs


@dataclass(frozen=True, eq=False)
class CsvTable:
    """A CSV file that was read."""

    title: str  # name of the file without folder and ending
    frame: pd.DataFrame = field(repr=False)  # its cells, N rows
    binary: tuple[BinaryColumn, ...]  # the columns that could be the outcome


def read_table(source: CsvSource) -> CsvTable:
    """Read a CSV file and find the columns that could be its outcome.

    Comma, semicolon, tab or bar between cells; UTF-8, UTF-16 or Windows-1252; decimal commas
    where semicolons separate. Cells missing at the end of a row are empty.
    """
    title, stream = open_text(source)
    with stream:
        encoding, start = encoding_of(stream)
        stream.seek(start)
        with as_utf8(stream, encoding) as text:
            start = text.tell()
            separator, names, end = read_header(text)
            text.seek(start + end)
            table = _read_rows(text, names, separator)
    if table.num_rows < MIN_ROWS:
        raise CohortError(
            f"The file has {table.num_rows} rows; at least {MIN_ROWS} are needed to train, "
            "validate and test."
        )
    columns = {}
    for name in names:
        columns[name] = _numbers_or_text(table[name], decimal_comma=separator == ";")
        table = table.drop_columns(name)  # its text is no longer needed
    pa.default_memory_pool().release_unused()
    frame = pd.DataFrame(columns, copy=False)
    binary = (_as_binary(frame[name]) for name in names)
    return CsvTable(title, frame, tuple(column for column in binary if column is not None))


def _read_rows(stream: pa.NativeFile, names: list[str], separator: str) -> pa.Table:
    """All rows as text, null where a cell is missing; refuses more than the limits."""
    start = stream.tell()
    try:
        try:
            batches = _batches(stream, names, separator)
        except pa.ArrowInvalid as error:
            wrong = _WRONG_ROW.search(str(error))
            if wrong is None or int(wrong["cells"]) > len(names):
                raise
            stream.seek(start)
            with _filled_up(stream, names, separator) as filled:
                batches = _batches(filled, names, separator)
    except (pa.ArrowException, csv.Error) as error:
        raise CohortError(
            f"The file cannot be read as CSV ({_reason(error, names)}); save it with one header "
            "line and the same number of cells in every line."
        ) from error
    rows = sum(batch.num_rows for batch in batches)
    if rows > MAX_ROWS or rows * len(names) > MAX_CELLS:
        raise _too_large(names)
    return pa.Table.from_batches(batches, pa.schema([(name, pa.string()) for name in names]))


def _filled_up(stream: pa.NativeFile, names: list[str], separator: str) -> pa.NativeFile:
    """A file with the separators that spreadsheets leave out before empty last cells.

    A row that is too long stays as it is, for pyarrow to refuse; so does what is no row.
    """
    with io.TextIOWrapper(stream, "utf-8", newline="") as text:
        rows = csv.reader(text, delimiter=separator, strict=True)
        line = csv.writer(_Echo(), delimiter=separator)
        return written(line.writerow(row + [""] * (len(names) - len(row))) for row in rows if row)


class _Echo:
    """For `csv.writer`: a file that gives back what is written."""

    def write(self, line: str) -> str:
        return line


def _reason(error: Exception, names: list[str]) -> str:
    """What pyarrow found wrong, in a few words."""
    if wrong := _WRONG_ROW.search(str(error)):
        cells = int(wrong["cells"])
        compared = "more" if cells > len(names) else "fewer"
        return (
            f"row {wrong['row']} has {cells:,} cells, {compared} cells than the header line with "
            f"{len(names):,}"
        )
    if "straddl" in str(error) or "unexpected end" in str(error):
        return "a line or a quoted cell goes on without an end"
    return str(error).splitlines()[0][:200].removeprefix("CSV parse error: ")


def _batches(stream: pa.NativeFile, names: list[str], separator: str) -> list[pa.RecordBatch]:
    """Read rows under these names, stopping at the limits."""
    if stream.tell() == stream.size():
        return []
    batches, rows = [], 0
    with pa_csv.open_csv(
        stream,
        pa_csv.ReadOptions(use_threads=False, block_size=BLOCK, column_names=names),
        pa_csv.ParseOptions(delimiter=separator, newlines_in_values=True),
        pa_csv.ConvertOptions(
            column_types={name: pa.string() for name in names},
            null_values=list(_MISSING),
            strings_can_be_null=True,
        ),
    ) as reader:
        for batch in reader:
            batches.append(batch)
            rows += batch.num_rows
            if rows > MAX_ROWS or rows * len(names) > MAX_CELLS:
                raise _too_large(names)
    return batches


def _too_large(names: list[str]) -> CohortError:
    return CohortError(
        f"The file has more than {min(MAX_ROWS, MAX_CELLS // len(names)):,} rows, the most that "
        f"are taken of {len(names):,} columns ({MAX_CELLS:,} cells, {MAX_ROWS:,} rows); keep "
        "fewer rows or columns."
    )


def _numbers_or_text(cells: pa.ChunkedArray, decimal_comma: bool) -> pd.Series:
    """A column as float64 where every cell is a number or missing, else as text."""
    numbers = []
    for chunk in cells.chunks:
        try:
            numbers.append(_numbers(chunk, decimal_comma).to_numpy(zero_copy_only=False))
        except pa.ArrowInvalid:
            return cells.to_pandas()
    return pd.Series(np.concatenate(numbers))


def _numbers(cells: pa.StringArray, decimal_comma: bool) -> pa.DoubleArray:
    """Cells as float64; raises where one is no number."""
    try:
        return pc.cast(cells, pa.float64())
    except pa.ArrowInvalid:
        cells = pc.replace_substring_regex(pc.utf8_trim_whitespace(cells), r"^\+", "")
        return pc.cast(
            pc.replace_substring(cells, ",", ".") if decimal_comma else cells, pa.float64()
        )


def as_text(value: object) -> str:
    """A cell as people write it: 1.0 as "1"."""
    return repr(float(value)).removesuffix(".0") if isinstance(value, float) else str(value)


def _as_binary(column: pd.Series) -> BinaryColumn | None:
    """A column of two short values, which could be the outcome; None for any other."""
    counts = column.value_counts()
    if len(counts) != 2:
        return None
    by_text = {as_text(value): int(count) for value, count in counts.items()}
    first, second = sorted(by_text, key=lambda text: (text.lower() in _POSITIVE_WORDS, text))
    if max(len(first), len(second)) > MAX_TEXT:
        return None
    return BinaryColumn(str(column.name), (first, second), (by_text[first], by_text[second]))
