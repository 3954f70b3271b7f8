"""The networks of the app: the embedded pair, the paper's six, torchvision's AlexNet, your own.

Environment: ``XDNN_CACHE`` names the folder for downloads, ``XDNN_MODELS_URL`` a server to
fetch them from in place of the authors' (a mirror, or a test).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from xdnn_core import io
from xdnn_core.data.download import NoConnectionError, Progress
from xdnn_core.data.preprocessing import Preprocessing
from xdnn_core.device import default_device, resolve_device
from xdnn_core.errors import UserError
from xdnn_core.homogeneity.inspection import remove_biases
from xdnn_core.models.architectures import Network
from xdnn_core.models.cache import RemoteModel, load_remote
from xdnn_core.models.catalogue import (
    EMBEDDED,
    IMAGENET_CLASSES,
    ModelCard,
    available_models,
    find_remote,
)
from xdnn_core.models.checkpoints import check_agreement, describe, read_embedded, recipe_in_words
from xdnn_core.models.states import CheckpointError, network_from_state, read_bytes, read_state

__all__ = ["ModelCard", "PretrainedModel", "available_models", "load_model", "load_model_file"]

WITHOUT_BIASES: Final = "-without-biases"
_IMAGENET: Final = Preprocessing(size=224, resize=256)


@dataclass(frozen=True)
class PretrainedModel:
    """A network with all that is needed to use it.

    Attributes
    ----------
    network
        Maps (B, 3, H, W) to logits (B, classes); eval mode, parameters frozen.
    classes
        Class names, one a logit.
    preprocessing
        How a photograph becomes the input.
    card
        Where it is from and how good it is.

    Examples
    --------
    >>> from xdnn_core import load_model
    >>> len(load_model("xalexnet-caltech101", "cpu").classes)
    101
    """

    network: Network
    classes: list[str] = field(repr=False)
    preprocessing: Preprocessing
    card: ModelCard

    @property
    def name(self) -> str:
        """Name in the catalogue; the file's name for a network of your own."""
        return self.card.name

    @property
    def title(self) -> str:
        """Name for people."""
        return self.card.title

    @property
    def is_xdnn(self) -> bool:
        """Whether the network is without biases, so that F(αx) = αF(x)."""
        return self.card.is_xdnn

    def preprocess(self, image: Image.Image) -> Tensor:
        """Turn a photograph into a normalised tensor (3, H, W), on the network's device."""
        weight = self.network.first_convolution.weight
        return self.preprocessing(image).to(weight.device, weight.dtype)

    def to_display(self, tensor: Tensor) -> np.ndarray:
        """Turn a normalised tensor (3, H, W) into an image (H, W, 3), uint8."""
        return self.preprocessing.to_display(tensor)


def load_model(
    name: str,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
    progress: Progress | None = None,
) -> PretrainedModel:
    """Load a model of the catalogue, downloading it first where it is not installed.

    Parameters
    ----------
    name
        One of the names of `available_models`; with ``-without-biases`` behind it the same network
        stripped of its biases, an X-DNN that was never trained as one.
    device
        ``"cpu"``, ``"cuda"``; None for the best at hand.
    dtype
        float32, or float64 to verify.
    progress
        Called with bytes present and bytes in all (None where unknown) during a download.

    Returns
    -------
    PretrainedModel

    Raises
    ------
    UserError
        If the name, device or dtype is not known.
    CheckpointError
        If an embedded file is missing or damaged.
    DownloadError
        If a download fails or a downloaded file has changed.

    Examples
    --------
    >>> load_model("xalexnet-caltech101", "cpu").is_xdnn
    True
    """
    if name.endswith(WITHOUT_BIASES):
        return _stripped(load_model(name.removesuffix(WITHOUT_BIASES), device, dtype, progress))
    chosen = _check_device(device, dtype)
    network: Network
    if name in (entry[0] for entry in EMBEDDED):
        path = io.WEIGHTS / f"{name}.safetensors"
        if not path.is_file():
            raise CheckpointError(
                f"{path} is missing",
                "get it from the project again or make it with `python -m tools.training`",
            )
        network, description = read_embedded(path)
        classes, preprocessing = list(description.classes), description.preprocessing
    else:
        network = _load_remote(find_remote(name), progress)
        classes, preprocessing = _imagenet_classes(network.config.classes), _IMAGENET
    card = next(card for card in available_models() if card.name == name)
    return PretrainedModel(network.to(chosen, dtype), classes, preprocessing, card)


