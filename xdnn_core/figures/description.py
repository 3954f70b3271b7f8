"""A map in words and numbers, for those who cannot see it."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter, label

from xdnn_core.text import percent

_SIGMA = 4.0  # pixels: regions, not single pixels
_STRONG = 0.25  # of the largest blurred size
_CELLS = 4
_ROWS = ("top", "upper middle", "lower middle", "bottom")
_COLUMNS = ("far left", "left", "right", "far right")


def map_description(pixels: np.ndarray) -> str:
    """Where a signed map (H, W) is strong.

    The largest connected region where it is strong once blurred, with its share of the sum of
    |values|; and of a 4×4 grid the three cells with the largest shares.
    """
    sizes = np.abs(pixels)
    total = float(sizes.sum())
    if not total:
        return "The map is zero everywhere."
    blurred = gaussian_filter(sizes, _SIGMA, mode="nearest")
    regions, _ = label(blurred >= _STRONG * blurred.max())
    largest = np.bincount(regions.ravel())[1:].argmax() + 1
    inside = regions == largest
    cells = [
        (float(part.sum()) / total, f"{_ROWS[row]} {_COLUMNS[column]}")
        for row, band in enumerate(np.array_split(sizes, _CELLS, axis=0))
        for column, part in enumerate(np.array_split(band, _CELLS, axis=1))
    ]
    top = sorted(cells, key=lambda cell: -cell[0])[:3]
    strongest = ", ".join(f"{name} {percent(share)}" for share, name in top)
    return (
        f"Its largest strong region covers {percent(float(inside.mean()))} of the picture and "
        f"holds {percent(float(sizes[inside].sum()) / total)} of the map's absolute values. "
        f"Strongest of 4×4 cells: {strongest}."
    )
