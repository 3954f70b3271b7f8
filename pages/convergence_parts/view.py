"""What the Convergence page says and shows of a measurement: thumbnails, and telling numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from xdnn_core.experiments.convergence_result import Convergence
from xdnn_core.figures.rendering import Theme, colourise, light_blur, shared_scale


@dataclass(frozen=True)
class Misleading:
    """A place where the completeness gap is far smaller than the error."""

    rule: str
    calls: int
    gap: float  # both relative, 0.01 is one per cent
    error: float


def most_misleading(measured: Convergence, rules: Sequence[str]) -> Misleading:
    """The place where the error is the largest multiple of the completeness gap."""
    chosen = [curve for curve in measured.curves if curve.rule in rules]
    places = [
        Misleading(curve.rule, calls, gap, error)
        for curve in chosen or measured.curves
        for calls, gap, error in zip(
            curve.counts, curve.completeness_gaps, curve.errors, strict=True
        )
    ]
    return max(places, key=lambda place: place.error / max(place.gap, 1e-12))


def thumbnails(maps: Mapping[int, Tensor], theme: Theme) -> dict[int, np.ndarray]:
    """Draw channel-summed maps (H, W), by their gradient calls, on one scale; (H, W, 3), uint8."""
    pixels = {calls: light_blur(maps[calls].double().numpy()) for calls in sorted(maps)}
    limit = shared_scale(list(pixels.values())).limit
    return {calls: colourise(one, limit, theme) for calls, one in pixels.items()}
