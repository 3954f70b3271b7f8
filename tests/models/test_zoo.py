"""The catalogue, the embedded files, downloads in every state of disrepair, own networks."""

import errno
import hashlib
import io
import json
import os
import pickle
import re
import socket
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save as to_safetensors
from torch import nn

from xdnn_core import assets
from xdnn_core.data.preprocessing import Preprocessing
from xdnn_core.models import cache, catalogue, download, states
from xdnn_core.models.alexnet import AlexNet, AlexNetConfig
from xdnn_core.models.checkpoints import read_embedded, save_embedded
from xdnn_core.models.download import DownloadError
from xdnn_core.models.states import CheckpointError
from xdnn_core.models.zoo import available_models, load_model, load_model_file

FILES = {
    "alexnet-imagenet": "alexnet_model_best.pth.tar",
    "xalexnet-imagenet": "xalexnet_model_best.pth.tar",
    "alexnet-torchvision": "alexnet-owt-7be5be79.pth",
}
LAYOUTS = {
    "plain": lambda key: key,
    "outer": lambda key: f"module.{key}",
    "inner": lambda key: key.replace("features.", "features.module."),
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDNN_DEVICE", "cpu")
    monkeypatch.delenv("XDNN_MODELS_URL", raising=False)


def make_network(biases: bool = True, classes: int = 5, head: int = 8, seed: int = 0) -> AlexNet:
    torch.manual_seed(seed)
    return AlexNet(AlexNetConfig(classes, head, biases)).eval()


def encode(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def checkpoint(network: nn.Module, layout: str = "inner") -> bytes:
    """A small file in the layout of the authors' training script, saved on a GPU."""
    state = {LAYOUTS[layout](key): value for key, value in network.state_dict().items()}
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    data = encode(
        {
            "epoch": 90,
            "arch": "alexnet",
            "state_dict": state,
            "best_acc1": torch.tensor(56.5),
            "optimizer": optimizer.state_dict(),
        }
    )
    return with_location(data, "cuda:0")


def with_location(data: bytes, location: str) -> bytes:
    """The same torch file with every storage tagged as lying on another device."""
    out = io.BytesIO()
    old = b"X" + len("cpu").to_bytes(4, "little") + b"cpu"
    new = b"X" + len(location).to_bytes(4, "little") + location.encode()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w") as target:
        for entry in source.infolist():
            content = source.read(entry)
            if entry.filename.endswith("data.pkl"):
                assert old in content
                content = content.replace(old, new)
            target.writestr(entry.filename, content)
    return out.getvalue()


def folder() -> Path:
    return cache.cache_folder() / "models"


def inputs() -> torch.Tensor:
    return torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(1))


def assert_same_network(one: nn.Module, other: nn.Module) -> None:
    assert torch.equal(one(inputs()), other(inputs()))


def refused(kind: type[ValueError], call, *arguments) -> str:
    with pytest.raises(kind) as caught:
        call(*arguments)
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    assert not re.search(r"\. [A-Z]", message), "one sentence"
    return message


# --- catalogue ---------------------------------------------------------------------------------


def test_catalogue():
    cards = {card.name: card for card in available_models()}
    assert list(cards) == ["alexnet-caltech101", "xalexnet-caltech101", *FILES]
    assert [card.is_xdnn for card in cards.values()] == [False, True, False, True, False]
    assert [cards[name].top5 for name in FILES] == [79.21, 78.54, 79.066]
    assert [cards[name].top1 for name in FILES] == [None, None, 56.522]
    assert all(cards[name].classes == 1000 and not cards[name].installed for name in FILES)
    assert all(card.size_bytes > 10**7 and card.title and card.source for card in cards.values())


def test_unknown_name_device_and_dtype():
    assert "xalexnet-imagenet" in refused(ValueError, load_model, "resnet50")
    assert "cpu" in refused(ValueError, load_model, "xalexnet-caltech101", "tpu")
    assert "float32" in refused(ValueError, load_model, "alexnet-caltech101", "cpu", torch.int32)


@pytest.mark.parametrize("name", ["alexnet-caltech101", "xalexnet-caltech101"])
def test_real_embedded_weights(name):
    model = load_model(name)
    card = next(card for card in available_models() if card.name == name)
    assert card.installed
    assert model.card == card
    assert model.name == name
    assert len(model.classes) == len(set(model.classes)) == card.classes == 101
    assert model.is_xdnn == name.startswith("x")
    assert 80 < card.top1 < card.top5 < 100
    assert card.size_bytes < 20_000_000
    tensor = model.preprocess(Image.new("RGB", (300, 400), (90, 120, 30)))
    logits = model.network(tensor[None])
    assert logits.shape == (1, 101)
    assert logits.isfinite().all()
    doubled = model.network(2 * tensor[None])
    assert torch.allclose(doubled, 2 * logits, rtol=1e-4, atol=1e-4) == model.is_xdnn


def test_imagenet_names_are_torchvisions(server):
    server.files[FILES["alexnet-imagenet"]] = checkpoint(make_network(classes=1000))
    model = load_model("alexnet-imagenet")
    assert len(model.classes) == 1000
    assert model.classes[0] == "tench"
    assert model.classes[999] == "toilet tissue"


# --- embedded files ----------------------------------------------------------------------------


def embed(path: Path, network: AlexNet, **changes: object) -> Path:
    options = {
        "title": "Small",
        "classes": [f"Klasse {i}" for i in range(network.config.classes)],
        "preprocessing": Preprocessing(96, 100, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)),
        "top1": 91.234,
        "top5": 98.0,
        "recipe": {"epochs": 3},
    } | changes
    save_embedded(path, network, **options)
    return path


