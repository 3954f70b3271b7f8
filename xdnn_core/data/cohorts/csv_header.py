"""What is known of a CSV file before its rows are read: text, encoding, separator, columns."""

from __future__ import annotations

import codecs
import csv
import io
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Final

import pyarrow as pa

from xdnn_core.data.cohorts.cohort import CohortError

CsvSource = str | Path | bytes | BinaryIO

MAX_MEGABYTES: Final = 100
MAX_BYTES: Final = MAX_MEGABYTES * 10**6
MAX_COLUMNS: Final = 2_000
MAX_TEXT: Final = 200  # characters of a column's name, or of a value that names a category
BLOCK: Final = 2**20  # bytes read at a time; more than any header line
_SEPARATORS: Final = (",", ";", "\t", "|")
_MARKS: Final = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"),
                 (codecs.BOM_UTF16_BE, "utf-16-be"))  # fmt: skip


def open_text(source: CsvSource) -> tuple[str, pa.NativeFile]:
    """Title and content, at most `MAX_BYTES`; a stream of its own, which the caller closes."""
    try:
        title, stream = _open(source)
    except OSError as error:
        raise CohortError(f"The file cannot be read ({error.strerror}); try again.") from error
    if stream.seek(0, io.SEEK_END) > MAX_BYTES:
        raise CohortError(
            f"The file is larger than {MAX_MEGABYTES} MB; keep fewer rows or columns."
        )
    return title, stream


def _open(source: CsvSource) -> tuple[str, pa.NativeFile]:
    if isinstance(source, bytes):
        title, stream = "own CSV file", on_disk(io.BytesIO(source))
    elif isinstance(source, str | Path):
        path = Path(source)
        if not path.is_file():
            raise CohortError(
                f"{str(source)!r} is no cohort; give nhefs, nhanes1, or the path of a CSV file."
            )
        title, stream = path.stem, pa.OSFile(str(path))
    else:
        # Only ever shown: the name of an uploaded file is whatever the sender wrote.
        name = str(getattr(source, "name", "")).replace("\\", "/").rsplit("/", 1)[-1]
        title = name.rsplit(".", 1)[0][:60] or "own CSV file"
        source.seek(0)
        stream = on_disk(source)
    return title, stream


def on_disk(source: BinaryIO) -> pa.NativeFile:
    """A copy of at most `MAX_BYTES` + 1 bytes that is gone when it is closed.

    pyarrow reads ahead in a thread of its own. To let go of Python's memory that thread needs
    Python's lock, and asking for it while Python ends aborts the process.
    """
    with tempfile.NamedTemporaryFile(prefix="xdnn-", suffix=".csv") as copy:
        left = MAX_BYTES + 1
        while left and (piece := source.read(min(left, BLOCK))):
            copy.write(piece)
            left -= len(piece)
        copy.flush()
        return pa.OSFile(copy.name)  # stays readable when its name is gone


def as_utf8(stream: pa.NativeFile, encoding: str) -> pa.NativeFile:
    """What is left of a stream in UTF-8: pyarrow would ask Python to decode, in its own thread."""
    if encoding == "utf-8":
        return stream
    with io.TextIOWrapper(stream, encoding, newline="") as text:
        return written(iter(lambda: text.read(BLOCK), ""))


def written(pieces: Iterable[str]) -> pa.NativeFile:
    """Text in a file of its own, as `on_disk`."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="xdnn-", suffix=".csv", encoding="utf-8", newline=""
    ) as copy:
        copy.writelines(pieces)
        copy.flush()
        return pa.OSFile(copy.name)


def encoding_of(stream: pa.NativeFile) -> tuple[str, int]:
    """The encoding of a whole file and where its text starts; refuses what is no text."""
    stream.seek(0)
    first = stream.read(3)
    marked = [(name, len(mark)) for mark, name in _MARKS if first.startswith(mark)]
    for encoding, start in marked or [("utf-8", 0), ("cp1252", 0)]:
        stream.seek(start)
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            while piece := stream.read(BLOCK):
                if "\0" in decoder.decode(piece):
                    break
            else:
                decoder.decode(b"", final=True)
                return encoding, start
        except UnicodeDecodeError:
            continue
    raise CohortError(
        "The file is no text file; save the table as CSV (not as a spreadsheet) and try again."
    )


def read_header(stream: pa.NativeFile) -> tuple[str, list[str], int]:
    """Separator and column names, those that give most columns, and the header's size in bytes."""
    text = stream.read(BLOCK).decode("utf-8", "ignore")
    rows = (_first_row(text, separator) for separator in _SEPARATORS)
    separator, cells, end = max(rows, key=lambda row: len(row[1]))
    if not cells and text.strip():
        raise CohortError("The header line cannot be read; give every column a short name.")
    if not cells:
        raise CohortError("The file is empty; give a CSV file with a header line and rows.")
    if end == len(text) and stream.tell() < stream.size():
        raise CohortError(
            f"The header line is longer than {BLOCK // 1000:,} kB; give every column a short name."
        )
    if len(cells) > MAX_COLUMNS:
        raise CohortError(
            f"The file has {len(cells):,} columns; at most {MAX_COLUMNS:,} are taken, so keep "
            "fewer."
        )
    names = [cell.strip() or f"Unnamed: {number}" for number, cell in enumerate(cells)]
    longest = max(names, key=len)
    if len(longest) > MAX_TEXT:
        raise CohortError(
            f"Column {names.index(longest) + 1} has a name of {len(longest):,} characters; at most "
            f"{MAX_TEXT} are taken, so give it a shorter one."
        )
    twice, times = Counter(names).most_common(1)[0]
    if times > 1:
        raise CohortError(
            f"Column {twice!r} occurs more than once; give every column its own name."
        )
    return separator, names, len(text[:end].encode())


def _first_row(text: str, separator: str) -> tuple[str, list[str], int]:
    """The separator, the cells of the first row that is not empty, and where that row ends."""
    lines = io.StringIO(text, newline="")
    try:
        for row in csv.reader(lines, delimiter=separator):
            if any(cell.strip() for cell in row):
                return separator, row, lines.tell()
    except csv.Error:  # a cell over 131,072 characters, as with a separator that is none
        pass
    return separator, [], len(text)
