"""A small pair of networks and an image set for the experiment tests."""

import io

import numpy as np
import torch
from PIL import Image
from torch import nn

from xdnn_core.data.images import ImageSet
from xdnn_core.data.preprocessing import Preprocessing
from xdnn_core.models.networks import AlexNet, NetworkConfig
from xdnn_core.models.zoo import ModelCard, PretrainedModel

CLASSES = ("a", "b", "c", "d")


def make_pair(dtype: torch.dtype = torch.float32) -> list[PretrainedModel]:
    """An untrained AlexNet of few channels with biases that matter, and one without."""
    models = []
    for biases in (True, False):
        torch.manual_seed(3)
        network = AlexNet(NetworkConfig(classes=4, head=8, biases=biases))
        network.features = nn.Sequential(
            nn.Conv2d(3, 8, 11, stride=4, padding=2, bias=biases),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(8, 12, 5, padding=2, bias=biases),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(12, 12, 3, padding=1, bias=biases),
            nn.ReLU(),
        )
        network.classifier[1] = nn.Linear(12 * 6 * 6, 8, bias=biases)
        network.to(dtype).eval()
        network.requires_grad_(False)
        for name, parameter in network.named_parameters():
            if name.endswith("bias"):
                parameter.mul_(20)
        card = ModelCard(
            name="small" if biases else "xsmall", title="Small", top1=None, top5=None, classes=4,
            size_bytes=0, source="a test", is_xdnn=not biases, installed=True,
        )  # fmt: skip
        models.append(
            PretrainedModel(network, list(CLASSES), Preprocessing(size=64, resize=64), card)
        )
    return models


def make_images(count: int, broken: int | None = None) -> ImageSet:
    """Random photographs; one of them may be no image."""
    rng = np.random.default_rng(0)
    encoded = []
    for number in range(count):
        buffer = io.BytesIO()
        # Large blocks of colour, so that the networks see different things.
        pixels = rng.integers(0, 255, (4, 4, 3), dtype=np.uint8).repeat(16, 0).repeat(16, 1)
        Image.fromarray(pixels).save(buffer, "PNG")
        encoded.append(b"no image" if number == broken else buffer.getvalue())
    names = tuple(f"{number}.png" for number in range(count))
    labels = tuple(number % len(CLASSES) for number in range(count))
    return ImageSet(names, labels, CLASSES, encoded)
