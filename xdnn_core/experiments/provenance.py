"""Where a stored result came from, and its file: Parquet with a summary, and that summary as JSON.

The summary lies in the Parquet file's metadata, so one file holds everything; the JSON file beside
it is a copy to be read by people.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any, Final, TypeVar, get_args, get_origin, get_type_hints

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from xdnn_core.errors import UserError
from xdnn_core.io import atomic_write

_SUMMARY: Final = b"xdnn"
_COMMAND: Final = b"xdnn_command"
Result = TypeVar("Result")


@dataclass(frozen=True)
class Provenance:
    """How a result was made."""

    command: str  # the command line
    date: str  # when it was finished, ISO 8601, UTC
    hardware: str  # device and CPU threads
    data_set: str = ""  # name of the image set and its split, of results over images
    images: int = 0  # how many it is over


def provenance(data_set: str, images: int, device: torch.device) -> Provenance:
    """Describe the result that is being made now."""
    # A build that is to be the same byte for byte says what time it is (reproducible-builds.org).
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    now = datetime.datetime.fromtimestamp(float(epoch) if epoch else time.time(), datetime.UTC)
    if device.type == "cuda":
        hardware = torch.cuda.get_device_name(device)
    else:
        hardware = f"{platform.machine()} CPU, {torch.get_num_threads()} of {os.cpu_count()} cores"
    return Provenance(
        command=_command(),
        date=now.isoformat(timespec="seconds"),
        hardware=f"{hardware}, torch {torch.__version__}",
        data_set=data_set,
        images=images,
    )


def _command() -> str:
    """The command line with folders left out: they say nothing elsewhere."""
    words = []
    for word in sys.argv[1:]:
        option, equals, value = word.rpartition("=")
        words.append(option + equals + (Path(value).name if os.sep in value else value))
    return shlex.join(["python", "-m", "xdnn_core", *words])


def add_out_argument(parser: argparse.ArgumentParser, name: str) -> None:
    """Declare where a command writes its result."""
    default = Path("out") / f"{name}.parquet"
    parser.add_argument(
        "--out", type=Path, default=default,
        help=f"result, with a .json beside it (default: {default})",
    )  # fmt: skip


def report(
    path: Path, rows: pd.DataFrame, summary: Any, command: str, text: str, **packing: Any
) -> int:
    """Store a result and print it, which ends a command; returns the exit status."""
    save_result(path, rows, summary, command, **packing)
    print(f"{text}\n\nWritten to {path}")
    return 0


def save_result(path: Path, rows: pd.DataFrame, summary: Any, command: str, **packing: Any) -> None:
    """Write rows with their summary, and the summary as JSON beside; both atomically.

    `packing`: how the rows are written, as `pyarrow.parquet.write_table` takes it.
    """
    text = json.dumps(asdict(summary), ensure_ascii=False, indent=1)
    table = pa.Table.from_pandas(rows, preserve_index=False)
    ours = {_SUMMARY: text.encode(), _COMMAND: command.encode()}
    metadata = {**(table.schema.metadata or {}), **ours}
    with atomic_write(path) as temporary:
        table = table.replace_schema_metadata(metadata)
        pq.write_table(table, temporary, compression="zstd", **packing)
    with atomic_write(path.with_suffix(".json")) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_result(
    path: Path, command: str, kind: type[Result], columns: Sequence[str] = ()
) -> tuple[pd.DataFrame, Result]:
    """Read what `save_result` wrote, the summary as the dataclass it was; see `load_result`."""
    rows, values = load_result(path, command, columns)
    return rows, revive(kind, values)


def revive(kind: Any, value: Any) -> Any:
    """Make dataclasses and tuples of them out of plain values, as JSON has them.

    Our own: a library for these ten lines would be one more to install, and the files are ours.
    """
    if isinstance(kind, type) and is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{name: revive(hints[name], part) for name, part in value.items()})
    if get_origin(kind) is tuple:
        return tuple(revive(get_args(kind)[0], part) for part in value)
    return value


def load_result(
    path: Path, command: str, columns: Sequence[str] = ()
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read what `save_result` wrote."""
    if not path.is_file():
        raise UserError(f"{path.name} is not there; make it with python -m xdnn_core {command}.")
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path} is not a readable Parquet file.") from error
    metadata = table.schema.metadata or {}
    if metadata.get(_COMMAND) != command.encode():
        raise UserError(
            f"{path} is no result of {command}; make it with python -m xdnn_core {command}."
        )
    missing = [name for name in columns if name not in table.column_names]
    if missing:
        raise UserError(
            f"{path.name} was made by an older version and lacks {', '.join(missing)}; make it "
            f"again with python -m xdnn_core {command}."
        )
    return table.to_pandas(), json.loads(metadata[_SUMMARY])
