"""Fixup ResNet-50: a residual network without normalisation, with and without biases.

Zhang et al. 2019 replace batch normalisation by a scaled initialisation, scalar biases before
every layer and one scalar multiplier a block. Without the biases (Hesse et al. 2021, who drop
the multipliers too) it is an X-DNN: sums and ReLUs of homogeneous functions are homogeneous.
Parameter names are those of the published code.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from xdnn_core.models.networks import NetworkConfig

_BLOCKS = (3, 4, 6, 3)  # of each stage: ResNet-50
_EXPANSION = 4
_LAYERS_A_BLOCK = 3  # the m of L^(-1/(2m-2))


class FixupBottleneck(nn.Module):
    """1×1, 3×3, 1×1 convolution beside a short cut, (B, C, H, W) -> (B, 4·width, H/s, W/s)."""

    def __init__(self, channels: int, width: int, stride: int, biases: bool) -> None:
        super().__init__()
        out = width * _EXPANSION
        self.has_biases = biases
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.conv3 = nn.Conv2d(width, out, 1, bias=False)
        self.downsample = (
            nn.Conv2d(channels, out, 1, stride=stride, bias=False)
            if stride != 1 or channels != out
            else None
        )
        self.relu = nn.ReLU()
        if biases:
            self.bias1a, self.bias1b = _scalar(), _scalar()
            self.bias2a, self.bias2b = _scalar(), _scalar()
            self.bias3a, self.bias3b = _scalar(), _scalar()
            self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        """Map features (B, C, H, W) to (B, 4·width, H/s, W/s)."""
        if not self.has_biases:
            h = self.conv3(self.relu(self.conv2(self.relu(self.conv1(x)))))
            return self.relu(h + (x if self.downsample is None else self.downsample(x)))
        shifted = x + self.bias1a
        h = self.relu(self.conv1(shifted) + self.bias1b)
        h = self.relu(self.conv2(h + self.bias2a) + self.bias2b)
        h = self.conv3(h + self.bias3a) * self.scale + self.bias3b
        return self.relu(h + (x if self.downsample is None else self.downsample(shifted)))


class FixupResNet50(nn.Module):
    """Fixup ResNet-50 on inputs (B, 3, H, W), logits (B, classes)."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        channels = 64
        for stage, blocks in enumerate(_BLOCKS):
            width = 64 * 2**stage
            members: list[nn.Module] = []
            for number in range(blocks):
                stride = 2 if stage and not number else 1
                members.append(FixupBottleneck(channels, width, stride, config.biases))
                channels = width * _EXPANSION
            self.add_module(f"layer{stage + 1}", nn.Sequential(*members))
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(channels, config.classes, bias=config.biases)
        if config.biases:
            self.bias1, self.bias2 = _scalar(), _scalar()
        self.initialise()

    @torch.no_grad()
    def initialise(self) -> None:
        """Give every parameter its Fixup start.

        He's variance, times L^(-1/(2m-2)) inside a residual branch of m layers, L the number of
        blocks; zero for the last layer of each branch and for the classifier.

        Source: Zhang et al. 2019, Section 4, Fixup initialization.
        """
        shrink = sum(_BLOCKS) ** (-1 / (2 * _LAYERS_A_BLOCK - 2))
        _he_normal(self.conv1)
        for module in self.modules():
            if isinstance(module, FixupBottleneck):
                _he_normal(module.conv1, shrink)
                _he_normal(module.conv2, shrink)
                module.conv3.weight.zero_()
                if module.downsample is not None:
                    _he_normal(module.downsample)
        self.fc.weight.zero_()
        if self.config.biases:
            self.fc.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """Map images (B, 3, H, W) to logits (B, classes)."""
        return self.after_first_convolution(self.first_convolution(x))

    @property
    def first_convolution(self) -> nn.Conv2d:
        """The layer whose output is linear in the input."""
        return self.conv1

    def after_first_convolution(self, z: Tensor) -> Tensor:
        """Map first pre-activations (B, 64, H/2, W/2) to logits (B, classes)."""
        biases = self.config.biases
        h = self.maxpool(self.relu(z + self.bias1 if biases else z))
        for stage in range(len(_BLOCKS)):
            h = self.get_submodule(f"layer{stage + 1}")(h)
        h = torch.flatten(self.avgpool(h), 1)  # (B, 2048, 1, 1) -> (B, 2048)
        return self.fc(h + self.bias2 if biases else h)


def _scalar() -> nn.Parameter:
    """A scalar bias, 0 to start with."""
    return nn.Parameter(torch.zeros(1))


def _he_normal(layer: nn.Conv2d, shrink: float = 1.0) -> None:
    """Normal weights of variance 2 / fan-out, their standard deviation times `shrink`."""
    out, _, height, width = layer.weight.shape
    layer.weight.normal_(0.0, shrink * math.sqrt(2 / (out * height * width)))
