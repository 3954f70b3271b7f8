"""From signed attributions to pictures: one shared symmetric scale, zero neutral.

Both palettes run blue – neutral – orange, which the common forms of colour blindness keep apart;
the light one has a white centre, the dark one a near-black centre.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

Theme = Literal["light", "dark"]

SCALE_PERCENTILE = 99.0
BLUR_SIGMA = 1.0  # pixels
_NEAR_ZERO = 1e-3  # of the scale: what no eye could tell from the neutral colour

# Anchors at -1, -1/2, 0, 1/2, 1.
_ANCHORS: dict[str, tuple[str, str, str, str, str]] = {
    "light": ("#0b3c78", "#6aaede", "#ffffff", "#f3a650", "#9c4300"),
    "dark": ("#a9d8ff", "#2f7fc4", "#10141c", "#d4742a", "#ffdcab"),
}


@dataclass(frozen=True)
class Scale:
    """A symmetric colour scale from −limit to +limit."""

    limit: float  # v, in the units of the maps; 0 when all maps are zero
    clipped_share: float  # share of pixels with |value| > v, 0 to 1


def channel_sum(values: Tensor) -> np.ndarray:
    """Sum the channels of one image's attribution, (C, H, W) -> (H, W), float64, signed."""
    return values.detach().to(torch.float64).sum(dim=0).cpu().numpy()


def light_blur(pixels: np.ndarray, sigma: float = BLUR_SIGMA) -> np.ndarray:
    """Blur a map (H, W) lightly: the eye then compares regions, not single pixels."""
    return gaussian_filter(pixels, sigma, mode="nearest") if sigma else pixels


def shared_scale(maps: Sequence[np.ndarray], percentile: float = SCALE_PERCENTILE) -> Scale:
    """Return the scale for maps that are to be compared.

    `maps`: signed maps (H, W) in one unit.
    """
    pooled = np.abs(np.concatenate([m.ravel() for m in maps]))
    # Of a map that is 0 nearly everywhere the percentile is 0 too; then the largest value serves.
    limit = float(np.percentile(pooled, percentile)) or float(pooled.max())
    return Scale(limit, float((pooled > limit).mean()))


def is_near_zero(pixels: np.ndarray, reference: float) -> bool:
    """Whether a map (H, W) is zero for the eye: beside `reference`, the scale it belongs to."""
    return float(np.abs(pixels).max()) <= _NEAR_ZERO * reference or not pixels.any()


def colourise(pixels: np.ndarray, limit: float, theme: Theme = "light") -> np.ndarray:
    """Colour a signed map.

    `pixels`: (H, W). Returns (H, W, 3), uint8.
    """
    scaled = np.clip(pixels / limit, -1, 1) if limit > 0 else np.zeros_like(pixels)
    anchors = np.array([_rgb(colour) for colour in _ANCHORS[theme]])  # (5, 3)
    at = np.linspace(-1, 1, len(anchors))
    channels = [np.interp(scaled, at, anchors[:, c]) for c in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)  # (H, W, 3)


def overlay(
    pixels: np.ndarray, limit: float, image: np.ndarray, theme: Theme = "light"
) -> np.ndarray:
    """Lay a signed map over the grey image, opaque where |value| is large.

    `pixels`: (H, W). `image`: what the network sees, (H, W, 3), uint8. Returns (H, W, 3), uint8.
    """
    # Full colours at any strength: the opacity carries the size, so the hue must not fade too.
    ends = np.array([_rgb(_ANCHORS[theme][1]), _rgb(_ANCHORS[theme][3])])  # (2, 3)
    colour = np.where(pixels[..., None] < 0, ends[0], ends[1])  # (H, W, 3)
    opacity = np.clip(np.abs(pixels) / limit, 0, 1) if limit > 0 else np.zeros_like(pixels)
    grey = (image @ np.array([0.299, 0.587, 0.114]))[..., None]  # (H, W, 1)
    # A lighter (in the dark theme: darker) ground leaves room for the colours.
    ground = 110 + grey * 0.55 if theme == "light" else grey * 0.55
    mixed = ground * (1 - opacity[..., None]) + colour * opacity[..., None]
    return mixed.round().astype(np.uint8)


def palette_colours(theme: Theme) -> tuple[str, ...]:
    """The palette's anchors from −v to +v as CSS colours, for a colour bar."""
    return _ANCHORS[theme]


def palette_rgb(theme: Theme) -> list[tuple[int, int, int]]:
    """The same as red, green and blue, 0 to 255."""
    return [_rgb(colour) for colour in _ANCHORS[theme]]


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
