"""Downloads in every state of disrepair."""

import errno
import hashlib
import io
import json
import os
import pickle
import socket
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.models.small_files import (
    FILES,
    LAYOUTS,
    assert_same_network,
    checkpoint,
    encode,
    folder,
    inputs,
    make_network,
    refused,
)
from xdnn_core.data import download
from xdnn_core.data.download import DownloadError
from xdnn_core.data.preprocessing import Preprocessing
from xdnn_core.homogeneity.inspection import inspect_homogeneity
from xdnn_core.models import cache, catalogue
from xdnn_core.models.fixup_resnet import FixupResNet50
from xdnn_core.models.networks import VGG16, NetworkConfig
from xdnn_core.models.states import CheckpointError
from xdnn_core.models.zoo import available_models, load_model, load_model_file


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["alexnet-imagenet", "xalexnet-imagenet"])
def test_authors_checkpoints_in_every_layout(server, name, layout):
    network = make_network(name == "alexnet-imagenet")
    server.files[FILES[name]] = checkpoint(network, layout)
    steps: list[tuple[int, int | None]] = []
    model = load_model(name, progress=lambda done, total: steps.append((done, total)))
    assert_same_network(model.network, network)
    assert model.is_xdnn == name.startswith("x")
    assert model.name == name
    assert model.preprocessing == Preprocessing(224, 256)
    size = len(server.files[FILES[name]])
    assert steps[-1] == (size, size)
    assert steps == sorted(steps)
    assert model.card.installed
    assert_same_network(load_model(name).network, network)
    assert len(server.requests) == 1, "the second load comes from the cache"


@pytest.mark.parametrize("biases", [True, False])
@pytest.mark.parametrize("architecture", ["vgg16", "fixup_resnet50"])
def test_checkpoints_of_the_other_architectures(server, architecture, biases):
    torch.manual_seed(0)
    network = (
        VGG16(NetworkConfig(classes=5, head=8, biases=biases))
        if architecture == "vgg16"
        else FixupResNet50(NetworkConfig(classes=5, biases=biases))
    ).eval()
    with torch.no_grad():
        for parameter in network.parameters():  # Fixup starts many of them at zero
            if not parameter.any():
                parameter.normal_(0, 0.02)
    name = f"{'' if biases else 'x'}{architecture}-imagenet"
    server.files[FILES[name]] = checkpoint(network, "outer")
    model = load_model(name)
    assert_same_network(model.network, network)
    assert model.is_xdnn == (not biases)
    assert isinstance(model.network, type(network))
    if biases:
        stripped = load_model(f"{name}-without-biases")
        assert stripped.is_xdnn
        assert inspect_homogeneity(stripped.network, inputs()).is_homogeneous


def test_checkpoint_of_another_architecture_is_refused(server):
    server.files[FILES["vgg16-imagenet"]] = checkpoint(make_network())
    assert "no vgg16 with biases" in refused(DownloadError, load_model, "vgg16-imagenet")


def test_only_the_weights_are_kept(server):
    name = "alexnet-imagenet"
    network = make_network()
    server.files[FILES[name]] = checkpoint(network)
    model = load_model(name)
    assert {file.suffix for file in folder().iterdir()} <= {".safetensors", ".json", ".lock"}
    weights = folder() / f"{name}.safetensors"
    assert model.card.size_bytes == weights.stat().st_size
    assert weights.stat().st_size < 4 * sum(p.numel() for p in network.parameters()) + 10_000
    record = json.loads((folder() / f"{name}.json").read_text())
    assert record["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert record["source"].startswith(server.url)


def test_changed_file_is_refused_until_it_is_deleted(server):
    name = "alexnet-imagenet"
    network = make_network()
    server.files[FILES[name]] = checkpoint(network)
    load_model(name)
    weights = folder() / f"{name}.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    message = refused(DownloadError, load_model, name)
    assert str(weights) in message
    assert "delete it" in message
    assert len(server.requests) == 1
    weights.unlink()
    assert_same_network(load_model(name).network, network)


@pytest.mark.parametrize("record", ["", "[]", '{"sha256": 1}'])
def test_damaged_record_is_refused(server, record):
    server.files[FILES["alexnet-imagenet"]] = checkpoint(make_network())
    load_model("alexnet-imagenet")
    (folder() / "alexnet-imagenet.json").write_text(record)
    assert "delete it" in refused(DownloadError, load_model, "alexnet-imagenet")


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


class Bomb:
    """Pickled, it would make a file when loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("pack", [encode, pickle.dumps,
                                  lambda content: pickle.dumps(content, protocol=0)])  # fmt: skip
def test_code_in_a_checkpoint_never_runs(server, tmp_path, pack):
    trap = tmp_path / "trap"
    content = {"state_dict": make_network().state_dict(), "extra": Bomb(trap)}
    data = pack(content)
    pickle.loads(pickle.dumps(Bomb(trap)))
    assert trap.exists(), "the trap works"
    trap.rmdir()
    server.files[FILES["alexnet-imagenet"]] = data
    message = refused(DownloadError, load_model, "alexnet-imagenet")
    refused(CheckpointError, load_model_file, data)
    assert not trap.exists()
    assert not list(folder().glob("*.safetensors"))
    if pack is encode:
        assert "could run code" in message


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


@pytest.mark.parametrize("wrong", ["architecture", "biases", "extra", "shape", "type", "nan"])
def test_checkpoint_of_another_network(server, wrong):
    state = dict(make_network(biases=wrong != "biases").state_dict())
    if wrong == "architecture":
        state = nn.Sequential(nn.Linear(3, 4)).state_dict()
    elif wrong == "extra":
        state["features.13.weight"] = torch.zeros(1)
    elif wrong == "shape":
        state["features.3.weight"] = torch.zeros(192, 64, 3, 3)
    elif wrong == "type":
        state["classifier.6.bias"] = torch.zeros(5, dtype=torch.int64)
    elif wrong == "nan":
        state["classifier.6.bias"] = torch.full((5,), torch.nan)
    server.files[FILES["alexnet-imagenet"]] = encode({"state_dict": state})
    message = refused(DownloadError, load_model, "alexnet-imagenet")
    assert "is not the checkpoint that alexnet-imagenet needs" in message
    assert not list(folder().glob("*.safetensors"))


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
