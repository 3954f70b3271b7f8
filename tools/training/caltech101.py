"""Caltech-101 from its public address, split class by class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from platformdirs import user_cache_dir

from xdnn_core.data.images import ImageSet, open_image_set
from xdnn_core.errors import UserError

_TEST_SHARE = 0.18
_NOT_A_CLASS = "BACKGROUND_Google"


def download_caltech101(seed: int = 0) -> tuple[ImageSet, ImageSet]:
    """Download Caltech-101 through torchvision and split it, class by class."""
    from xdnn_core.models.torchvision_import import torchvision

    folder = Path(user_cache_dir("xdnn")) / "data"
    try:
        torchvision.datasets.Caltech101(str(folder), download=True)
    except (OSError, RuntimeError) as error:
        raise UserError(
            "Caltech-101 could not be downloaded; check the connection, or give --data a folder "
            "with one subfolder a class."
        ) from error
    everything = open_image_set(folder / "caltech101" / "101_ObjectCategories")
    return split_by_class(everything.without_class(_NOT_A_CLASS), _TEST_SHARE, seed)


def split_by_class(images: ImageSet, share: float, seed: int) -> tuple[ImageSet, ImageSet]:
    """Set a share of every class aside, at random but seeded.

    `share`: of every class, 0 to 1; at least one image, if the class has two.
    """
    rng = np.random.default_rng(seed)
    labels = np.array(images.labels)
    aside: list[int] = []
    for label in range(len(images.classes)):
        members = rng.permutation(np.flatnonzero(labels == label))
        count = max(round(share * len(members)), int(len(members) > 1))
        aside += members[:count].tolist()
    chosen = set(aside)
    kept: Sequence[int] = [i for i in range(len(images)) if i not in chosen]
    return images.subset(kept), images.subset(sorted(aside))
