"""The images and networks that an experiment over an image set is about, opened and named."""

from __future__ import annotations

import argparse
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor, nn

from xdnn_core.data.images import ImageSet, open_image_set
from xdnn_core.errors import UserError
from xdnn_core.experiments.provenance import Provenance
from xdnn_core.experiments.workers import Worker, join_workers
from xdnn_core.models.catalogue import IMAGENET_CLASSES
from xdnn_core.models.zoo import PretrainedModel, load_model, load_model_file

_WORDNET_ID: Final = re.compile(r"n\d{8}")


@dataclass(frozen=True)
class OpenRun:
    """What the options of a command name."""

    images: ImageSet
    chosen: tuple[int, ...]  # which of the images to take
    models: tuple[PretrainedModel, ...]  # where they compute
    title: str  # of the set and its split, without the folder it happens to lie in
    worker: Worker  # this process among those of a torchrun

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return self.worker.device

    def photographs(self, block: Sequence[int]) -> dict[int, Image.Image]:
        """The images of a block that can be read, by their number."""
        photographs = {}
        for number in block:
            try:
                photographs[number] = self.images.read(number)
            except OSError:
                continue
        return photographs

    def each_network(
        self,
        block: Sequence[int],
        share: Callable[[float], None],
        measure: Callable[[PretrainedModel, Tensor, pd.DataFrame], pd.DataFrame],
    ) -> pd.DataFrame:
        """Rows of all networks on the images of a block that can be read.

        `measure` gets a network, its inputs (B, 3, H, W), and columns that describe the images.
        """
        photos = self.photographs(block)
        if not photos:
            return pd.DataFrame()
        common = pd.DataFrame([self.describe(number) for number in photos])
        parts = []
        for position, model in enumerate(self.models):
            inputs = torch.stack([model.preprocess(photo) for photo in photos.values()])
            parts.append(measure(model, inputs, common))
            share((position + 1) / len(self.models))
        return pd.concat(parts, ignore_index=True)

    def describe(self, number: int) -> dict[str, Any]:
        """Columns that say which image a row is of."""
        return {
            "image": number, "name": self.images.names[number], "label": self.images.labels[number],
        }  # fmt: skip


@dataclass(frozen=True)
class ImageRun:
    """A finished run."""

    rows: pd.DataFrame  # of all images that could be read
    models: tuple[PretrainedModel, ...]
    unreadable: tuple[str, ...]  # names of the images that could not be decoded
    provenance: Provenance
    note: Mapping[str, Any] = field(default_factory=dict)  # what the rows depend on


def open_run(args: argparse.Namespace) -> OpenRun:
    """Open what the options name; no work is done before all of it is found to fit."""
    if args.batch < 1:
        raise UserError(f"--batch is {args.batch}; give 1 or more images.")
    images = open_image_set(args.data, args.split)
    chosen = spread_over(len(images), args.limit)
    worker = join_workers(args.device)
    models = tuple(
        load_model_file(name, device=worker.device)
        if Path(name).is_file()
        else load_model(name, worker.device)
        for name in args.network
    )
    for model in models:
        _check_classes(model, images)
    title = f"{Path(args.data).resolve().name}, {args.split}"
    return OpenRun(images, tuple(chosen), models, title, worker)


def _check_classes(model: PretrainedModel, images: ImageSet) -> None:
    """Raise unless label i of the set is logit i of the network."""
    theirs = list(images.classes)
    if model.classes == theirs:
        return
    # The folders of ImageNet carry WordNet numbers, whose order is that of the logits; files of
    # one's own may name no classes.
    numbered = all(_WORDNET_ID.fullmatch(name) for name in theirs)
    nameless = model.classes == [str(number) for number in range(len(model.classes))]
    if len(theirs) == len(model.classes) and (
        (numbered and len(theirs) == IMAGENET_CLASSES) or nameless
    ):
        return
    if len(theirs) != len(model.classes):
        differing = f"the image set has {len(theirs)}"
    else:
        at = next(i for i, name in enumerate(theirs) if name != model.classes[i])
        differing = f"class {at} is {model.classes[at]!r} there and {theirs[at]!r} in the image set"
    raise UserError(
        f"{model.name} knows {len(model.classes)} classes, {differing}; give a set with the "
        "classes of this network, in its order."
    )


def counted(made: Provenance, unreadable: Sequence[str]) -> str:
    """How many images a result is over, and which could not be read, in one line."""
    text = f"{made.data_set}: {made.images:,} images"
    if unreadable:
        shown = ", ".join(unreadable[:5]) + (" …" if len(unreadable) > 5 else "")
        text += f", {len(unreadable)} unreadable ({shown})"
    return text


def spread_over(count: int, limit: int | None) -> list[int]:
    """Choose `limit` of `count` images evenly over a set, which is often sorted by class."""
    if limit is not None and limit < 1:
        raise UserError(f"--limit is {limit}; give 1 or more images.")
    if limit is None or limit >= count:
        return list(range(count))
    # The middles of `limit` equal parts.
    return ((np.arange(limit) + 0.5) * count / limit).astype(int).tolist()


def network_fingerprint(network: nn.Module) -> str:
    """Name a network by its parameters."""
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def image_fingerprint(images: ImageSet) -> str:
    """Name an image set by the names, labels and sizes of its images."""
    digest = hashlib.sha256()
    for name, label, encoded in zip(images.names, images.labels, images.encoded, strict=True):
        size = encoded.stat().st_size if isinstance(encoded, Path) else len(encoded)
        digest.update(f"{name}\0{label}\0{size}\0".encode())
    return digest.hexdigest()[:16]
