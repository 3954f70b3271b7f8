"""What contrast does to a prediction and to its attributions, from one sweep a network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from skimage.metrics import structural_similarity
from torch import Tensor

from xdnn_core.attribution.contrast_result import RaySweep
from xdnn_core.figures.rendering import light_blur, shared_scale


@dataclass(frozen=True)
class ContrastCurves:
    """One network's curves against α, (S,) each, and what is to be said about them."""

    stops: np.ndarray  # α
    target_logits: np.ndarray  # logit and softmax of the target
    confidences: np.ndarray
    # Cosine of the map at α with that at α = 1; NaN where there is no map (α = 0)
    fast_cosine: np.ndarray
    integrated_cosine: np.ndarray
    # SSIM of the drawn maps, each normalised for display, with that at α = 1; NaN for no map
    fast_ssim: np.ndarray
    integrated_ssim: np.ndarray
    # Largest α < 1 with another top class than at α = 1, None if there is none
    changes_below: float | None
    changes_above: float | None  # smallest α > 1 with another one, None if there is none
    class_at_one: int  # top class at α = 1

    @property
    def never_changes(self) -> bool:
        """Whether the top class is the same at every stop."""
        return self.changes_below is None and self.changes_above is None


def contrast_curves(sweep: RaySweep) -> ContrastCurves:
    """Reduce a sweep to what is drawn against α."""
    one = sweep.at_one
    changes = sweep.changes.tolist()
    fast_ssim = _ssim_to(sweep.fast, one)
    same = sweep.integrated is sweep.fast  # without biases they are one tensor
    return ContrastCurves(
        stops=sweep.stops.numpy(),
        target_logits=sweep.target_logits.numpy(),
        confidences=sweep.confidences.numpy(),
        fast_cosine=sweep.fast_similarity.numpy(),
        integrated_cosine=sweep.integrated_similarity.numpy(),
        fast_ssim=fast_ssim,
        integrated_ssim=fast_ssim if same else _ssim_to(sweep.integrated, one),
        changes_below=max((alpha for alpha in changes if alpha < 1), default=None),
        changes_above=min((alpha for alpha in changes if alpha > 1), default=None),
        class_at_one=int(sweep.top_class[one]),
    )


def drawn_map(pixels: np.ndarray) -> np.ndarray:
    """A map (H, W) as it is drawn on a scale of its own: lightly blurred, from −1 to 1."""
    blurred = light_blur(pixels)
    limit = shared_scale([blurred]).limit
    return np.clip(blurred / limit, -1, 1) if limit else blurred


def _ssim_to(maps: Tensor, number: int) -> np.ndarray:
    """SSIM of every drawn map with one of them, (S,); NaN where a map is 0 everywhere.

    Source: Wang et al. 2004.
    """
    # From 0 to 1 with 0 in the middle, as on screen: SSIM multiplies a term of means by one of
    # covariances, and a negative map would turn the signs of both.
    drawn = [(1 + drawn_map(pixels)) / 2 for pixels in maps.double().numpy()]
    reference = drawn[number]
    some = [bool(pixels.any()) for pixels in maps]
    return np.array(
        [
            structural_similarity(one, reference, data_range=1.0) if here else np.nan
            for one, here in zip(drawn, np.logical_and(some, some[number]), strict=True)
        ]
    )
