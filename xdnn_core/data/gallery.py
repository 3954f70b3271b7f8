"""Photographs to begin with: from the installed packages, from assets, and from your folder.

``XDNN_GALLERY`` may name a folder; the JPEG, PNG and WebP files directly in it are added.
"""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

from PIL import Image, ImageOps

from xdnn_core.data.uploads import MAX_BYTES, UploadError, read_photo
from xdnn_core.io import GALLERY

FOLDER_LIMIT: Final = 200
_SUFFIXES: Final = {".jpg", ".jpeg", ".png", ".webp"}


@dataclass(frozen=True)
class GalleryItem:
    """One photograph of the gallery."""

    key: str  # short and unique, for links
    title: str  # what is to be seen
    credit: str  # who made it
    licence: str  # under which terms it may be used
    class_hint: str | None  # the Caltech-101 class it shows, None where it shows none of them
    _path: Path = field(repr=False)
    # The network of the embedded pair that takes it for another class; None where neither does.
    mistaken_by: str | None = None

    def open(self) -> Image.Image:
        """Decode the whole photograph, RGB."""
        return _read(self._path)

    def thumbnail(self, side: int) -> Image.Image:
        """Return the centre square, which is what a network sees, `side` pixels wide."""
        return ImageOps.fit(self.open(), (side, side), Image.Resampling.LANCZOS)


_PUBLIC, _CC0, _CC_BY = "public domain", "CC0", "CC BY 2.0"
_CALTECH_CREDIT = "Caltech-101, test split: Li, Andreeto, Ranzato and Perona 2022"

# package folder, file, key, title, credit, licence, class
_PACKAGED: Final = (
    ("skimage/data/motorcycle_left.png", "motorcycle", "Motorcycle",
     "Nera Nesic and others, Middlebury stereo 2014", "as shipped with scikit-image", "Motorbikes"),
    ("skimage/data/chelsea.png", "cat", "Cat", "Stefan van der Walt", _CC0, None),
    ("skimage/data/coffee.png", "coffee", "Coffee cup", "Rachel Michetti", _CC0, "cup"),
    ("skimage/data/astronaut.png", "astronaut", "Astronaut", "NASA", _PUBLIC, None),
    ("skimage/data/rocket.jpg", "rocket", "Rocket", "SpaceX", _PUBLIC, None),
    ("sklearn/datasets/images/china.jpg", "pagoda", "Pagoda", "danielbuechele", _CC_BY, "pagoda"),
    ("sklearn/datasets/images/flower.jpg", "flower", "Flower", "vultilion", _CC_BY, None),
)  # fmt: skip

# stem of the file in assets/gallery, which is its key; title; class; which network of the embedded
# pair takes it for another class
_CALTECH: Final = (
    ("rooster", "Rooster", "rooster", None),
    ("pigeon", "Pigeon", "pigeon", "X-AlexNet"),
    ("scorpion", "Scorpion", "scorpion", "AlexNet"),
    ("dalmatian", "Dalmatian", "dalmatian", None),
    ("ferry", "Ferry", "ferry", None),
    ("kangaroo", "Kangaroo", "kangaroo", None),
    ("platypus", "Platypus", "platypus", "AlexNet"),
    ("stop_sign", "Stop sign", "stop_sign", None),
    ("water_lily", "Water lily", "water_lilly", "X-AlexNet"),
    ("elephant", "Elephant", "elephant", None),
    ("schooner", "Schooner", "schooner", None),
    ("panda", "Panda", "panda", None),
    ("emu", "Emu", "emu", "X-AlexNet"),
    ("flamingo", "Flamingo", "flamingo", None),
    ("camera", "Camera", "camera", None),
    ("beaver", "Beaver", "beaver", None),
    ("rhino", "Rhino", "rhino", None),
    ("wild_cat", "Wild cat", "wild_cat", None),
    ("butterfly", "Butterfly", "butterfly", None),
    ("sunflower", "Sunflower", "sunflower", None),
    ("seahorse", "Seahorse", "sea_horse", None),
    ("pizza", "Pizza", "pizza", None),
    ("mug", "Mug", "cup", None),
    ("binoculars", "Binoculars", "binocular", None),
)


