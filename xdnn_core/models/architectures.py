"""Which architectures there are, and how a checkpoint's parameters tell them apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from torch import Tensor

from xdnn_core.models.fixup_resnet import FixupResNet50
from xdnn_core.models.networks import VGG16, AlexNet, NetworkConfig

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
    network: Callable[[NetworkConfig], Network]

    def build(self, shapes: Sequence[tuple[int, ...]], biases: bool) -> Network:
        """Make the network whose `matrices` have these shapes, the first one the head's."""
        return self.network(NetworkConfig(shapes[-1][0], shapes[0][0], biases))


_KINDS: Final[dict[type[Any], Architecture]] = {
    VGG16: Architecture(
        "vgg16", "VGG16", "features.28.weight", ("classifier.0.weight", "classifier.6.weight"),
        VGG16,
    ),
    FixupResNet50: Architecture(
        "fixup_resnet50", "ResNet-50", "layer1.0.conv1.weight", ("fc.weight",), FixupResNet50
    ),
    AlexNet: Architecture(
        "alexnet", "AlexNet", None, ("classifier.1.weight", "classifier.6.weight"), AlexNet
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