def test_a_network_can_be_loaded_without_its_biases():
    regular = load_model("alexnet-caltech101")
    stripped = load_model("alexnet-caltech101-without-biases")
    assert stripped.is_xdnn
    assert not stripped.network.config.biases
    assert stripped.card.top1 is None
    weights = dict(regular.network.named_parameters())
    kept = dict(stripped.network.named_parameters())
    assert set(kept) == {key for key in weights if key.endswith("weight")}
    assert all(torch.equal(kept[key], weights[key]) for key in kept)
    assert not any(parameter.requires_grad for parameter in kept.values())
    x = torch.randn(1, 3, 224, 224)
    assert torch.allclose(stripped.network(2 * x), 2 * stripped.network(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("biases", [True, False])
def test_embedded_file_round_trip(tmp_path, biases):
    network = make_network(biases)
    path = embed(tmp_path / "a" / "small.safetensors", network)
    loaded, description = read_embedded(path)
    assert_same_network(loaded, make_network(biases).half().float())
    assert not loaded.training
    assert not any(p.requires_grad or p.dtype != torch.float32 for p in loaded.parameters())
    assert loaded.config.head == description.head == 8
    assert loaded.config.biases is description.biases is biases
    assert description.classes == ("Klasse 0", "Klasse 1", "Klasse 2", "Klasse 3", "Klasse 4")
    assert description.preprocessing == Preprocessing(96, 100, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert (description.title, description.top1, description.top5) == ("Small", 91.23, 98.0)
    assert description.recipe == {"epochs": 3}
    assert [file.name for file in path.parent.iterdir()] == [path.name], "no temporary left"
    assert path.stat().st_size < 2.1 * sum(p.numel() for p in network.parameters())


def test_embedded_header_holds_the_agreed_strings(tmp_path):
    data = embed(tmp_path / "small.safetensors", make_network(False)).read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    assert header["biases"] == "false"
    assert header["head"] == "8"
    assert header["size"] == "96"
    assert header["resize"] == "100"
    assert header["top1"] == "91.23"
    assert json.loads(header["mean"]) == [0.1, 0.2, 0.3]
    assert json.loads(header["recipe"]) == {"epochs": 3}


def test_embedded_models_are_found_and_loaded(tmp_path, monkeypatch):
    monkeypatch.setattr(assets, "WEIGHTS", tmp_path)
    assert not available_models()[1].installed
    assert "is missing" in refused(CheckpointError, load_model, "xalexnet-caltech101")
    embed(tmp_path / "xalexnet-caltech101.safetensors", make_network(False))
    card = available_models()[1]
    assert (card.installed, card.title, card.classes, card.top1) == (True, "Small", 5, 91.23)
    model = load_model("xalexnet-caltech101", dtype=torch.float64)
    assert model.is_xdnn
    assert model.title == "Small"
    assert model.classes[4] == "Klasse 4"
    assert model.preprocessing.size == 96
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (100, 100, 3), np.uint8))
    tensor = model.preprocess(photo)
    assert tensor.shape == (3, 96, 96)
    assert tensor.dtype == torch.float64
    np.testing.assert_array_equal(model.to_display(tensor), np.asarray(photo)[2:98, 2:98])
    x = inputs().double()
    torch.testing.assert_close(model.network(3 * x), 3 * model.network(x))


def test_wrong_number_of_names_and_overflow_are_refused(tmp_path):
    path = tmp_path / "small.safetensors"
    assert "5 logits" in refused(ValueError, lambda: embed(path, make_network(), classes=["one"]))
    network = make_network()
    with torch.no_grad():
        network.first_convolution.weight[0, 0, 0, 0] = 1e5
    assert "features.0.weight" in refused(ValueError, embed, path, network)
    assert not path.exists()


def test_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = embed(tmp_path / "small.safetensors", make_network())
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        embed(path, make_network(seed=1))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_header_that_contradicts_the_weights_is_refused(tmp_path):
    tensors = {key: value.half() for key, value in make_network().state_dict().items()}
    data = embed(tmp_path / "small.safetensors", make_network()).read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    for change in ({"head": "9"}, {"biases": "false"}, {"biases": "no"}, {"classes": "[1"},
                   {"size": "-4"}, {"std": "[0, 0, 0]"}, {"mean": "[1]"}):  # fmt: skip
        assert "header" in refused(
            CheckpointError, load_model_file, to_safetensors(tensors, header | change)
        )


# --- downloads ---------------------------------------------------------------------------------


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
        replace(r, weights=replace(r.weights, sha256=hashlib.sha256(data).hexdigest()))
        for r in catalogue.REMOTE
        if r.weights.name == name
    )
    monkeypatch.setattr(catalogue, "REMOTE", remotes)
    assert_same_network(load_model(name).network, network)


