"""Runs the user kept, in SQLite in the user's data folder."""

from __future__ import annotations

import json
import logging
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pages.common.folders import data_folder
from pages.prior_parts.kept_run import KeptRun, read_run, run_values
from pages.prior_parts.scales import path_label
from xdnn_core.errors import UserError
from xdnn_core.priors.live_state import Snapshot

MAX_NAME: Final = 80
# How long a locked file is waited for: a page reads while it is drawn, and tries again later.
_READ_SECONDS: Final = 0.2
_WRITE_SECONDS: Final = 5.0
_LOGGER: Final = logging.getLogger(__name__)
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    created TEXT NOT NULL,
    cohort TEXT NOT NULL,
    content TEXT NOT NULL
)
"""


class RunStoreError(UserError):
    """The store cannot do what was asked; says what to do."""


class UnreadableRunError(RunStoreError):
    """One run holds what no version of the app has written; the others are fine."""


class RunStore:
    """Kept runs in one SQLite file; may be used by several threads and processes at once."""

    def __init__(self, path: Path | None = None, owner: str = "") -> None:
        self.path = path or data_folder() / "runs.sqlite"
        self.owner = owner

    def keep(self, snapshot: Snapshot, name: str = "") -> KeptRun:
        """Store a run."""
        if not snapshot.epoch:
            raise RunStoreError("This run has not trained an epoch yet; start it before keeping.")
        # λ as it was trained with: it may have been set again after the last epoch.
        strengths = max((curve.strengths for curve in snapshot.curves), key=len)
        run = KeptRun(
            id=uuid.uuid4().hex,
            name=_checked_name(name or f"{snapshot.cohort}, λ {path_label(strengths)}"),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            cohort=snapshot.cohort,
            cohort_title=snapshot.cohort_title,
            outcome=snapshot.outcome,
            epoch=snapshot.epoch,
            config=snapshot.config,
            curves=snapshot.curves,
            test_revealed=snapshot.test_revealed,
            moved_after_reveal=snapshot.moved_after_reveal,
        )
        self.restore(run)
        return run

    def restore(self, run: KeptRun) -> None:
        """Store a run again that was deleted, as it was; does nothing if it is there."""
        content = json.dumps(run_values(run), allow_nan=False, ensure_ascii=False)
        self._write(
            "INSERT OR IGNORE INTO runs VALUES (?, ?, ?, ?, ?, ?)",
            (run.id, self.owner, run.name, run.created, run.cohort, content),
        )

    def names(self) -> dict[str, str]:
        """Id and name of every run of the owner, the newest first; reads no curves."""
        rows = self._read(
            "SELECT id, name FROM runs WHERE owner = ? ORDER BY created DESC, rowid DESC",
            (self.owner,),
        )
        return {str(run_id): str(name)[:MAX_NAME] for run_id, name in rows}

    def get(self, run_id: str) -> KeptRun:
        """Read one run."""
        rows = self._read(
            "SELECT name, content FROM runs WHERE id = ? AND owner = ?", (run_id, self.owner)
        )
        if not rows:
            raise _gone()
        name, content = rows[0]
        try:
            return read_run(content, id=run_id, name=str(name)[:MAX_NAME])
        except ValueError as error:
            _LOGGER.warning("run %s in %s cannot be read: %s", run_id, self.path, error)
            raise UnreadableRunError(
                f"The kept run {str(name)[:MAX_NAME]!r} cannot be read and is left out."
            ) from error

    def rename(self, run_id: str, name: str) -> None:
        """Give a run another name."""
        self._change("UPDATE runs SET name = ? WHERE id = ? AND owner = ?",
                     (_checked_name(name), run_id, self.owner))  # fmt: skip

    def delete(self, run_id: str) -> None:
        """Remove a run for good."""
        self._change("DELETE FROM runs WHERE id = ? AND owner = ?", (run_id, self.owner))

    def _change(self, statement: str, values: tuple[str, ...]) -> None:
        if not self._write(statement, values):
            raise _gone()

    def _write(self, statement: str, values: tuple[str, ...]) -> int:
        """Execute a statement; returns how many rows it changed."""
        with self._storage_errors("written"):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._connection(_WRITE_SECONDS) as connection:
                return connection.execute(statement, values).rowcount

    def _read(self, statement: str, values: tuple[str, ...]) -> list[tuple[Any, ...]]:
        """Fetch rows; a file that is not there has none, and is not made."""
        with self._storage_errors("read"):
            if not self.path.exists():
                return []
            with self._connection(_READ_SECONDS) as connection:
                return connection.execute(statement, values).fetchall()

    @contextmanager
    def _connection(self, patience: float) -> Iterator[sqlite3.Connection]:
        """A connection for one transaction, committed if all went well."""
        with (
            closing(sqlite3.connect(self.path, timeout=patience)) as connection,
            connection,  # commits, or rolls back on an error
        ):
            connection.text_factory = lambda text: text.decode(errors="replace")
            connection.execute(_SCHEMA)
            yield connection

    @contextmanager
    def _storage_errors(self, what: str) -> Iterator[None]:
        """Trouble with the file as one sentence without its path, which goes to the log."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            _LOGGER.warning("kept runs in %s cannot be %s: %s", self.path, what, error)
            reason = error.strerror if isinstance(error, OSError) else error
            raise RunStoreError(
                f"Kept runs cannot be {what} at the moment ({reason}); training works without them."
            ) from error


def _checked_name(name: str) -> str:
    name = name.strip()
    if not 0 < len(name) <= MAX_NAME:
        raise RunStoreError(f"The name has {len(name)} characters; allowed are 1 to {MAX_NAME}.")
    return name


def _gone() -> RunStoreError:
    return RunStoreError("There is no such kept run; it may have been deleted in another window.")
