"""The sentence of Contrast, made of the numbers that stand beside it."""

from __future__ import annotations

from pages.contrast_parts.packing import NetworkContrast, nearest_stop


def what_contrast_changes(name: str, is_xdnn: bool, contrast: NetworkContrast) -> str:
    """Where the prediction changes, and how far Input×Gradient turns."""
    curves = contrast.curves
    if curves.never_changes:
        ending = "; its attributions only scale." if is_xdnn else "."
        contrasts = sum(stop > 0 for stop in contrast.stops)
        return f"**{name}'s** prediction is the same at all {contrasts} contrasts above 0{ending}"
    changes = [alpha for alpha in (curves.changes_below, curves.changes_above) if alpha is not None]
    where = " and ".join(
        f"at **α = {alpha:g}**, to {contrast.predictions[nearest_stop(contrast.stops, alpha)].name}"
        for alpha in changes
    )
    half = nearest_stop(contrast.stops, 0.5)
    return (
        f"**{name}'s** prediction changes {where}; its Input×Gradient at α = "
        f"{contrast.stops[half]:g} has a cosine of **{curves.fast_cosine[half]:.2f}** with that at "
        "α = 1."
    )
