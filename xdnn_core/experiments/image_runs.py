"""What experiments over an image set have in common: options, the pair, and which images."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import nn

from xdnn_core.data.images import ImageSet, open_image_set
from xdnn_core.device import resolve_device
from xdnn_core.errors import UserError
from xdnn_core.models.catalogue import EMBEDDED
from xdnn_core.models.zoo import PretrainedModel, load_model


def add_run_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """Declare the options that every such command has."""
    parser.add_argument("--data", required=True, help="image Parquet, or a folder of images")
    parser.add_argument("--split", default="test", help="test unless told")
    parser.add_argument("--limit", type=int, help="that many images, evenly over the set")
    parser.add_argument("--device", help="cpu or cuda; the best at hand unless told")
    parser.add_argument(
        "--work", type=Path, default=Path("out") / name,
        help=f"folder for finished blocks (default: out/{name})",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, default=Path("out") / f"{name}.parquet",
        help=f"result, with a .json beside it (default: out/{name}.parquet)",
    )  # fmt: skip


def open_run(
    args: argparse.Namespace,
) -> tuple[ImageSet, list[int], list[PretrainedModel], torch.device]:
    """Open what the options name.

    Returns
    -------
    images, chosen, models, device
        The set, which of its images to take, the embedded pair, and where it is.

    Raises
    ------
    UserError
        If the set cannot be opened, has other classes than the pair, or the limit is below 1.
    """
    images = open_image_set(args.data, args.split)
    chosen = spread_over(len(images), args.limit)
    device = resolve_device(args.device)
    models = [load_model(name, device) for name, *_ in EMBEDDED]
    for model in models:
        if model.classes != list(images.classes):
            raise UserError(
                f"{model.name} knows {len(model.classes)} classes, the image set has "
                f"{len(images.classes)} and not the same names in the same order; give a set "
                "made for this network."
            )
    return images, chosen, models, device


def spread_over(count: int, limit: int | None) -> list[int]:
    """Choose images evenly over a set, which is often sorted by class.

    Parameters
    ----------
    count
        Images in the set.
    limit
        How many to take; None, or more than there are, for all.

    Raises
    ------
    UserError
        If the limit is below 1.
    """
    if limit is None or limit >= count:
        return list(range(count))
    if limit < 1:
        raise UserError(f"--limit is {limit}; give 1 or more images.")
    # The middles of `limit` equal parts.
    return ((np.arange(limit) + 0.5) * count / limit).astype(int).tolist()


def data_set_title(args: argparse.Namespace) -> str:
    """Name of the image set and its split, without the folder it happens to lie in."""
    return f"{Path(args.data).resolve().name}, {args.split}"


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
