"""Where the app's own files lie; files that are whole or not there; folders of one run."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from xdnn_core.errors import UserError

_PACKAGE = Path(__file__).resolve().parent
# A wheel carries the app inside the package; in a checkout it lies beside it.
APP = _PACKAGE / "_app" if (_PACKAGE / "_app").is_dir() else _PACKAGE.parent
ASSETS = APP / "assets"
WEIGHTS = ASSETS / "weights"
GALLERY = ASSETS / "gallery"
RESULTS = ASSETS / "results"


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Give a temporary file beside `path` to write, put in its place when all went well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def claim_folder(folder: Path, note: Mapping[str, Any], file_name: str) -> None:
    """Note what a folder's files are of, or check that they are of the same."""
    file = folder / file_name
    mine = json.loads(json.dumps(note))
    if file.is_file():
        theirs = json.loads(file.read_text(encoding="utf-8"))
        differing = [key for key in mine if theirs.get(key) != mine[key]]
        if differing:
            raise UserError(
                f"{folder} holds the blocks of another run (it differs in {', '.join(differing)}); "
                "give another --work folder or delete this one."
            )
        return
    with atomic_write(file) as temporary:
        temporary.write_text(json.dumps(mine, indent=1), encoding="utf-8")
