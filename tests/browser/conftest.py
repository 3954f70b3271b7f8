"""A real server and a real Chromium for the tests in this folder."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
START_LIMIT = 60  # seconds
# Milliseconds a wait may take; long, because a machine that does other work must not fail a test.
PATIENCE = 120_000
expect.set_options(timeout=PATIENCE)
CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@dataclass(frozen=True)
class Server:
    """A running app."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _start(folder: Path, cores: int | None = None, **more: str) -> Server:
    """Start a server whose files all lie in a folder.

    `cores` limits where it may compute; `more` are further environment variables.
    """
    port = _free_port()
    log = folder / "server.log"
    environment = os.environ | {
        "XDNN_CACHE": str(folder / "cache"),
        "XDNN_DATA": str(folder / "data"),
        "XDNN_NHANES_URL": "http://127.0.0.1:9/no-network",  # where nobody listens
        **more,
    }
    command = [sys.executable, "-m", "streamlit", "run", "app.py"]
    options = {
        "server.port": port,
        "server.address": "127.0.0.1",
        "server.headless": "true",
        "server.fileWatcherType": "none",
    }
    command += [f"--{name}={value}" for name, value in options.items()]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT,
            preexec_fn=None if cores is None else lambda: _keep_to(cores),
        )  # fmt: skip
    server = Server(f"http://127.0.0.1:{port}", process, log)
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{server.url}/_stcore/health", timeout=1):
                return server
        except (urllib.error.URLError, OSError):
            if process.poll() is not None:
                break
            time.sleep(0.1)
    process.kill()
    raise RuntimeError(f"the server did not start:\n{log.read_text()}")


def _keep_to(cores: int) -> None:
    """Let this process compute on the first few of its cores only."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])


def _stop(server: Server) -> None:
    server.process.terminate()
    try:
        server.process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait(timeout=10)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of one server for the tests that do not mind what came before."""
    running = _start(tmp_path_factory.mktemp("server"))
    yield running.url
    _stop(running)


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Start a server nobody has visited yet, with environment variables; returns its address."""
    running: list[Server] = []

    def start(**environment: str) -> str:
        running.append(_start(tmp_path, **environment))
        return running[-1].url

    yield start
    for one in running:
        _stop(one)


@pytest.fixture
def restart_server(tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Start a server, ending the one before; all have the same folders. Returns its address."""
    running: list[Server] = []

    def restart() -> str:
        while running:
            _stop(running.pop())
        running.append(_start(tmp_path))
        return running[-1].url

    yield restart
    for one in running:
        _stop(one)


@pytest.fixture
def one_core_server(tmp_path: Path) -> Iterator[str]:
    """Address of a server that has one core, so that one session trains at a time."""
    running = _start(tmp_path, cores=1)
    yield running.url
    _stop(running)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, from XDNN_CHROMIUM (test.sh sets it) or Playwright's own."""
    path = os.environ.get("XDNN_CHROMIUM")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=CHROMIUM_OPTIONS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh window; the test fails if the app raised in it."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    context.set_default_timeout(PATIENCE)
    opened = context.new_page()
    yield opened
    assert opened.get_by_text("encountered an error").count() == 0, "the app raised an error"
    context.close()