def load_model_file(
    source: str | Path | bytes,
    classes: Sequence[str] | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> PretrainedModel:
    """Load an AlexNet, VGG16 or Fixup ResNet-50 of your own, with or without biases.

    Parameters
    ----------
    source
        A safetensors file or a torch checkpoint, by path or content, with the published parameter
        names; architecture, sizes and biases are inferred. No code in it is ever run.
    classes
        Class names, one a logit; None for those in the file's header, else "0", "1", ...
    device, dtype
        As for `load_model`.

    Returns
    -------
    PretrainedModel
        With the preprocessing in the file's header, else resize 256 and a square of 224.

    Raises
    ------
    CheckpointError
        If the file is none of them.
    UserError
        If the number of names is not the number of logits, or device or dtype is not known.

    Examples
    --------
    >>> load_model_file(b"")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    xdnn_core.models.states.CheckpointError: ...
    """
    chosen = _check_device(device, dtype)
    data = read_bytes(source)
    network = network_from_state(read_state(data))
    description = None if data.startswith(b"PK") else describe(data)
    if description is not None:
        check_agreement(network, description)
    logits = network.config.classes
    if classes is not None and len(classes) != logits:
        raise UserError(
            f"{len(classes)} class names were given for a network with {logits} logits; give one "
            "name a logit, or none."
        )
    named = description.classes if description else tuple(str(i) for i in range(logits))
    file = "uploaded" if isinstance(source, bytes) else Path(source).stem
    is_xdnn, preprocessing = not network.config.biases, _IMAGENET
    card = ModelCard(file, file, None, None, logits, len(data), "your own", is_xdnn, installed=True)
    if description is not None:
        preprocessing = description.preprocessing
        card = replace(
            card, title=description.title, top1=description.top1, top5=description.top5,
            recipe=recipe_in_words(description.recipe),
        )  # fmt: skip
    names = list(named if classes is None else classes)
    return PretrainedModel(network.to(chosen, dtype), names, preprocessing, card)


def _stripped(model: PretrainedModel) -> PretrainedModel:
    """The same model without biases; what was measured for it with them no longer holds."""
    network = cast(Network, remove_biases(model.network))
    network.config = replace(network.config, biases=False)
    name, title = model.name + WITHOUT_BIASES, f"{model.title}, its biases removed"
    card = replace(model.card, name=name, title=title, top1=None, top5=None, is_xdnn=True)
    return replace(model, network=network, card=card)


def _load_remote(remote: RemoteModel, progress: Progress | None) -> Network:
    """Load, and where there is no network say what works without one."""
    try:
        return load_remote(remote, progress)
    except NoConnectionError as error:
        pair = " and ".join(entry[0] for entry in EMBEDDED)
        raise NoConnectionError(
            f"{str(error).removesuffix('.')}, or use {pair}, which need no download."
        ) from error


def _imagenet_classes(logits: int) -> list[str]:
    """ImageNet's class names, or numbers for a network with another number of classes."""
    if logits != IMAGENET_CLASSES:
        return [str(i) for i in range(logits)]
    from xdnn_core.models.torchvision_import import torchvision  # it takes seconds

    return list(torchvision.models.AlexNet_Weights.IMAGENET1K_V1.meta["categories"])


def _check_device(device: torch.device | str | None, dtype: torch.dtype) -> torch.device:
    """The device to load to, after a look at the dtype."""
    if dtype not in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
        raise UserError(f"{dtype} is not supported; use torch.float32 or torch.float64.")
    return default_device() if device is None else resolve_device(device)
