"""Downloads in every state of disrepair."""

import errno
import hashlib
import io
import socket
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tests.models.small_files import (
    FILES,
    assert_same_network,
    checkpoint,
    encode,
    folder,
    make_network,
    refused,
)
from xdnn_core.data import download
from xdnn_core.data.download import DownloadError
from xdnn_core.models import cache, catalogue
from xdnn_core.models.zoo import available_models, load_model


def test_published_hash_is_checked(server, monkeypatch):
    name = "alexnet-torchvision"
    network = make_network()
    data = encode(network.state_dict())
    server.files[FILES[name]] = data
    assert "SHA-256" in refused(DownloadError, load_model, name)
    assert not list(folder().glob("*.part*"))
    assert not list(folder().glob("*.safetensors"))
    remotes = tuple(
        replace(r, sha256=hashlib.sha256(data).hexdigest())
        for r in catalogue.REMOTE
        if r.name == name
    )
    monkeypatch.setattr(catalogue, "REMOTE", remotes)
    assert_same_network(load_model(name).network, network)


def test_official_addresses():
    urls = {remote.name: remote.url for remote in catalogue.REMOTE}
    assert urls["xalexnet-imagenet"] == (
        "https://download.visinf.tu-darmstadt.de/data/2021-neurips-fast-axiomatic-attribution"
        "/models/xalexnet_model_best.pth.tar"
    )
    assert urls["alexnet-torchvision"] == (
        "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"
    )


@pytest.mark.parametrize(("etag", "ranges", "resumed"), [('"one"', True, True),
                                                         ("", True, True),
                                                         ('W/"one"', True, True),
                                                         ('"one"', False, False)])  # fmt: skip
def test_broken_download_goes_on(server, etag, ranges, resumed):
    name = "xalexnet-imagenet"
    network = make_network(False)
    file = FILES[name]
    server.files[file], server.etags[file] = checkpoint(network), etag
    server.breaks_after, server.ranges = 1_000_000, ranges
    assert "goes on" in refused(DownloadError, load_model, name)
    part = folder() / f"{name}.part"
    assert part.read_bytes() == server.files[file][:1_000_000]
    server.breaks_after = None
    steps: list[int] = []
    model = load_model(name, progress=lambda done, _: steps.append(done))
    assert server.requests == [None, "bytes=1000000-"]
    assert (min(steps) > 1_000_000) == resumed
    assert_same_network(model.network, network)
    assert not part.exists()


def test_file_that_changed_in_between_is_loaded_from_the_start(server):
    name, file = "xalexnet-imagenet", FILES["xalexnet-imagenet"]
    server.files[file], server.etags[file] = checkpoint(make_network(False)), '"one"'
    server.breaks_after = 1_000_000
    refused(DownloadError, load_model, name)
    newer = make_network(False, seed=3)
    server.files[file], server.etags[file] = checkpoint(newer), '"two"'
    server.breaks_after = None
    assert_same_network(load_model(name).network, newer)


def test_changed_file_on_a_server_without_versions_is_not_mixed(server):
    name, file = "xalexnet-imagenet", FILES["xalexnet-imagenet"]
    server.files[file] = checkpoint(make_network(False))
    server.breaks_after = 1_000_000
    refused(DownloadError, load_model, name)
    newer = make_network(False, classes=6)
    server.files[file] = checkpoint(newer)
    server.breaks_after = None
    assert "has changed" in refused(DownloadError, load_model, name)
    assert_same_network(load_model(name).network, newer)


def test_part_longer_than_the_file_starts_over(server):
    name, file = "xalexnet-imagenet", FILES["xalexnet-imagenet"]
    network = make_network(False)
    server.files[file] = checkpoint(network) + bytes(500)
    server.breaks_after = len(server.files[file]) - 100
    refused(DownloadError, load_model, name)
    server.files[file] = checkpoint(network)
    server.breaks_after = None
    assert_same_network(load_model(name).network, network)
    assert server.requests[-1] is None


