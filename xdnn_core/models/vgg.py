"""VGG16, with and without biases, under torchvision's parameter names.

Configuration D of Simonyan and Zisserman 2015. Without biases it is an X-DNN (Hesse et al. 2021):
convolutions, ReLU, max pooling, average pooling and linear layers without bias all commute with
scaling by a nonnegative number.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

# Channels of the convolutions of each stage; a stage ends with max pooling.
_STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


@dataclass(frozen=True)
class VGG16Config:
    """Shape of a VGG16."""

    classes: int = 1000  # number of logits
    head: int = 4096  # width of the two hidden fully connected layers (4096 in the original)
    biases: bool = True  # False makes it an X-VGG16
    dropout: float = 0.5


class VGG16(nn.Module):
    """VGG16 on inputs (B, 3, H, W), logits (B, classes)."""

    def __init__(self, config: VGG16Config) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = []
        channels = 3
        for stage in _STAGES:
            for width in stage:
                layers += [nn.Conv2d(channels, width, 3, padding=1, bias=config.biases), nn.ReLU()]
                channels = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(channels * 7 * 7, config.head, bias=config.biases),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.head, config.head, bias=config.biases),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.head, config.classes, bias=config.biases),
        )

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
        """Map first pre-activations (B, 64, H, W) to logits (B, classes)."""
        h = self.avgpool(self.features[1:](z))  # (B, 512, 7, 7)
        return self.classifier(torch.flatten(h, 1))  # (B, 25088) -> (B, classes)
