"""Networks the user brings."""

import io
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save as to_safetensors

from tests.models.small_files import (
    assert_same_network,
    checkpoint,
    embed,
    encode,
    make_network,
    refused,
)
from xdnn_core.models import states
from xdnn_core.models.states import CheckpointError
from xdnn_core.models.zoo import load_model_file


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
    state["classifier.1.weight"] = torch.zeros(1).expand(70_000, 9216)
    state["classifier.6.weight"] = torch.zeros(5, 70_000)
    message = refused(CheckpointError, load_model_file, encode(state))
    assert "2,591,754,432 bytes in size but share" in message
    with pytest.raises(CheckpointError, match=r"over 1\.5 GB"):
        states.network_from_state({key: value.to("meta") for key, value in state.items()})


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda v: v.to_sparse(), "is stored sparse"),
        (lambda v: v.to_sparse_csr(), "is stored sparse"),
        (lambda v: v.to("meta"), "is stored sparse"),
        (lambda v: torch.zeros(1).expand(v.shape), "but share"),
        (lambda v: torch.zeros(12).as_strided(v.shape, (1, 1)), "but share"),
    ],
    ids=["sparse", "CSR", "meta", "stride 0", "overlapping"],
)
def test_tensors_that_are_no_plain_numbers(change, said):
    state = dict(make_network(False, classes=3, head=6).state_dict())
    state["classifier.4.weight"] = change(state["classifier.4.weight"])
    assert said in refused(CheckpointError, load_model_file, encode(state))


def test_views_with_all_their_numbers_are_read():
    network = make_network(False, classes=3, head=6)
    state = dict(network.state_dict())
    state["classifier.4.weight"] = state["classifier.4.weight"].t().contiguous().t()
    assert_same_network(load_model_file(encode(state)).network, network)


@pytest.mark.parametrize("name", ["x" * 100_000, "a\nb\x1b[31m"])
def test_names_of_a_file_are_cut_in_messages(name):
    state = dict(make_network(False).state_dict()) | {name: torch.zeros(1)}
    message = refused(CheckpointError, load_model_file, encode(state))
    assert len(message) < 400
    assert message.isprintable()
    data = to_safetensors(make_network(False).state_dict(), {"classes": "[]", "size": "1",
                          "title": "t", "head": name})  # fmt: skip
    assert len(refused(CheckpointError, load_model_file, data)) < 400


def test_pickles_that_would_keep_the_reader_busy_are_not_read(monkeypatch):
    """torch looks for a name in its message with a pattern whose time grows with the square."""
    monkeypatch.setattr(states.torch, "load", None)
    name = b"\x80\x02c" + b"x" * 100_000 + b"\ny\n."
    steps = b"\x80\x02" + b"N0" * 600_000 + b"N."
    memory = b"\x80\x02c__builtin__\nbytearray\nJ\0\0\0\x7f\x85R."
    for pickled in (name, steps, memory):
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
            target.writestr("archive/data.pkl", pickled)
        for data in (pickled, archive.getvalue()):
            assert "was not loaded" in refused(CheckpointError, load_model_file, data)


def test_larger_file_than_allowed_is_not_read(tmp_path, monkeypatch):
    path = tmp_path / "net.pt"
    path.write_bytes(bytes(100))
    monkeypatch.setattr(states, "MAX_CHECKPOINT_BYTES", 99)
    monkeypatch.setattr(Path, "read_bytes", None)
    assert "larger than" in refused(CheckpointError, load_model_file, path)
