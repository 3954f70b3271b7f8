"""Random crops and flips of a training set, drawn from (seed, epoch, image)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from tqdm import tqdm

from xdnn_core.data.images import ImageSet


@dataclass(frozen=True)
class CropConfig:
    """How training images are cut."""

    epochs: int = 12  # passes over the training set
    # side of the training input, pixels: that of the test images, so that the pooling before the
    # fully connected layers sees the same grid in both
    size: int = 224
    # smallest height of a crop as a share of the image's height, and likewise its width; the crop
    # is squeezed into a square, as a test image is as a whole
    smallest: float = 0.85
    seed: int = 0  # of every random choice


class CropDataset(Dataset[tuple[Tensor, int]]):
    """Random crops and flips of decoded images, drawn from (seed, epoch, image)."""

    def __init__(self, images: ImageSet, config: CropConfig) -> None:
        self.config = config
        self.epoch = 0
        self.pixels: list[Tensor] = []
        self.labels: list[int] = []
        self.unreadable: list[str] = []
        for index in tqdm(range(len(images)), desc="decode", unit="image"):
            try:
                array = np.asarray(images.read(index))  # (H, W, 3)
            except OSError:
                self.unreadable.append(images.names[index])
                continue
            self.pixels.append(torch.from_numpy(array.transpose(2, 0, 1).copy()))  # (3, H, W)
            self.labels.append(images.labels[index])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        rng = np.random.default_rng((self.config.seed, self.epoch, index))
        pixels = self.pixels[index]
        height, width = pixels.shape[1:]
        shares = rng.uniform(self.config.smallest, 1, 2)
        h, w = max(1, round(height * shares[0])), max(1, round(width * shares[1]))
        top, left = rng.integers(height - h + 1), rng.integers(width - w + 1)
        crop = pixels[:, top : top + h, left : left + w]
        if rng.random() < 0.5:
            crop = crop.flip(2)
        return self._squeeze(crop), self.labels[index]

    def whole(self, index: int) -> Tensor:
        """One image without any cut, squeezed into the square: (3, size, size), uint8."""
        return self._squeeze(self.pixels[index])

    def _squeeze(self, crop: Tensor) -> Tensor:
        size = (self.config.size, self.config.size)
        return nn.functional.interpolate(crop[None], size, mode="bilinear", antialias=True)[0]
