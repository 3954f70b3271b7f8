"""A server on 127.0.0.1 that behaves, or misbehaves, as a test asks; a cache of the test's own."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@dataclass
class FileServer:
    """What to serve and how.

    Attributes
    ----------
    files
        Content by name.
    etags
        ETag by name.
    ranges
        Whether ranges are honoured.
    content_type
        Of every answer.
    breaks_after
        Bytes after which the connection is closed, though more were announced; None to send all.
    announce
        Whether a Content-Length is sent.
    requests
        The range header of every request, in order, None where it had none.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    etags: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    content_type: str = "application/octet-stream"
    breaks_after: int | None = None
    announce: bool = True
    requests: list[str | None] = field(default_factory=list)
    url: str = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range")
        self.requests.append(wanted)
        name = request.path.lstrip("/")
        if name not in self.files:
            request.send_error(404)
            return
        data, etag = self.files[name], self.etags.get(name)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.ranges else 0
        if request.headers.get("If-Range", etag) != etag:
            start = 0
        if start >= len(data):
            request.send_error(416)
            return
        request.send_response(206 if start else 200)
        request.send_header("Content-Type", self.content_type)
        if self.announce:
            request.send_header("Content-Length", str(len(data) - start))
        if etag:
            request.send_header("ETag", etag)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        request.end_headers()
        request.wfile.write(data[start:][: self.breaks_after])
        request.close_connection = True


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A running `FileServer` that the zoo downloads from."""
    state = FileServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{running.server_address[1]}"
    monkeypatch.setenv("XDNN_MODELS_URL", state.url)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield state
    running.shutdown()
    running.server_close()
    thread.join(timeout=10)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDNN_DEVICE", "cpu")
    monkeypatch.delenv("XDNN_MODELS_URL", raising=False)
