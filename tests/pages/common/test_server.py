"""A real server, without a browser: what is in its log, and how it ends."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from websockets.sync.client import connect

from tools.serving import Server, start_server

PATIENCE = 120.0  # seconds; long, because a machine that does other work must not fail a test


class Watched:
    """A server whose log is read."""

    def __init__(self, server: Server) -> None:
        self.process, self.url, self._log = server.process, server.url, server.log

    @property
    def log(self) -> str:
        return self._log.read_text()

    def until(self, text: str) -> None:
        """Wait until the log says something."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.log:
            assert time.monotonic() < deadline, self.log
            assert self.process.poll() is None, self.log
            time.sleep(0.05)

    @contextmanager
    def page(self) -> Iterator[None]:
        """Ask for the first page, as a browser does, and stay connected."""
        address = self.url.replace("http", "ws") + "/_stcore/stream"
        with connect(address, max_size=None) as connection:
            message = BackMsg()
            message.rerun_script.query_string = ""
            connection.send(message.SerializeToString())
            connection.recv(timeout=PATIENCE)  # the script runs
            yield


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Watched]]:
    started: list[Watched] = []

    def starter(**environment: str) -> Watched:
        started.append(Watched(start_server(tmp_path, **environment)))
        return started[-1]

    yield starter
    for server in started:
        server.process.kill()
        server.process.wait()


@pytest.mark.parametrize(
    ("how", "seconds"),
    # While the page begins, while its networks are loaded, while it computes.
    [(signal.SIGINT, 0.1), (signal.SIGTERM, 1.5), (signal.SIGTERM, 4)],
)
def test_it_ends_in_order_while_a_page_loads(
    start: Callable[..., Watched], how: signal.Signals, seconds: float
) -> None:
    """Threads that computed were torn out of C++, which aborted the process."""
    server = start()
    with server.page():
        time.sleep(seconds)
        server.process.send_signal(how)
        assert server.process.wait(PATIENCE) == 0, server.log
    after = server.log.partition("Stopping...")[2]
    assert after.strip() == ""


def test_a_device_that_is_not_there_is_one_sentence_in_the_log(
    start: Callable[..., Watched],
) -> None:
    server = start(XDNN_DEVICE="cuda:99")
    with server.page():
        server.until("XDNN_DEVICE: Device 'cuda:99' is not present")
        time.sleep(1)
        assert "Traceback" not in server.log
