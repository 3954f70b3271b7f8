"""From a checkpoint's bytes to a network, whoever wrote them.

Nothing here runs code from a file: safetensors hold numbers only, and torch files are read by
torch's restricted unpickler.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import struct
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor

from xdnn_core.errors import UserError
from xdnn_core.models.architectures import Architecture, Network, recognise, shapes_of

MAX_CHECKPOINT_BYTES: Final = 1_500_000_000
_LIMIT: Final = f"{MAX_CHECKPOINT_BYTES / 1e9:.1f} GB"
_SAVE_WEIGHTS: Final = "save the weights alone with torch.save(network.state_dict(), ...)"
_ZIP: Final = b"PK"
_PICKLE: Final = b"\x80"  # torch files from before 1.6

_PICKLES_IN_A_ROW: Final = 5  # magic number, protocol, system, object, storage keys
_MAX_STEPS: Final = 1_000_000  # of the unpickler; a ResNet-50 with its optimizer takes 20,000
_MAX_NAME: Final = 200

_UNREADABLE: Final = (
    pickle.UnpicklingError,
    RuntimeError,
    OSError,
    EOFError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
    LookupError,
    OverflowError,
    MemoryError,
    struct.error,
    zipfile.BadZipFile,
)


class CheckpointError(UserError):
    """A file that does not hold a usable network."""

    def __init__(self, reason: str, advice: str) -> None:
        super().__init__(f"{reason}; {advice}.")
        self.reason = reason


def read_bytes(source: str | Path | bytes) -> bytes:
    """Read a checkpoint file whole."""
    if isinstance(source, bytes):
        return source
    path = Path(source)
    try:
        if path.stat().st_size > MAX_CHECKPOINT_BYTES:
            raise CheckpointError(f"{path.name} is larger than {_LIMIT}", _SAVE_WEIGHTS)
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read ({error.strerror})",
            "give the path of a .safetensors file or a torch checkpoint",
        ) from error


def read_state(data: bytes) -> dict[str, Tensor]:
    """Read the parameters out of a checkpoint without running anything in it."""
    # A safetensors file begins with the length of its header, which can look like a pickle.
    is_torch = data.startswith((_ZIP, _PICKLE)) and data[8:9] != b"{"
    loaded = _read_torch(data) if is_torch else _read_safetensors(data)
    state = loaded.get("state_dict", loaded) if isinstance(loaded, dict) else None
    if not isinstance(state, dict) or not state:
        raise CheckpointError("The file holds no parameters by name", _SAVE_WEIGHTS)
    renamed = {
        ".".join(part for part in str(key).split(".") if part != "module"): value
        for key, value in state.items()
    }
    if len(renamed) != len(state) or not all(isinstance(v, Tensor) for v in renamed.values()):
        raise CheckpointError("The file holds something besides named parameters", _SAVE_WEIGHTS)
    _check_memory(renamed)
    return renamed


def _check_memory(state: Mapping[str, Tensor]) -> None:
    """Refuse tensors that are not plain numbers in memory of their own.

    A tensor of stride 0 is a number in the file and any size once it is copied.
    """
    for key, value in state.items():
        if value.layout != torch.strided or value.is_meta or value.is_nested:
            raise CheckpointError(
                f"{shortened(key)} is stored sparse, nested or without its values", _SAVE_WEIGHTS
            )
    claimed = sum(value.numel() * value.element_size() for value in state.values())
    storages = [value.untyped_storage() for value in state.values()]
    held = sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())
    if claimed > held:
        raise CheckpointError(
            f"The file's parameters are {claimed:,} bytes in size but share {held:,} bytes",
            "save every parameter as a tensor of its own, .clone() makes one",
        )


def shortened(text: str, most: int = 80) -> str:
    """A text of a file as a message can show it: printable, and not long."""
    cut = text if len(text) <= most else text[: most - 1] + "…"
    return "".join(each if each.isprintable() else "�" for each in cut)


def _read_safetensors(data: bytes) -> dict[str, Tensor]:
    """Parse a safetensors file."""
    try:
        return load_safetensors(data)
    except (SafetensorError, ValueError, LookupError, TypeError) as error:
        raise CheckpointError(
            "The file is neither a whole safetensors file nor a torch checkpoint",
            "give one of the two",
        ) from error


def _read_torch(data: bytes) -> object:
    """Parse a torch file with the restricted unpickler."""
    try:
        unpacked = _unpacked_bytes(data) if data.startswith(_ZIP) else len(data)
        if unpacked <= MAX_CHECKPOINT_BYTES:
            for pickled in _pickles(data):
                _check_work(pickled)
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            "The file is damaged or holds Python objects besides tensors, which could run code, "
            "so it was not loaded",
            _SAVE_WEIGHTS,
        ) from error
    except _UNREADABLE as error:
        raise CheckpointError(
            "The file is a damaged torch checkpoint", "download or save it again"
        ) from error
    raise CheckpointError(f"The file unpacks to more than {_LIMIT}", _SAVE_WEIGHTS)


def _pickles(data: bytes) -> Iterator[BinaryIO]:
    """Streams that stand at each pickle of a torch file; one behind the other before 1.6."""
    if data.startswith(_ZIP):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for entry in archive.namelist():
                if entry.endswith(".pkl"):
                    yield io.BytesIO(archive.read(entry))
    else:
        stream = io.BytesIO(data)
        for _ in range(_PICKLES_IN_A_ROW):
            yield stream


def _check_work(pickled: BinaryIO) -> None:
    """Refuse a pickle that would keep torch's reader busy or fill the memory.

    Its error messages are searched in a time that grows with the square of a name's length.
    """
    for number, (step, argument, _) in enumerate(pickletools.genops(pickled)):
        name = str(argument) if step.name == "GLOBAL" else ""
        if number == _MAX_STEPS or len(name) > _MAX_NAME or name.endswith(" bytearray"):
            raise pickle.UnpicklingError("more than a checkpoint needs")


def _unpacked_bytes(data: bytes) -> int:
    """Size an archive says it unpacks to; a small one can claim any."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return sum(entry.file_size for entry in archive.infolist())