def gallery() -> list[GalleryItem]:
    """List the photographs that can be opened, the user's own last."""
    own, _ = _own_folder()
    return [item for item in _built_in() if item._path.is_file()] + own


def gallery_problems() -> list[str]:
    """Say in one sentence each what was left out of the gallery, and why."""
    missing = [
        f"The photograph {item.title} is missing: {item._path.name} is not installed; install "
        "the requirements again."
        for item in _built_in()
        if not item._path.is_file()
    ]
    _, problems = _own_folder()
    return missing + problems


def _built_in() -> list[GalleryItem]:
    """Every photograph of the packages and of assets, whether its file is there or not."""
    caltech = [
        GalleryItem(
            key, title, _CALTECH_CREDIT, "CC BY 4.0", hint, GALLERY / f"{key}.webp", mistaken
        )
        for key, title, hint, mistaken in _CALTECH
    ]
    packaged = [
        GalleryItem(key, title, credit, licence, hint, _installed_file(file))
        for file, key, title, credit, licence, hint in _PACKAGED
    ]
    return caltech + packaged


def _installed_file(file: str) -> Path:
    """Where a file of an installed package lies, found without importing the package.

    Importing scikit-image or scikit-learn takes seconds; their photographs do not need it.
    """
    spec = importlib.util.find_spec(file.split("/", 1)[0])
    if spec is None or spec.origin is None:
        return Path(file)
    return Path(spec.origin).parent.parent / file


def _own_folder() -> tuple[list[GalleryItem], list[str]]:
    """The readable photographs of ``XDNN_GALLERY``, and a sentence for each problem."""
    named = os.environ.get("XDNN_GALLERY")
    if not named:
        return [], []
    folder = Path(named).expanduser()
    try:
        files = sorted(
            path
            for path in folder.iterdir()
            if path.suffix.lower() in _SUFFIXES and not path.name.startswith(".")
        )
    except OSError:
        return [], [f"XDNN_GALLERY names {folder}, which is not a readable folder; name another."]
    items: list[GalleryItem] = []
    problems: list[str] = []
    if len(files) > FOLDER_LIMIT:
        problems.append(
            f"XDNN_GALLERY holds {len(files)} images, of which the first {FOLDER_LIMIT} by name "
            "are shown; move the others to a folder of their own."
        )
    for path in files[:FOLDER_LIMIT]:
        problem = _problem_with(path)
        if problem:
            problems.append(f"{path.name} was left out of the gallery: {problem}")
        else:
            title = path.stem.replace("_", " ").strip() or path.name
            items.append(GalleryItem(f"own/{path.name}", title, "your folder", "own", None, path))
    return items, problems


def _problem_with(path: Path) -> str | None:
    """Why a file of the user's folder cannot be shown; None where it can."""
    try:
        status = path.stat()
    except OSError:
        return "The file cannot be read; check its permissions."
    return _decoding_problem(path, status.st_mtime_ns, status.st_size)


# Listing the gallery happens on every rerun of a page, decoding 200 photographs must not.
@lru_cache(maxsize=4 * FOLDER_LIMIT)
def _decoding_problem(path: Path, changed: int, size: int) -> str | None:
    """Decode once per (file, time of change, size); the sentence if that fails."""
    try:
        _read(path)
    except UploadError as error:
        return str(error)
    return None


def _read(path: Path) -> Image.Image:
    """Read a file as an uploaded photograph, at most one byte more than may be uploaded."""
    try:
        if not path.is_file():  # a pipe or a folder named like an image
            raise UploadError("It is not a file; name a JPEG, PNG or WebP image.")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UploadError("The file cannot be read; check its permissions.") from error
    return read_photo(data)
