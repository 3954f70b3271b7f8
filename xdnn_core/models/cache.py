"""Downloaded weights, kept as safetensors under ``XDNN_CACHE``.

Nobody publishes hashes of the paper's checkpoints, so the SHA-256 is recorded when a file first
arrives and checked whenever it is loaded. Each model has ``NAME.safetensors`` with its weights
and ``NAME.json`` with hash, source and date; one without the other counts as not there.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from safetensors.torch import save as to_safetensors

from xdnn_core.data.download import (
    DownloadError,
    Progress,
    cache_folder,
    discard,
    download,
    one_at_a_time,
)
from xdnn_core.io import atomic_write
from xdnn_core.models.architectures import Network, architecture_of
from xdnn_core.models.states import (
    MAX_CHECKPOINT_BYTES,
    CheckpointError,
    network_from_state,
    read_bytes,
    read_state,
)


@dataclass(frozen=True)
class RemoteModel:
    """A checkpoint on somebody's server."""

    name: str  # name of the model, and of its files in the cache
    title: str  # for people
    architecture: str  # what its network must be, see `architectures`
    biases: bool  # whether its network must have biases
    base: str  # address of the folder; ``XDNN_MODELS_URL`` overrules it
    file: str  # name of the file there
    top1: float | None  # published accuracy, per cent
    top5: float
    download_bytes: int
    source: str
    sha256: str | None = None  # of the file as published, None where nothing is published

    @property
    def url(self) -> str:
        """Where the file is fetched from."""
        return f"{(os.environ.get('XDNN_MODELS_URL') or self.base).rstrip('/')}/{self.file}"


def cached_file(name: str) -> Path | None:
    """The weights of a downloaded model, None where they are not there."""
    weights = _weights_file(name)
    return weights if weights.is_file() and _record_file(weights).is_file() else None


def load_remote(remote: RemoteModel, progress: Progress | None = None) -> Network:
    """Load a model from the cache, downloading it first where it is not there."""
    weights = _weights_file(remote.name)
    if cached_file(remote.name) is None:
        part = weights.with_suffix(".part")
        with one_at_a_time(part, progress):
            if cached_file(remote.name) is None:
                download(remote.url, part, progress, limit=MAX_CHECKPOINT_BYTES)
                _install(remote, part, weights)
    return _read_checked(remote, weights)


def _weights_file(name: str) -> Path:
    return cache_folder() / "models" / f"{name}.safetensors"


def _record_file(weights: Path) -> Path:
    return weights.with_suffix(".json")


def _install(remote: RemoteModel, part: Path, weights: Path) -> None:
    """Turn a complete download into safetensors with a record beside it."""
    try:
        with part.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        if remote.sha256 not in (None, sha256):
            raise CheckpointError("its SHA-256 is not the published one", "")
        network = network_from_state(read_state(read_bytes(part)))
        kind = (architecture_of(network).name, network.config.biases)
        if kind != (remote.architecture, remote.biases):
            with_or_without = "with" if remote.biases else "without"
            raise CheckpointError(f"it is no {remote.architecture} {with_or_without} biases", "")
    except CheckpointError as error:
        discard(part)
        raise DownloadError(
            f"{remote.url} is not the checkpoint that {remote.name} needs ({error.reason}); it "
            "was deleted, try again later."
        ) from error
    data = to_safetensors(network.state_dict())
    record = {
        "sha256": hashlib.sha256(data).hexdigest(),
        "source": remote.url,
        "downloaded": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    try:
        _record_file(weights).unlink(missing_ok=True)
        with atomic_write(weights) as temporary:
            temporary.write_bytes(data)
        with atomic_write(_record_file(weights)) as temporary:
            temporary.write_text(json.dumps(record, indent=1), encoding="utf-8")
    except OSError as error:
        raise DownloadError(
            f"{weights.parent} cannot be written ({error.strerror}); free some space there or set "
            "XDNN_CACHE to another folder, and try again."
        ) from error
    discard(part)


def _read_checked(remote: RemoteModel, weights: Path) -> Network:
    """Load cached weights, provided they are what was downloaded."""
    try:
        data = weights.read_bytes()
        record = json.loads(_record_file(weights).read_text(encoding="utf-8"))
        unchanged = record["sha256"] == hashlib.sha256(data).hexdigest()
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise _changed(remote, weights) from error
    if not unchanged:
        raise _changed(remote, weights)
    return network_from_state(read_state(data))


def _changed(remote: RemoteModel, weights: Path) -> DownloadError:
    return DownloadError(
        f"{weights} is not what was downloaded (its SHA-256 is not the recorded one); delete it "
        f"and load {remote.name} again to download it anew."
    )
