"""From a photograph to a network's input, and back to something to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from PIL import Image
from torch import Tensor

Fit = Literal["crop", "squeeze"]
FITS: tuple[Fit, ...] = get_args(Fit)

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preprocessing:
    """Make a square of a photograph and normalise each channel."""

    size: int = 224  # side of the square input, pixels
    resize: int = 224  # length the short side is brought to before the centre square is cut, pixels
    mean: tuple[float, float, float] = IMAGENET_MEAN  # per channel, of values in [0, 1]
    std: tuple[float, float, float] = IMAGENET_STD  # per channel, of values in [0, 1]
    fit: Fit = "crop"  # ``"crop"`` cuts the centre square

    def __call__(self, image: Image.Image) -> Tensor:
        """Turn a photograph into a normalised tensor (3, size, size), float32."""
        square = np.asarray(self.crop(image), dtype=np.float32) / 255  # (size, size, 3)
        pixels = torch.from_numpy(square).permute(2, 0, 1)  # (3, size, size)
        return self.normalise(pixels).contiguous()

    def crop(self, image: Image.Image) -> Image.Image:
        """Return what the network sees of a photograph: an RGB square of side `size`."""
        rgb = image.convert("RGB")
        if self.fit == "squeeze":
            return rgb.resize((self.size, self.size), Image.Resampling.BILINEAR)
        width, height = rgb.size
        scale = self.resize / min(width, height)
        if scale != 1:
            new = (max(self.size, round(width * scale)), max(self.size, round(height * scale)))
            rgb = rgb.resize(new, Image.Resampling.BILINEAR)
        left, top = (rgb.width - self.size) // 2, (rgb.height - self.size) // 2
        return rgb.crop((left, top, left + self.size, top + self.size))

    def seen_of(self, image: Image.Image) -> str:
        """Say what of a photograph the network sees; empty where it is square already."""
        width, height = image.size
        if max(width, height) < 1.05 * min(width, height):
            return ""
        if self.fit == "squeeze":
            return "Squeezed square, as the networks see it."
        return "The centre square, as the networks see it."

    def normalise(self, pixels: Tensor) -> Tensor:
        """Normalise values in [0, 1], (..., 3, H, W)."""
        mean, std = self._channel_constants(pixels)
        return (pixels - mean) / std

    def to_display(self, tensor: Tensor) -> np.ndarray:
        """Turn a normalised tensor (3, H, W) back into an image (H, W, 3), uint8, clipped."""
        mean, std = self._channel_constants(tensor)
        pixels = (tensor.detach() * std + mean).clamp(0, 1)
        return (pixels.permute(1, 2, 0) * 255).round().to(torch.uint8).cpu().numpy()

    def _channel_constants(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation as (3, 1, 1), on the tensor's device and dtype."""
        mean = torch.tensor(self.mean, dtype=like.dtype, device=like.device).view(3, 1, 1)
        std = torch.tensor(self.std, dtype=like.dtype, device=like.device).view(3, 1, 1)
        return mean, std
