"""The embedded weights: half-precision safetensors that describe their network in the header."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from safetensors.torch import save as to_safetensors

from xdnn_core.data.preprocessing import FITS, Fit, Preprocessing
from xdnn_core.errors import UserError
from xdnn_core.io import atomic_write
from xdnn_core.models.architectures import Network, architecture_of
from xdnn_core.models.networks import AlexNet
from xdnn_core.models.states import (
    CheckpointError,
    network_from_state,
    read_bytes,
    read_state,
    shortened,
)

_MAX_HEADER_BYTES: Final = 2**20
_WRITE_AGAIN: Final = "write the file with xdnn_core.models.checkpoints.save_embedded"


@dataclass(frozen=True)
class NetworkDescription:
    """What an embedded weights file says about its network, in its header."""

    title: str  # name for people
    classes: tuple[str, ...]  # class names, one a logit
    preprocessing: Preprocessing  # how a photograph becomes the input
    head: int  # width of the hidden fully connected layers
    biases: bool  # false for an X-AlexNet
    top1: float  # test accuracy in percent
    top5: float  # test accuracy in percent
    recipe: Mapping[str, Any]  # how it was trained


def save_embedded(
    path: str | Path,
    network: AlexNet,
    *,
    title: str,
    classes: Sequence[str],
    preprocessing: Preprocessing,
    top1: float,
    top5: float,
    recipe: Mapping[str, Any],
) -> None:
    """Write a network as half-precision safetensors with its description in the header."""
    if len(classes) != network.config.classes:
        raise UserError(
            f"{len(classes)} class names were given for {network.config.classes} logits; give one "
            "name a logit."
        )
    tensors = {key: value.half().contiguous().cpu() for key, value in network.state_dict().items()}
    overflowing = [key for key, value in tensors.items() if not value.isfinite().all()]
    if overflowing:
        raise UserError(
            f"{overflowing[0]} holds values that half precision cannot; train with more decay."
        )
    header = {
        "title": title,
        "classes": json.dumps(list(classes)),
        "size": str(preprocessing.size),
        "resize": str(preprocessing.resize),
        "mean": json.dumps(preprocessing.mean),
        "std": json.dumps(preprocessing.std),
        "fit": preprocessing.fit,
        "head": str(network.config.head),
        "biases": "true" if network.config.biases else "false",
        "recipe": json.dumps(dict(recipe)),
        "top1": f"{top1:.2f}",
        "top5": f"{top5:.2f}",
    }
    with atomic_write(Path(path)) as temporary:
        temporary.write_bytes(to_safetensors(tensors, header))


def read_embedded(path: str | Path) -> tuple[AlexNet, NetworkDescription]:
    """Read what `save_embedded` wrote."""
    data = read_bytes(path)
    description = describe(data)
    if description is None:
        raise CheckpointError(
            f"{Path(path).name} has no description of its network in the header", _WRITE_AGAIN
        )
    network = network_from_state(read_state(data))
    check_agreement(network, description)
    assert isinstance(network, AlexNet)
    return network, description


def check_agreement(network: Network, description: NetworkDescription) -> None:
    """Make sure that a description is that of this network."""
    if not isinstance(network, AlexNet):
        raise CheckpointError(
            f"The file's header describes an AlexNet, but its weights are of a "
            f"{architecture_of(network).title}",
            _WRITE_AGAIN,
        )
    config = network.config
    of_weights = (config.classes, config.head, config.biases)
    of_header = (len(description.classes), description.head, description.biases)
    if of_weights != of_header:
        raise CheckpointError(
            "The file's header says {} classes, head {}, biases {}, but its weights have {}, {}, "
            "{}".format(*of_header, *of_weights),
            _WRITE_AGAIN,
        )


def describe_file(path: Path) -> NetworkDescription | None:
    """Read the description of a safetensors file without its weights."""
    try:
        with path.open("rb") as file:
            return describe(file.read(_MAX_HEADER_BYTES))
    except OSError:
        return None


def _header_of(data: bytes) -> Mapping[str, str]:
    """The free text of a safetensors header; empty where there is none."""
    length = int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8 : 8 + length])
    except (ValueError, RecursionError):
        return {}
    metadata = header.get("__metadata__", {}) if isinstance(header, dict) else {}
    return metadata if isinstance(metadata, dict) else {}


def describe(data: bytes) -> NetworkDescription | None:
    """Read the description in a safetensors header; None where there is none."""
    header = _header_of(data)
    if "classes" not in header or "size" not in header:
        return None
    try:
        description = NetworkDescription(
            title=shortened(str(header["title"])),
            classes=tuple(str(name) for name in json.loads(header["classes"])),
            preprocessing=_read_preprocessing(header),
            head=int(header["head"]),
            biases={"true": True, "false": False}[header["biases"]],
            top1=float(header["top1"]),
            top5=float(header["top5"]),
            recipe=dict(json.loads(header["recipe"])),
        )
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise CheckpointError(
            f"The description in the file's header cannot be read ({shortened(str(error), 200)})",
            _WRITE_AGAIN,
        ) from error
    return description


def recipe_in_words(recipe: Mapping[str, Any]) -> str:
    """Say in a sentence how a network was trained; nothing where the recipe is another's."""
    try:
        crops, teacher = recipe["crops"], recipe["teacher"]
        start = f"{teacher}'s weights" if teacher else "ImageNet-trained convolutions"
        trained = "all layers" if recipe["features_rate"] else "the fully connected layers alone"
        goal = f"the labels and {teacher}'s logits" if teacher else "the labels"
        return (
            f"From {start}, {trained} trained for {crops['epochs']} epochs on {goal}, "
            f"{recipe['train_images']:,} images, seed {crops['seed']}."
        )
    except (LookupError, TypeError):
        return ""


def _read_preprocessing(header: Mapping[str, str]) -> Preprocessing:
    """Size, resize, mean, std and fit of a header, checked for sense."""
    fit = FITS[FITS.index(cast(Fit, header.get("fit", "crop")))]  # a ValueError for any other
    size, resize = int(header["size"]), int(header["resize"])
    mean, std = json.loads(header["mean"]), json.loads(header["std"])
    if not 64 <= size <= resize <= 1024:
        raise UserError(f"size {size} and resize {resize}: 64 to 1024, size the smaller")
    r, g, b = (float(value) for value in mean)
    sr, sg, sb = (float(value) for value in std)
    if not all(0 < value < 10 for value in (sr, sg, sb)):
        raise UserError(f"std {std}: three positive numbers")
    return Preprocessing(size, resize, (r, g, b), (sr, sg, sb), fit)
