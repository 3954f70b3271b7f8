"""The files of the embedded pair."""

import errno
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save as to_safetensors

from tests.models.small_files import (
    assert_same_network,
    embed,
    inputs,
    make_network,
    refused,
)
from xdnn_core import io
from xdnn_core.data.preprocessing import Preprocessing
from xdnn_core.models.checkpoints import read_embedded
from xdnn_core.models.states import CheckpointError
from xdnn_core.models.zoo import available_models, load_model, load_model_file


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
    assert description.preprocessing == Preprocessing(
        96, 100, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), "squeeze"
    )
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
    monkeypatch.setattr(io, "WEIGHTS", tmp_path)
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
    seen = photo.resize((96, 96), Image.Resampling.BILINEAR)  # squeezed, as the header says
    np.testing.assert_array_equal(model.to_display(tensor), np.asarray(seen))
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
                   {"size": "-4"}, {"fit": "stretch"}, {"std": "[0, 0, 0]"},
                   {"mean": "[1]"}):  # fmt: skip
        assert "header" in refused(
            CheckpointError, load_model_file, to_safetensors(tensors, header | change)
        )
