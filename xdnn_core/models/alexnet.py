"""AlexNet, with and without biases, under torchvision's parameter names.

One convolutional column (Krizhevsky 2014). Without biases it is an X-DNN (Hesse et al. 2021):
F(αx) = αF(x) for α ≥ 0, because convolutions, ReLU, max pooling, average pooling and linear
layers without bias all commute with scaling by a nonnegative number.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class AlexNetConfig:
    """Shape of an AlexNet."""

    classes: int = 1000  # number of logits
    head: int = 4096  # width of the two hidden fully connected layers (4096 in the original)
    biases: bool = True  # False makes it an X-AlexNet
    dropout: float = 0.5


class AlexNet(nn.Module):
    """AlexNet on inputs (B, 3, H, W), logits (B, classes)."""

    def __init__(self, config: AlexNetConfig) -> None:
        super().__init__()
        self.config = config
        b, h = config.biases, config.head
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, stride=4, padding=2, bias=b),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, padding=2, bias=b),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, padding=1, bias=b),
            nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1, bias=b),
            nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1, bias=b),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
        )
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = nn.Sequential(
            nn.Dropout(config.dropout),
            nn.Linear(256 * 6 * 6, h, bias=b),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Linear(h, h, bias=b),
            nn.ReLU(),
            nn.Linear(h, config.classes, bias=b),
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
        """Map first pre-activations (B, 64, H', W') to logits (B, classes)."""
        h = self.avgpool(self.features[1:](z))  # (B, 256, 6, 6)
        return self.classifier(torch.flatten(h, 1))  # (B, 9216) -> (B, classes)
