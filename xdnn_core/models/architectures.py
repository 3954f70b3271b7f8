"""Which architectures there are, and how a checkpoint's parameters tell them apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from torch import Tensor

from xdnn_core.models.alexnet import AlexNet, AlexNetConfig
from xdnn_core.models.fixup_resnet import FixupResNet50, FixupResNet50Config
from xdnn_core.models.vgg import VGG16, VGG16Config

Network = AlexNet | VGG16 | FixupResNet50
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Architecture:
    """A kind of network."""

    name: str  # in checkpoints' catalogue entries
    title: str  # for people
    mark: str | None  # a parameter that no other architecture has
    # The fully connected weights that the sizes are read from, the classifier last.
    matrices: tuple[str, ...]
    # From the shapes of those matrices and whether there are biases.
    build: Callable[[list[tuple[int, ...]], bool], Network]


def _alexnet(shapes: list[tuple[int, ...]], biases: bool) -> AlexNet:
    return AlexNet(AlexNetConfig(classes=shapes[1][0], head=shapes[0][0], biases=biases))


def _vgg16(shapes: list[tuple[int, ...]], biases: bool) -> VGG16:
    return VGG16(VGG16Config(classes=shapes[1][0], head=shapes[0][0], biases=biases))


def _fixup_resnet50(shapes: list[tuple[int, ...]], biases: bool) -> FixupResNet50:
    return FixupResNet50(FixupResNet50Config(classes=shapes[0][0], biases=biases))


_KINDS: Final[dict[type[Any], Architecture]] = {
    VGG16: Architecture(
        "vgg16", "VGG16", "features.28.weight", ("classifier.0.weight", "classifier.6.weight"),
        _vgg16,
    ),
    FixupResNet50: Architecture(
        "fixup_resnet50", "ResNet-50", "layer1.0.conv1.weight", ("fc.weight",), _fixup_resnet50
    ),
    AlexNet: Architecture(
        "alexnet", "AlexNet", None, ("classifier.1.weight", "classifier.6.weight"), _alexnet
    ),
}  # fmt: skip


def architecture_of(network: Network) -> Architecture:
    """The architecture of a network."""
    return _KINDS[type(network)]


def recognise(shapes: Shapes) -> Architecture:
    """The architecture whose mark is among the parameters, else AlexNet."""
    marked = (kind for kind in _KINDS.values() if kind.mark in shapes)
    return next(marked, _KINDS[AlexNet])


def shapes_of(state: Mapping[str, Tensor]) -> Shapes:
    """Shape by parameter name."""
    return {key: tuple(value.shape) for key, value in state.items()}
