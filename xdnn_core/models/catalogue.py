"""Which models there are: the embedded pair, the paper's six, torchvision's AlexNet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from xdnn_core import io
from xdnn_core.errors import UserError
from xdnn_core.models.cache import RemoteModel, cached_file
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
    stem, name = (architecture, title) if biases else (f"x{architecture}", f"X-{title}")
    return RemoteModel(
        f"{stem}-imagenet", f"{name}, ImageNet", architecture, biases, _PAPER,
        f"{stem}_model_best.pth.tar", None, top5, download_bytes, "Hesse et al. 2021",
    )  # fmt: skip


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
        "alexnet-torchvision", "AlexNet, ImageNet (torchvision)", "alexnet", True,
        "https://download.pytorch.org/models", "alexnet-owt-7be5be79.pth", 56.522, 79.066,
        244_400_000, "torchvision",
        "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
    ),
)  # fmt: skip
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
    source, header = "trained for this app", describe_file(path)
    if header is None:
        return ModelCard(
            name, title, None, None, _EMBEDDED_CLASSES, _EMBEDDED_BYTES, source, is_xdnn, False
        )
    return ModelCard(
        name, header.title, header.top1, header.top5, len(header.classes), path.stat().st_size,
        source, is_xdnn, True, recipe_in_words(header.recipe),
    )  # fmt: skip


def _remote_card(remote: RemoteModel) -> ModelCard:
    """Card of a downloadable model."""
    file = cached_file(remote.name)
    size = file.stat().st_size if file else remote.download_bytes
    return ModelCard(
        remote.name, remote.title, remote.top1, remote.top5, IMAGENET_CLASSES, size,
        remote.source, not remote.biases, file is not None,
    )  # fmt: skip


def find_remote(name: str) -> RemoteModel:
    """The catalogue entry of a downloadable model."""
    for remote in REMOTE:
        if remote.name == name:
            return remote
    names = ", ".join(card.name for card in available_models())
    raise UserError(f"There is no model {name!r}; choose one of {names}.")
