"""Training the fully connected layers alone: what the fixed convolutions make of every image.

Where the convolutions are not trained and pictures are only mirrored, there are two inputs an
image and no more. Their features are computed once; an epoch then takes seconds, not a minute.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from tools.training.crops import CropDataset
from tools.training.recipes import TrainConfig
from xdnn_core.data.preprocessing import Preprocessing
from xdnn_core.models.networks import AlexNet


def is_frozen(config: TrainConfig) -> bool:
    """Whether a recipe trains nothing but the fully connected layers, on whole pictures."""
    return config.features_rate == 0 and config.crops.smallest == 1 and config.teacher is None


class FrozenFeatures(Dataset[tuple[Tensor, int]]):
    """Features (9216,) of every image or its mirror image, drawn from (seed, epoch, image)."""

    def __init__(
        self, images: CropDataset, network: AlexNet, config: TrainConfig, device: torch.device
    ) -> None:
        self.labels = images.labels
        self.epoch = 0
        self._seed = config.crops.seed
        normalise = Preprocessing().normalise
        parts: list[Tensor] = []
        starts = range(0, len(images), config.batch)
        for start in tqdm(starts, desc="features", unit="batch"):
            indices = range(start, min(start + config.batch, len(images)))
            pixels = torch.stack([images.whole(i) for i in indices])  # (B, 3, H, W), uint8
            both = torch.cat([pixels, pixels.flip(3)]).to(device)  # (2B, 3, H, W)
            inputs = normalise(both.float() / 255).to(memory_format=torch.channels_last)
            with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, config.bf16):
                features = network.avgpool(network.features(inputs)).flatten(1)  # (2B, 9216)
            parts.append(features.half().view(2, len(pixels), -1).cpu())
        self._views = torch.cat(parts, dim=1)  # (2, N, 9216)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        mirrored = int(np.random.default_rng((self._seed, self.epoch, index)).random() < 0.5)
        return self._views[mirrored, index].float(), self.labels[index]
