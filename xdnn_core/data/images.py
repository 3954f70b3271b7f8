"""Sets of labelled images: Hugging Face style image Parquet, or a folder a class.

An `ImageSet` holds encoded images and decodes on demand, so that a set of any size opens at
once. An image that cannot be read is counted and named, never fatal.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from xdnn_core.errors import UserError

_IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


@dataclass(frozen=True)
class ImageSet:
    """Labelled images, decoded one at a time."""

    names: tuple[str, ...]  # one readable name an image (path inside the set)
    labels: tuple[int, ...]  # class index of every image
    classes: tuple[str, ...]  # class names; ``classes[labels[i]]`` is the class of image i
    encoded: Sequence[bytes | Path] = field(repr=False)

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, index: int) -> Image.Image:
        """Decode image `index` to RGB."""
        item = self.encoded[index]
        with Image.open(item if isinstance(item, Path) else io.BytesIO(item)) as image:
            return image.convert("RGB")

    def subset(self, indices: Sequence[int]) -> ImageSet:
        """The images at these positions, in this order, with the same classes."""
        return ImageSet(
            tuple(self.names[i] for i in indices),
            tuple(self.labels[i] for i in indices),
            self.classes,
            [self.encoded[i] for i in indices],
        )

    def without_class(self, name: str) -> ImageSet:
        """The set without one class; itself if there is no such class."""
        if name not in self.classes:
            return self
        gone = self.classes.index(name)
        kept = self.subset([i for i, label in enumerate(self.labels) if label != gone])
        labels = tuple(label - (label > gone) for label in kept.labels)
        classes = tuple(c for c in self.classes if c != name)
        return ImageSet(kept.names, labels, classes, kept.encoded)


def open_image_set(source: str | Path, split: str = "test") -> ImageSet:
    """Open an image set from a folder or a Parquet file."""
    path = Path(source)
    if not path.exists():
        raise UserError(
            f"{path} does not exist; give a Parquet file, a folder of Parquet files, or a folder "
            "with one subfolder a class."
        )
    if path.is_file():
        return _from_parquet([path])
    shards = sorted(path.glob(f"{split}-*.parquet")) or sorted(path.glob(f"{split}.parquet"))
    if shards:
        return _from_parquet(shards)
    if any(path.glob("*.parquet")):
        raise UserError(
            f"{path} holds Parquet files but none for the split {split!r}; name them "
            f"{split}-00000.parquet or give one file."
        )
    return _from_folder(path / split if (path / split).is_dir() else path)


def _from_parquet(files: list[Path]) -> ImageSet:
    """Read Hugging Face style shards: image{bytes, path}, label, names in the metadata."""
    encoded: list[bytes] = []
    names: list[str] = []
    labels: list[int] = []
    classes: tuple[str, ...] = ()
    for file in files:
        try:
            table = pq.read_table(file)
        except (pa.ArrowInvalid, OSError) as error:
            raise UserError(f"{file.name} is not a readable Parquet file.") from error
        missing = {"image", "label"} - set(table.column_names)
        if missing:
            raise UserError(
                f"{file.name} has the columns {', '.join(table.column_names) or 'none'}; needed "
                "are image (with bytes and path) and label (an integer)."
            )
        classes = classes or _class_names(table)
        labels += [int(label) for label in table["label"].to_pylist()]
        for number, cell in enumerate(table["image"].to_pylist()):
            encoded.append(cell["bytes"] or b"")
            names.append(cell.get("path") or f"{file.stem}/{number}")
    if not labels:
        raise UserError("The Parquet files hold no images; at least one is needed.")
    classes = classes or tuple(str(i) for i in range(max(labels) + 1))
    if min(labels) < 0 or max(labels) >= len(classes):
        raise UserError(
            f"The labels run from {min(labels)} to {max(labels)} but there are {len(classes)} "
            "class names; labels must be 0 to one less than the number of classes."
        )
    return ImageSet(tuple(names), tuple(labels), classes, encoded)


def _class_names(table: pa.Table) -> tuple[str, ...]:
    """Class names from the Hugging Face schema metadata, or none."""
    metadata = table.schema.metadata or {}
    info = json.loads(metadata.get(b"huggingface", b"{}"))
    label = info.get("info", {}).get("features", {}).get("label", {})
    return tuple(label.get("names", ()))


def _from_folder(folder: Path) -> ImageSet:
    """Read one subfolder a class, sorted by name."""
    classes = sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    files: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        images = [p for p in (folder / name).rglob("*") if p.suffix.lower() in _IMAGE_SUFFIXES]
        files += sorted(images)
        labels += [label] * len(images)
    if not files:
        raise UserError(
            f"{folder} holds no images; needed is one subfolder a class with JPEG, PNG or WebP "
            "files, or image Parquet files."
        )
    names = tuple(str(p.relative_to(folder)) for p in files)
    return ImageSet(names, tuple(labels), tuple(classes), files)
