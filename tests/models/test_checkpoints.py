"""What a downloaded file may hold, what of it is kept, and what is refused."""

import hashlib
import json
import os
import pickle
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
from xdnn_core.data.download import DownloadError
from xdnn_core.data.preprocessing import Preprocessing
from xdnn_core.homogeneity.inspection import inspect_homogeneity
from xdnn_core.models.fixup_resnet import FixupResNet50
from xdnn_core.models.networks import VGG16, NetworkConfig
from xdnn_core.models.states import CheckpointError
from xdnn_core.models.zoo import load_model, load_model_file


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
        assert inspect_homogeneity(stripped.network, inputs()[:1, :, :32, :32]).is_homogeneous


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
