"""Read the user's own CSV file.

Files are hostile until read: the size is checked first, then the number of columns.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

import pandas as pd

from xdnn_core.data.cohort import CohortError
from xdnn_core.data.splitting import MIN_ROWS

CsvSource = str | Path | bytes | BinaryIO

MAX_BYTES: Final = 100 * 1024**2
MAX_COLUMNS: Final = 2_000
_SEPARATORS: Final = (",", ";", "\t", "|")
_MISSING: Final = ("?", ".")  # besides pandas' own "", "NA", "NaN", "null", ...
_POSITIVE_WORDS: Final = ("1", "1.0", "true", "yes", "y", "positive", "dead", "died", "case")


@dataclass(frozen=True)
class BinaryColumn:
    """A column that could be the outcome.

    Attributes
    ----------
    name
        Of the column.
    values
        Its two values as text; the second is the one taken as label 1 unless told otherwise.
    counts
        How often each occurs.
    """

    name: str
    values: tuple[str, str]
    counts: tuple[int, int]


@dataclass(frozen=True, eq=False)
class CsvTable:
    """A CSV file that was read.

    Attributes
    ----------
    title
        Name of the file without folder and ending.
    frame
        Its cells, N rows.
    binary
        The columns that could be the outcome.
    """

    title: str
    frame: pd.DataFrame = field(repr=False)
    binary: tuple[BinaryColumn, ...]


def read_table(source: CsvSource) -> CsvTable:
    """Read a CSV file and find the columns that could be its outcome.

    Comma, semicolon, tab or bar between cells; UTF-8, UTF-16 or Windows-1252; decimal commas
    where semicolons separate.

    Parameters
    ----------
    source
        Path, bytes, or an open binary file; at most 100 MB.

    Returns
    -------
    CsvTable

    Raises
    ------
    CohortError
        If it is not a readable table, or is too large, too short or too wide.
    """
    title, data = _read_bytes(source)
    text = _decode(data)
    separator = _separator(text)
    try:
        frame = pd.read_csv(
            io.StringIO(text),
            sep=separator,
            decimal="," if separator == ";" and not _has_decimal_points(text) else ".",
            na_values=list(_MISSING),
            low_memory=False,
        )
    except ValueError as error:  # pandas' ParserError and EmptyDataError are ones
        reason = str(error).splitlines()[0] if str(error) else "not a table"
        raise CohortError(
            f"The file cannot be read as CSV ({reason}); save it with one header line and the "
            "same number of cells in every line."
        ) from error
    if not isinstance(frame.index, pd.RangeIndex):  # pandas took the first cells as row names
        raise CohortError(
            "The lines have more cells than the header line; give every column a name."
        )
    frame.columns = [str(name).strip() for name in frame.columns]
    if len(frame) < MIN_ROWS:
        raise CohortError(
            f"The file has {len(frame)} rows; at least {MIN_ROWS} are needed to train, validate "
            "and test."
        )
    binary = tuple(_binary_column(frame[name]) for name in frame if _is_binary(frame[name]))
    return CsvTable(title, frame, binary)


def _read_bytes(source: CsvSource) -> tuple[str, bytes]:
    """Title and content, at most `MAX_BYTES`."""
    if isinstance(source, bytes):
        title, data = "own CSV file", source
    elif isinstance(source, str | Path):
        path = Path(source)
        if not path.is_file():
            raise CohortError(
                f"{str(source)!r} is no cohort; give nhefs, nhanes1, or the path of a CSV file."
            )
        title = path.stem
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    else:
        # Only ever shown: the name of an uploaded file is whatever the sender wrote.
        name = str(getattr(source, "name", "")).replace("\\", "/").rsplit("/", 1)[-1]
        title = name.rsplit(".", 1)[0][:60] or "own CSV file"
        source.seek(0)
        data = source.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise CohortError(
            f"The file is larger than {MAX_BYTES // 1024**2} MB; keep fewer rows or columns."
        )
    return title, data


def _decode(data: bytes) -> str:
    """Bytes to text; refuses what is no text."""
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    for encoding in ("utf-16",) if wide else ("utf-8-sig", "cp1252"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise CohortError(
        "The file is no text file; save the table as CSV (not as a spreadsheet) and try again."
    )


def _separator(text: str) -> str:
    """The separator most often in the header line; also refuses too many or equal columns."""
    header = next((line for line in io.StringIO(text) if line.strip()), "")
    if not header:
        raise CohortError("The file is empty; give a CSV file with a header line and rows.")
    separator = max(_SEPARATORS, key=header.count)
    width = header.count(separator) + 1
    if width > MAX_COLUMNS:
        raise CohortError(
            f"The file has {width:,} columns; at most {MAX_COLUMNS:,} are taken, so keep fewer."
        )
    names = [name.strip() for name in next(csv.reader([header], delimiter=separator)) if name]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise CohortError(
            f"Column {twice!r} occurs more than once; give every column its own name."
        )
    return separator


def _has_decimal_points(text: str) -> bool:
    """Whether the first lines of a semicolon file write numbers with points."""
    lines = [line for line, _ in zip(io.StringIO(text), range(50), strict=False)][1:]
    cells = [cell.strip().strip('"') for line in lines for cell in line.split(";")]
    return any("." in cell and _is_number(cell) for cell in cells)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def as_text(value: object) -> str:
    """A cell as people write it: 1.0 as "1"."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _is_binary(column: pd.Series) -> bool:
    return column.nunique() == 2


def _binary_column(column: pd.Series) -> BinaryColumn:
    counts = column.dropna().map(as_text).value_counts()
    values = sorted(counts.index, key=lambda value: (value.lower() in _POSITIVE_WORDS, value))
    first, second = values
    sizes = int(counts[first]), int(counts[second])
    return BinaryColumn(str(column.name), (first, second), sizes)