def network_from_state(state: Mapping[str, Tensor]) -> Network:
    """Build the network whose parameters these are."""
    kind, network = _shell(state)
    expected = network.state_dict()
    if sum(value.numel() for value in expected.values()) * 4 > MAX_CHECKPOINT_BYTES:
        sizes = ", ".join(f"{key} {tuple(expected[key].shape)}" for key in kind.matrices)
        raise _not_a(kind, f"{sizes} are over {_LIMIT}")
    for key in sorted(set(expected) ^ set(state)):
        raise _not_a(
            kind, f"{key} is missing" if key in expected else f"{shortened(key)!r} is none of them"
        )
    for key, value in state.items():
        if value.shape != expected[key].shape:
            shape, expected_shape = shortened(str(tuple(value.shape))), tuple(expected[key].shape)
            raise _not_a(kind, f"{key} has the shape {shape} in place of {expected_shape}")
        if not value.is_floating_point():
            raise _not_a(kind, f"{key} holds {value.dtype} in place of floating-point numbers")
    numbers = {key: value.detach().float().contiguous() for key, value in state.items()}
    for key, value in numbers.items():
        if not value.isfinite().all():
            raise CheckpointError(
                f"{key} holds NaN or infinite values", "give a checkpoint of a training that held"
            )
    network.load_state_dict(numbers, strict=True, assign=True)
    return network.eval().requires_grad_(False)


def _shell(state: Mapping[str, Tensor]) -> tuple[Architecture, Network]:
    """The network as names and shapes tell it, without memory for its parameters."""
    shapes = shapes_of(state)
    kind = recognise(shapes)
    matrices = [shapes.get(key, ()) for key in kind.matrices]
    if any(len(matrix) != 2 or 0 in matrix for matrix in matrices):
        raise _not_a(kind, f"{' and '.join(kind.matrices)} must be matrices")
    biases = any("bias" in key.rpartition(".")[2] for key in state)
    with torch.device("meta"):  # shapes only: nothing is allocated for a file's claims
        return kind, kind.build(matrices, biases)


def _not_a(kind: Architecture, reason: str) -> CheckpointError:
    """The sentence for parameters that are not those of the architecture they look like."""
    return CheckpointError(
        f"The file is no {kind.title} with the published parameter names: {reason}",
        "give a checkpoint of an AlexNet, VGG16 or Fixup ResNet-50, with or without biases",
    )
