"""A command of this program in a process of its own: watched, cancelled, taken up again.

The finished blocks stay in the work folder, so that a run that was cancelled, or that a restart of
the server ended, goes on where it was.
"""

from __future__ import annotations

import atexit
import re
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from xdnn_core.errors import UserError

ROOT: Final = Path(__file__).resolve().parents[2]
_BAR: Final = re.compile(r"(\d+\.\d)% \|[^|]*\| \S+, (\S+) left(?:, ([^\r\n]*))?")
_PATIENCE: Final = 10.0  # seconds a process has to end before it is killed
_TAIL: Final = 65_536  # bytes of its messages that are looked at

State = Literal["running", "finished", "failed", "cancelled"]


@dataclass(frozen=True)
class RunStatus:
    """How far a run is."""

    state: State  # of the process
    share: float  # done, 0 to 1
    left: str  # time left as minutes and seconds, empty while unknown
    detail: str  # what is being worked on; what went wrong if it failed


class BackgroundRun:
    """One run of ``python -m xdnn_core ...``, started at once."""

    def __init__(self, arguments: Sequence[str], log: Path) -> None:
        self.arguments = tuple(arguments)
        self._log = log
        self._cancelled = False
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as messages:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "xdnn_core", *arguments],
                cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=messages,
            )  # fmt: skip
        atexit.register(self.cancel)

    def status(self) -> RunStatus:
        """How far it is, from its own progress bar."""
        text = self._messages()
        bars = list(_BAR.finditer(text))
        share, left, detail = 0.0, "", "starting"
        if bars:
            share, left, detail = float(bars[-1][1]) / 100, bars[-1][2], bars[-1][3] or ""
        code = self._process.poll()
        if code is None:
            return RunStatus("running", share, "" if left == "?" else left, detail)
        atexit.unregister(self.cancel)
        if code == 0:
            return RunStatus("finished", 1.0, "", "")
        if self._cancelled:
            return RunStatus("cancelled", share, "", "")
        return RunStatus("failed", share, "", _reason(text, code))

    @property
    def running(self) -> bool:
        """Whether the process has not ended yet."""
        return self._process.poll() is None

    def cancel(self) -> None:
        """End the process; what is finished stays."""
        if not self.running:
            return
        self._cancelled = True
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _messages(self) -> str:
        with self._log.open("rb") as messages:
            messages.seek(max(0, self._log.stat().st_size - _TAIL))
            return messages.read().decode(errors="replace")


def _reason(text: str, code: int) -> str:
    """The sentence a command ends with, or its last words."""
    lines = [line.strip() for line in re.split(r"[\r\n]+", text) if line.strip()]
    errors = [line for line in lines if line.startswith("error: ")]
    if errors:
        return errors[-1].removeprefix("error: ")
    return f"The run ended with status {code}: {lines[-1] if lines else 'it said nothing'}."


class OneRun:
    """The machine's one background run; whoever asks sees the same."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._run: BackgroundRun | None = None

    @property
    def current(self) -> BackgroundRun | None:
        """The run that was started last, if any."""
        with self._lock:
            return self._run

    def start(self, arguments: Sequence[str], log: Path) -> BackgroundRun:
        """Start a run."""
        with self._lock:
            if self._run is not None and self._run.running:
                raise UserError("Another run is going on; wait for it, or cancel it first.")
            try:
                self._run = BackgroundRun(arguments, log)
            except OSError as error:
                raise UserError(
                    f"{log.parent} cannot be written ({error.strerror}); set XDNN_DATA to a folder "
                    "that can."
                ) from error
            return self._run

    def forget(self) -> None:
        """Take a run that has ended out of sight."""
        with self._lock:
            if self._run is not None and not self._run.running:
                self._run = None


def image_sets_in(folder: Path) -> dict[str, Path]:
    """The image sets an operator offers: a folder's subfolders and Parquet files, by name.

    Links that lead out of the folder are left out.
    """
    home = folder.resolve()
    if not home.is_dir():
        return {}
    return {
        path.name: path
        for path in sorted(home.iterdir())
        if not path.name.startswith(".")
        and path.resolve().is_relative_to(home)
        and (path.is_dir() or path.suffix == ".parquet")
    }
