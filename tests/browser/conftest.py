"""A real server and a real Chromium for the tests in this folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tools.serving import Server, start_server as _start

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


@pytest.fixture(scope="session")
def server_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server of most tests keeps its data."""
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="session")
def server(server_folder: Path) -> Iterator[str]:
    """Address of one server for the tests that do not mind what came before."""
    running = _start(server_folder)
    yield running.url
    running.stop()


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Start a server nobody has visited yet, with environment variables; returns its address."""
    running: list[Server] = []

    def start(**environment: str) -> str:
        running.append(_start(tmp_path, **environment))
        return running[-1].url

    yield start
    for one in running:
        one.stop()


@pytest.fixture
def one_core_server(tmp_path: Path) -> Iterator[str]:
    """Address of a server that has one core, so that one session trains at a time."""
    running = _start(tmp_path, cores=1)
    yield running.url
    running.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, from XDNN_CHROMIUM (test.sh sets it) or Playwright's own."""
    path = os.environ.get("XDNN_CHROMIUM")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=CHROMIUM_OPTIONS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """What all windows share, so that the app's own files are fetched once."""
    shared = browser.new_context(viewport={"width": 1400, "height": 1000})
    shared.set_default_timeout(PATIENCE)
    yield shared
    shared.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A window that no server knows; the test fails if the app raised in it."""
    context.clear_cookies()
    opened = context.new_page()
    yield opened
    assert opened.get_by_text("encountered an error").count() == 0, "the app raised an error"
    opened.close()
