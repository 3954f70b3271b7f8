"""Start the app as README tells a user to; only its port and its folders differ."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
START_LIMIT = 60  # seconds


@dataclass(frozen=True)
class Server:
    """A running app."""

    url: str  # its address
    process: subprocess.Popen[bytes]  # the server itself: run.sh hands its process over to it
    log: Path  # what it printed

    def stop(self) -> None:
        """End it, as Ctrl-C does; by force after ten seconds."""
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(timeout=10)


def start_server(folder: Path, cores: int | None = None, **more: str) -> Server:
    """Start the app on a free port and wait until it answers."""
    port = _free_port()
    log = folder / "server.log"
    folders = {"XDNN_CACHE": str(folder / "cache"), "XDNN_DATA": str(folder / "data")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["bash", "run.sh", "--server.port", str(port)],
            cwd=ROOT, env=os.environ | folders | more, stdout=output, stderr=subprocess.STDOUT,
            preexec_fn=None if cores is None else lambda: _keep_to(cores),
        )  # fmt: skip
    server = Server(f"http://127.0.0.1:{port}", process, log)
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{server.url}/_stcore/health", timeout=1):
                return server
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    process.kill()
    raise RuntimeError(f"the server did not start:\n{log.read_text()}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _keep_to(cores: int) -> None:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
