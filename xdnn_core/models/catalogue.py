"""Which models there are: the embedded pair, the paper's six, torchvision's AlexNet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from xdnn_core import io
from xdnn_core.errors import UserError
from xdnn_core.models.cache import RemoteWeights, cached_file
from xdnn_core.models.checkpoints import describe_file, recipe_in_words

_PAPER: Final = (
    "https://download.visinf.tu-darmstadt.de/data/2021-neurips-fast-axiomatic-attribution/models"
)


@dataclass(frozen=True)
class ModelCard:
    """What is known about a model before it is loaded.

    Attributes
    ----------
    name
        For `load_model`.
    title
        For people.
    top1, top5
        Test accuracy in percent, None where none is published.
    classes
        Number of logits.
    size_bytes
        On this disk where installed, else of the download.
    source
        Where it is from.
    is_xdnn
        Whether it is without biases, so that F(αx) = αF(x).
    installed
        Whether it loads without a network connection.
    recipe
        How it was trained, in a sentence; empty where its file does not say.

    Examples
    --------
    >>> from xdnn_core import available_models
    >>> available_models()[1].is_xdnn
    True
    """

    name: str
    title: str
    top1: float | None
    top5: float | None
    classes: int
    size_bytes: int
    source: str
    is_xdnn: bool
    installed: bool
    recipe: str = ""


@dataclass(frozen=True)
class RemoteModel:
    """A catalogue entry that is downloaded."""

    weights: RemoteWeights
    title: str
    top1: float | None
    top5: float
    download_bytes: int
    source: str


# Embedded: name, title and bytes to show before the file is there (2 bytes a weight).
EMBEDDED: Final = (
    ("alexnet-caltech101", "AlexNet, Caltech-101", False),
    ("xalexnet-caltech101", "X-AlexNet, Caltech-101", True),
)
_EMBEDDED_BYTES: Final = 15_000_000
_EMBEDDED_CLASSES: Final = 101


def _of_the_paper(
    architecture: str, title: str, biases: bool, top5: float, download_bytes: int
) -> RemoteModel:
    """One of the six checkpoints on the authors' server."""
    stem = architecture if biases else f"x{architecture}"
    weights = RemoteWeights(
        f"{stem}-imagenet", _PAPER, f"{stem}_model_best.pth.tar", biases, None, architecture
    )
    name = title if biases else f"X-{title}"
    return RemoteModel(
        weights, f"{name}, ImageNet", None, top5, download_bytes, "Hesse et al. 2021"
    )


# Accuracies: Hesse et al. 2021, Table 2; torchvision's documentation of its AlexNet. Sizes with
# the optimiser's state, 8 bytes a parameter.
REMOTE: Final = (
    _of_the_paper("alexnet", "AlexNet", True, 79.21, 490_000_000),
    _of_the_paper("alexnet", "AlexNet", False, 78.54, 490_000_000),
    _of_the_paper("vgg16", "VGG16", True, 90.44, 1_110_000_000),
    _of_the_paper("vgg16", "VGG16", False, 90.25, 1_110_000_000),
    _of_the_paper("fixup_resnet50", "ResNet-50", True, 92.56, 204_000_000),
    _of_the_paper("fixup_resnet50", "ResNet-50", False, 91.12, 204_000_000),
    RemoteModel(
        RemoteWeights(
            "alexnet-torchvision",
            "https://download.pytorch.org/models",
            "alexnet-owt-7be5be79.pth",
            biases=True,
            sha256="7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
        ),
        "AlexNet, ImageNet (torchvision)",
        56.522,
        79.066,
        244_400_000,
        "torchvision",
    ),
)
IMAGENET_CLASSES: Final = 1000


def available_models() -> list[ModelCard]:
    """List every model there is, the embedded pair first.

    Returns
    -------
    list of ModelCard
        Read from the files' headers where they are installed; nothing is loaded.

    Examples
    --------
    >>> [card.name for card in available_models() if card.installed][:2]
    ['alexnet-caltech101', 'xalexnet-caltech101']
    """
    return [_embedded_card(*entry) for entry in EMBEDDED] + [_remote_card(r) for r in REMOTE]


def _embedded_card(name: str, title: str, is_xdnn: bool) -> ModelCard:
    """Card of an embedded model, from its header where the file is there."""
    path = io.WEIGHTS / f"{name}.safetensors"
    found = describe_file(path)
    return ModelCard(
        name=name,
        title=found.title if found else title,
        top1=found.top1 if found else None,
        top5=found.top5 if found else None,
        classes=len(found.classes) if found else _EMBEDDED_CLASSES,
        size_bytes=path.stat().st_size if found else _EMBEDDED_BYTES,
        source="trained for this app",
        is_xdnn=is_xdnn,
        installed=found is not None,
        recipe=recipe_in_words(found.recipe) if found else "",
    )


def _remote_card(remote: RemoteModel) -> ModelCard:
    """Card of a downloadable model."""
    file = cached_file(remote.weights.name)
    return ModelCard(
        name=remote.weights.name,
        title=remote.title,
        top1=remote.top1,
        top5=remote.top5,
        classes=IMAGENET_CLASSES,
        size_bytes=file.stat().st_size if file else remote.download_bytes,
        source=remote.source,
        is_xdnn=not remote.weights.biases,
        installed=file is not None,
    )


def find_remote(name: str) -> RemoteModel:
    """The catalogue entry of a downloadable model."""
    for remote in REMOTE:
        if remote.weights.name == name:
            return remote
    names = ", ".join(card.name for card in available_models())
    raise UserError(f"There is no model {name!r}; choose one of {names}.")
