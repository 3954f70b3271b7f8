"""Runs the user kept, in SQLite in the user's data folder."""

from __future__ import annotations

import json
import math
import os
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import platformdirs

from xdnn_core.errors import UserError
from xdnn_core.priors.live_controls import path_label
from xdnn_core.priors.live_state import (
    LiveConfig,
    MethodCurve,
    Snapshot,
    StrengthMark,
    TopFeature,
)

MAX_NAME: Final = 80
_BUSY_SECONDS: Final = 5.0
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


@dataclass(frozen=True)
class KeptRun:
    """A finished or paused run that was kept.

    Attributes
    ----------
    id
        Of the run in the store.
    name
        Given by the user, or made from cohort and λ.
    created
        When it was kept, ISO 8601, UTC.
    cohort, cohort_title, outcome
        What it trained on.
    epoch
        Epochs it had finished.
    config
        Its whole configuration.
    strength
        λ at the end.
    marks
        Changes of λ on the way.
    curves
        One a method; without test scores unless they were revealed.
    test_revealed
        Whether the test ROC-AUC was revealed before the run was kept.
    moved_after_reveal
        Whether λ was moved after a test ROC-AUC of the cohort was first revealed, see `Snapshot`;
        None if it is not known: earlier versions always showed the test ROC-AUC.
    """

    id: str
    name: str
    created: str
    cohort: str
    cohort_title: str
    outcome: str
    epoch: int
    config: LiveConfig
    strength: float
    marks: tuple[StrengthMark, ...]
    curves: tuple[MethodCurve, ...]
    test_revealed: bool = True
    moved_after_reveal: bool | None = None


def data_folder() -> Path:
    """Folder for what the user made: ``XDNN_DATA``, else the user's data folder."""
    named = os.environ.get("XDNN_DATA")
    return Path(named).expanduser() if named else Path(platformdirs.user_data_dir("xdnn"))


class RunStore:
    """Kept runs in one SQLite file; may be used by several threads and processes at once.

    Parameters
    ----------
    path
        The file; None for runs.sqlite in the user's data folder.
    owner
        Whose runs: only these are seen and changed.

    Raises
    ------
    RunStoreError
        If the file cannot be opened or is no database.
    """

    def __init__(self, path: Path | None = None, owner: str = "") -> None:
        self.path = path or data_folder() / "runs.sqlite"
        self.owner = owner
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unusable(error) from error
        with self._connection() as connection:
            connection.execute(_SCHEMA)

    def keep(self, snapshot: Snapshot, name: str = "") -> KeptRun:
        """Store a run.

        Parameters
        ----------
        snapshot
            Of a trainer; has trained at least one epoch.
        name
            At most 80 characters; empty for one made from cohort and λ.

        Raises
        ------
        RunStoreError
            If nothing was trained yet, the name is too long, or the file cannot be written.
        """
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
            strength=strengths[-1],
            marks=tuple(mark for mark in snapshot.marks if mark.epoch < len(strengths)),
            curves=snapshot.curves,
            test_revealed=snapshot.test_revealed,
            moved_after_reveal=snapshot.moved_after_reveal,
        )
        self.restore(run)
        return run

    def restore(self, run: KeptRun) -> None:
        """Store a run again that was deleted, as it was; does nothing if it is there.

        Parameters
        ----------
        run
            From `get` or `runs`, before it was deleted.
        """
        content = json.dumps(run_values(run), allow_nan=False, ensure_ascii=False)
        with self._connection() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO runs VALUES (?, ?, ?, ?, ?, ?)",
                (run.id, self.owner, run.name, run.created, run.cohort, content),
            )

    def names(self) -> dict[str, str]:
        """Id and name of every run of the owner, the newest first; reads no curves."""
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT id, name FROM runs WHERE owner = ? ORDER BY created DESC, rowid DESC",
                (self.owner,),
            ).fetchall()
        return dict(rows)

    def runs(self) -> tuple[KeptRun, ...]:
        """All runs of the owner, the newest first."""
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT id, name, content FROM runs WHERE owner = ? "
                "ORDER BY created DESC, rowid DESC",
                (self.owner,),
            ).fetchall()
        return tuple(_from_row(*row) for row in rows)

    def get(self, run_id: str) -> KeptRun:
        """One run.

        Raises
        ------
        RunStoreError
            If the owner has no such run.
        """
        with self._connection() as connection:
            row = connection.execute(
                "SELECT id, name, content FROM runs WHERE id = ? AND owner = ?",
                (run_id, self.owner),
            ).fetchone()
        if row is None:
            raise _gone()
        return _from_row(*row)

    def rename(self, run_id: str, name: str) -> None:
        """Give a run another name.

        Raises
        ------
        RunStoreError
            If there is no such run, or the name is empty or too long.
        """
        self._change("UPDATE runs SET name = ? WHERE id = ? AND owner = ?",
                     (_checked_name(name), run_id, self.owner))  # fmt: skip

    def delete(self, run_id: str) -> None:
        """Remove a run for good.

        Raises
        ------
        RunStoreError
            If there is no such run.
        """
        self._change("DELETE FROM runs WHERE id = ? AND owner = ?", (run_id, self.owner))

    def _change(self, statement: str, values: tuple[str, ...]) -> None:
        with self._connection() as connection:
            changed = connection.execute(statement, values).rowcount
        if not changed:
            raise _gone()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A connection for one transaction, committed if all went well."""
        try:
            with (
                closing(sqlite3.connect(self.path, timeout=_BUSY_SECONDS)) as connection,
                connection,  # commits, or rolls back on an error
            ):
                yield connection
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> RunStoreError:
        return RunStoreError(
            f"Kept runs cannot be read or written at {self.path} ({error}); set XDNN_DATA to a "
            "folder that can."
        )


def _checked_name(name: str) -> str:
    name = name.strip()
    if not 0 < len(name) <= MAX_NAME:
        raise RunStoreError(f"The name has {len(name)} characters; allowed are 1 to {MAX_NAME}.")
    return name


def _gone() -> RunStoreError:
    return RunStoreError("There is no such kept run; it may have been deleted in another window.")


def run_values(run: KeptRun) -> dict[str, Any]:
    """A run as plain values for JSON, which has no NaN: what is not defined is None."""
    values: dict[str, Any] = _without_nan(asdict(run) | {"config": run.config.to_dict()})
    return values


def _without_nan(value: Any) -> Any:
    """NaN and infinity as None, which JSON can hold."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _without_nan(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(each) for each in value]
    return value


def _from_row(run_id: str, name: str, content: str) -> KeptRun:
    """Read back what `run_values` gave; the name in the table is the current one."""
    values = json.loads(content)
    return KeptRun(
        **values
        | {
            "id": run_id,
            "name": name,
            "config": LiveConfig.from_dict(values["config"]),
            "marks": tuple(StrengthMark(**mark) for mark in values["marks"]),
            "curves": tuple(_curve(curve) for curve in values["curves"]),
        }
    )


def _curve(values: dict[str, Any]) -> MethodCurve:
    top = tuple(TopFeature(**feature) for feature in values.pop("top_features"))
    restored: dict[str, Any] = {
        key: tuple(_number(each) for each in value) if isinstance(value, list) else _number(value)
        for key, value in values.items()
    }
    return MethodCurve(**restored, top_features=top)


def _number(value: Any) -> Any:
    """None back to NaN."""
    return float("nan") if value is None else value
