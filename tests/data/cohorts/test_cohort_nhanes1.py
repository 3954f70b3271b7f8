"""The paper's matrix, downloaded from a local server with small made files in its layout."""

import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from xdnn_core.data.cohorts import nhanes
from xdnn_core.data.cohorts.nhanes import git_blob_hash, load_nhanes1, nhanes1_is_cached
from xdnn_core.data.download import DownloadError


def made_files() -> dict[str, bytes]:
    table = pd.DataFrame({"sex_isFemale": [0.0, 1.0, 1.0], "age": [40.0, np.nan, 71.5]})
    array = io.BytesIO()
    np.save(array, np.array([1.0, 0.0, 1.0]))
    return {"X_sparsity.csv": table.to_csv().encode(), "y_sparsity.npy": array.getvalue()}


class Server:
    def __init__(self) -> None:
        self.files = made_files()
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.rsplit("/", 1)[-1]
                outer.asked.append(name)
                content = outer.files.get(name)
                self.send_response(200 if content is not None else 404)
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write(content or b"")

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join(5)


def publish(monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]) -> None:
    """Make these the published files."""
    blobs = {name: git_blob_hash(data) for name, data in files.items()}
    monkeypatch.setattr(nhanes, "BLOBS", blobs)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("XDNN_CACHE", str(tmp_path))
    running = Server()
    monkeypatch.setenv("XDNN_NHANES_URL", f"http://127.0.0.1:{running.http.server_port}/sparsity/")
    publish(monkeypatch, running.files)
    yield running
    running.close()


def test_the_hash_is_gits() -> None:
    assert git_blob_hash(b"") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"


def test_downloaded_once_then_from_the_cache(server: Server) -> None:
    assert not nhanes1_is_cached()
    first = load_nhanes1()
    assert first.features.shape == (3, 2)
    assert np.isnan(first.features[1, 1])
    assert first.labels.tolist() == [1.0, 0.0, 1.0]
    assert [column.title for column in first.columns] == ["sex isFemale", "age"]
    assert nhanes1_is_cached()
    assert load_nhanes1().fingerprint == first.fingerprint
    assert sorted(server.asked) == ["X_sparsity.csv", "y_sparsity.npy"]


def test_another_file_under_the_name_is_refused(server: Server) -> None:
    server.files["X_sparsity.csv"] += b"3,1,50\n"
    with pytest.raises(DownloadError, match="not the published file"):
        load_nhanes1()
    assert not nhanes1_is_cached()
    server.files = made_files()
    assert len(load_nhanes1()) == 3


def test_a_damaged_cache_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    load_nhanes1()
    (kept,) = tmp_path.rglob("X_sparsity.csv")
    kept.write_bytes(kept.read_bytes()[:-3])
    assert len(load_nhanes1()) == 3
    assert server.asked.count("X_sparsity.csv") == 2


def test_a_pickle_in_the_array_file_is_never_opened(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = io.BytesIO()
    np.save(array, np.array([print], dtype=object), allow_pickle=True)
    server.files["y_sparsity.npy"] = array.getvalue()
    publish(monkeypatch, server.files)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        load_nhanes1()


def test_no_server_is_one_sentence(server: Server) -> None:
    server.http.server_close()
    with pytest.raises(DownloadError):
        load_nhanes1()