def test_official_addresses():
    urls = {remote.weights.name: remote.weights.url for remote in catalogue.REMOTE}
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


# --- own networks ------------------------------------------------------------------------------


@pytest.mark.parametrize("biases", [True, False])
@pytest.mark.parametrize("kind", ["safetensors", "zip", "old", "training"])
def test_own_network(tmp_path, biases, kind):
    network = make_network(biases, classes=3, head=6)
    state = network.state_dict()
    buffer = io.BytesIO()
    torch.save(state, buffer, _use_new_zipfile_serialization=False)
    data = {
        "safetensors": lambda: to_safetensors(state),
        "zip": lambda: encode(state),
        "old": buffer.getvalue,
        "training": lambda: checkpoint(network, "outer"),
    }[kind]()
    path = tmp_path / "my_net.pt"
    path.write_bytes(data)
    model = load_model_file(path)
    assert_same_network(model.network, network)
    assert model.is_xdnn == (not biases)
    assert model.classes == ["0", "1", "2"]
    assert model.name == model.title == "my_net"
    assert load_model_file(data, ["a", "b", "c"], "cpu", torch.float64).classes == ["a", "b", "c"]
    assert "3 logits" in refused(ValueError, load_model_file, data, ["a"])


def test_own_network_keeps_the_description_in_its_header(tmp_path):
    path = embed(tmp_path / "small.safetensors", make_network(False))
    model = load_model_file(path)
    assert (model.title, model.card.top1, model.classes[0]) == ("Small", 91.23, "Klasse 0")
    assert model.preprocessing.size == 96


def test_own_file_that_is_nothing_of_the_kind(tmp_path):
    assert "cannot be read" in refused(CheckpointError, load_model_file, tmp_path / "missing.pt")
    assert "cannot be read" in refused(CheckpointError, load_model_file, tmp_path)
    for data in (b"", b"hello", b"PK\x03\x04", b"\x80", b"\xff" * 100, encode([1, 2]),
                 encode({}), encode({"a": 1}), encode({"state_dict": 3})):  # fmt: skip
        refused(CheckpointError, load_model_file, data)


def test_archive_that_unpacks_to_too_much(monkeypatch):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(5_000_000))
    monkeypatch.setattr(states, "MAX_CHECKPOINT_BYTES", 4_000_000)
    assert "unpacks to more" in refused(CheckpointError, load_model_file, data.getvalue())


def test_file_that_claims_a_huge_network():
    """A tensor of stride zero is a few bytes on disk and any size in memory."""
    state = dict(make_network(False).state_dict())
    state["classifier.1.weight"] = torch.zeros(1).expand(10**7, 9216)
    state["classifier.4.weight"] = torch.zeros(1).expand(10**7, 10**7)
    state["classifier.6.weight"] = torch.zeros(1).expand(5, 10**7)
    assert "over 1.5 GB" in refused(CheckpointError, load_model_file, encode(state))


def test_larger_file_than_allowed_is_not_read(tmp_path, monkeypatch):
    path = tmp_path / "net.pt"
    path.write_bytes(bytes(100))
    monkeypatch.setattr(states, "MAX_CHECKPOINT_BYTES", 99)
    monkeypatch.setattr(Path, "read_bytes", None)
    assert "larger than" in refused(CheckpointError, load_model_file, path)