def test_complete_part_is_not_downloaded_again(server, monkeypatch):
    name = "xalexnet-imagenet"
    network = make_network(False)
    server.files[FILES[name]] = checkpoint(network)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(cache, "_install", killed)
        with pytest.raises(KeyboardInterrupt):
            load_model(name)
    assert_same_network(load_model(name).network, network)
    assert len(server.requests) == 1


@pytest.mark.parametrize("share", [0.1, 0.999])
def test_file_cut_short_without_a_length(server, share):
    data = checkpoint(make_network())
    server.files[FILES["alexnet-imagenet"]] = data[: int(len(data) * share)]
    server.announce = False
    assert "damaged" in refused(DownloadError, load_model, "alexnet-imagenet")
    assert not list(folder().glob("*.part*"))
    assert not list(folder().glob("*.safetensors"))


@pytest.mark.parametrize("content_type", ["text/html; charset=utf-8", "application/octet-stream"])
def test_web_page_in_place_of_the_file(server, content_type):
    server.files[FILES["alexnet-imagenet"]] = b"\n <!doctype html><html>Please log in</html>"
    server.content_type = content_type
    assert "web page" in refused(DownloadError, load_model, "alexnet-imagenet")
    server.content_type = "application/octet-stream"
    server.files[FILES["alexnet-imagenet"]] = checkpoint(make_network())
    assert load_model("alexnet-imagenet").card.installed


class FullDisk(io.FileIO):
    """A file that holds 600,000 bytes and no more."""

    def write(self, data) -> int:
        if self.tell() + len(data) > 600_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


def test_disk_full_while_downloading(server, monkeypatch):
    name = "alexnet-imagenet"
    server.files[FILES[name]] = checkpoint(make_network())
    real = Path.open
    with monkeypatch.context() as patch:
        patch.setattr(
            Path,
            "open",
            lambda self, mode="r", *rest, **named: (
                FullDisk(self, mode) if self.suffix == ".part" else real(self, mode, *rest, **named)
            ),
        )
        message = refused(DownloadError, load_model, name)
    assert "disk is full" in message
    assert "XDNN_CACHE" in message
    assert not list(folder().glob("*.part*")), "the disk is not left full"
    assert load_model(name).card.installed


def test_disk_full_while_saving_keeps_the_download(server, monkeypatch):
    name = "alexnet-imagenet"
    server.files[FILES[name]] = checkpoint(make_network())

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        assert "free some space" in refused(DownloadError, load_model, name)
    assert not available_models()[2].installed
    assert load_model(name).card.installed
    assert len(server.requests) == 1


def test_cache_folder_that_cannot_be_made(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDNN_CACHE", str(tmp_path / "file" / "cache"))
    assert "XDNN_CACHE" in refused(DownloadError, load_model, "alexnet-imagenet")


def test_server_that_is_not_there(monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("XDNN_MODELS_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    message = refused(DownloadError, load_model, "alexnet-imagenet")
    assert "network" in message
    assert "xalexnet-caltech101" in message


def test_file_that_is_not_on_the_server(server):
    assert "404" in refused(DownloadError, load_model, "alexnet-imagenet")


@pytest.mark.parametrize("url", ["file:///etc", "ftp://127.0.0.1", "nonsense", "http://"])
def test_address_of_another_kind(url, monkeypatch):
    monkeypatch.setenv("XDNN_MODELS_URL", url)
    assert "web address" in refused(DownloadError, load_model, "alexnet-imagenet")


@pytest.mark.parametrize("announce", [True, False])
def test_file_that_is_too_large(server, tmp_path, announce):
    server.files["large"], server.announce = bytes(2_000_000), announce
    part = tmp_path / "large.part"
    with pytest.raises(DownloadError, match="larger than"):
        download.download(f"{server.url}/large", part, limit=1_000_000)


def test_several_at_once_download_once(server):
    name = "alexnet-imagenet"
    network = make_network()
    server.files[FILES[name]] = checkpoint(network)
    loaded = []
    threads = [
        threading.Thread(target=lambda: loaded.append(load_model(name, progress=lambda *_: None)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(loaded) == 4
    assert len(server.requests) == 1
    for model in loaded:
        assert_same_network(model.network, network)
