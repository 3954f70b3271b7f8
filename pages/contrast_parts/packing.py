"""A sweep's maps as bytes, small enough to be sent to a browser once and drawn there.

A byte q stands for the value sign(q) (q/127)² range. The square keeps small values apart: the
largest value of a map is several times the end of its colour scale, and with even steps most codes
would be spent on colours that are clipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from pages.contrast_parts.curves import ContrastCurves, contrast_curves
from xdnn_core.attribution.contrast_result import RaySweep
from xdnn_core.attribution.contrast_sweep import ray_sweep
from xdnn_core.attribution.path import Progress
from xdnn_core.data.preprocessing import Preprocessing
from xdnn_core.experiments.comparison import Prediction
from xdnn_core.models.zoo import PretrainedModel

LARGEST_CODE = 127


@dataclass(frozen=True)
class PackedMaps:
    """One attribution at every contrast, logits a pixel."""

    codes: np.ndarray  # (S, H, W), int8; (1, H, W) where the maps of all stops are multiples of one
    ranges: np.ndarray  # |value| of the largest code at every stop, (S,)

    def values(self, stop: int) -> np.ndarray:
        """The map at a stop, (H, W), as the browser reads it."""
        share = self.codes[min(stop, len(self.codes) - 1)] / LARGEST_CODE  # (H, W)
        return np.sign(share) * share**2 * self.ranges[stop]


def pack_maps(maps: np.ndarray) -> PackedMaps:
    """Pack maps (S, H, W) that differ from stop to stop."""
    codes, ranges = zip(*map(_pack, maps), strict=True)
    return PackedMaps(np.stack(codes), np.array(ranges))


def pack_multiples(pixels: np.ndarray, factors: np.ndarray) -> PackedMaps:
    """Pack the multiples of one map (H, W) by the factors (S,) as a single map."""
    codes, largest = _pack(pixels)
    return PackedMaps(codes[None], factors * largest)


def _pack(pixels: np.ndarray) -> tuple[np.ndarray, float]:
    """Codes of a map (H, W) and the |value| of the largest code."""
    largest = float(np.abs(pixels).max())
    share = pixels / largest if largest else pixels
    codes = np.sign(share) * np.sqrt(np.abs(share)) * LARGEST_CODE
    return codes.round().astype(np.int8), largest


def pack_sweep(sweep: RaySweep) -> tuple[PackedMaps, PackedMaps]:
    """Pack single-gradient attribution and Integrated Gradients; one object where equal."""
    integrated = sweep.integrated.numpy()  # (S, H, W)
    if sweep.route == "scaling":
        packed = pack_multiples(integrated[sweep.at_one], sweep.stops.numpy())
        return packed, packed
    return pack_maps(sweep.fast.numpy()), pack_maps(integrated)


@dataclass(frozen=True)
class NetworkContrast:
    """What the Contrast page shows of one network; a fifth of its sweep's memory."""

    at_one: int  # position of α = 1
    target: int  # the class explained
    # The top class at every stop, with its own logit and confidence
    predictions: tuple[Prediction, ...]
    curves: ContrastCurves  # what is drawn against α
    maps: tuple[PackedMaps, PackedMaps]  # both attributions, see `pack_sweep`

    @property
    def stops(self) -> list[float]:
        """All α, ascending."""
        return self.curves.stops.tolist()


def measure_contrast(
    model: PretrainedModel,
    inputs: Tensor,
    target: int,
    cells: int,
    chunk: int | None = None,
    progress: Progress | None = None,
) -> NetworkContrast:
    """Sweep one network over all contrasts of an image (1, 3, H, W) and keep what is shown."""
    x = inputs.to(next(model.network.parameters()))
    sweep = ray_sweep(model.network, x, target, cells=cells, chunk=chunk, progress=progress)
    confidences = sweep.logits.double().softmax(dim=1)  # (S, K)
    tops = zip(sweep.top_class.tolist(), sweep.logits, confidences, strict=True)
    predictions = tuple(
        Prediction(top, model.classes[top], float(logits[top]), float(shares[top]))
        for top, logits, shares in tops
    )
    curves, maps = contrast_curves(sweep), pack_sweep(sweep)
    return NetworkContrast(sweep.at_one, target, predictions, curves, maps)


def nearest_stop(stops: Sequence[float], alpha: float) -> int:
    """Position of the stop closest to a contrast."""
    return int(np.abs(np.array(stops) - alpha).argmin())


def mean_colour(preprocessing: Preprocessing) -> tuple[float, float, float]:
    """The colour of the zero baseline, 0 to 255 a channel.

    A normalised image times α looks like mean + α (pixel − mean), so that drawing it takes
    nothing but the photograph and this.
    """
    red, green, blue = (255 * mean for mean in preprocessing.mean)
    return red, green, blue
