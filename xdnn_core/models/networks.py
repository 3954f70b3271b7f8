"""AlexNet and VGG16, with and without biases, under torchvision's parameter names.

AlexNet has one convolutional column (Krizhevsky 2014), VGG16 is configuration D of Simonyan and
Zisserman 2015. Without biases they are X-DNNs (Hesse et al. 2021): F(αx) = αF(x) for α ≥ 0, because
convolutions, ReLU, max pooling, average pooling and linear layers without bias all commute with
scaling by a nonnegative number.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

# VGG16's channels of the convolutions of each stage; a stage ends with max pooling.
_STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


@dataclass(frozen=True)
class NetworkConfig:
    """Shape of a network."""

    classes: int = 1000  # number of logits
    # of the two hidden fully connected layers (4096 in the originals); a ResNet has none
    head: int = 4096
    biases: bool = True  # False makes it an X network
    dropout: float = 0.5


class _Columnar(nn.Module):
    """Convolutions, pooling, fully connected layers; (B, 3, H, W) -> logits (B, classes)."""

    config: NetworkConfig
    features: nn.Sequential
    avgpool: nn.Module
    classifier: nn.Sequential

    def forward(self, x: Tensor) -> Tensor:
        """Map images (B, 3, H, W) to logits (B, classes)."""
        return self.after_first_convolution(self.first_convolution(x))

    @property
    def first_convolution(self) -> nn.Conv2d:
        """The layer whose output is linear (with biases: affine) in the input."""
        layer = self.features[0]
        assert isinstance(layer, nn.Conv2d)
        return layer

    def after_first_convolution(self, z: Tensor) -> Tensor:
        """Map first pre-activations (B, 64, H', W') to logits (B, classes)."""
        h = self.avgpool(self.features[1:](z))  # (B, channels, 6, 6), of VGG16 (…, 7, 7)
        return self.classifier(torch.flatten(h, 1))


class AlexNet(_Columnar):
    """AlexNet on inputs (B, 3, H, W), logits (B, classes)."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        b, h = config.biases, config.head
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, stride=4, padding=2, bias=b), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, padding=2, bias=b), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, padding=1, bias=b), nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1, bias=b), nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1, bias=b), nn.ReLU(), nn.MaxPool2d(3, 2),
        )  # fmt: skip
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = nn.Sequential(
            nn.Dropout(config.dropout), nn.Linear(256 * 6 * 6, h, bias=b), nn.ReLU(),
            nn.Dropout(config.dropout), nn.Linear(h, h, bias=b), nn.ReLU(),
            nn.Linear(h, config.classes, bias=b),
        )  # fmt: skip


class VGG16(_Columnar):
    """VGG16 on inputs (B, 3, H, W), logits (B, classes)."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        b, h = config.biases, config.head
        layers: list[nn.Module] = []
        channels = 3
        for stage in _STAGES:
            for width in stage:
                layers += [nn.Conv2d(channels, width, 3, padding=1, bias=b), nn.ReLU()]
                channels = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(channels * 7 * 7, h, bias=b), nn.ReLU(), nn.Dropout(config.dropout),
            nn.Linear(h, h, bias=b), nn.ReLU(), nn.Dropout(config.dropout),
            nn.Linear(h, config.classes, bias=b),
        )  # fmt: skip
