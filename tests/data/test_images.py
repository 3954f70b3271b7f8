"""Image sets: Parquet, folders, and what is wrong with them."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from xdnn_core.data.images import open_image_set
from xdnn_core.data.preprocessing import Preprocessing
from xdnn_core.errors import UserError


def png(level: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 50), (level, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def write(path: Path, labels: list[int], names: list[str] | None) -> None:
    cells = [{"bytes": png(10 * i), "path": f"{i}.png"} for i in range(len(labels))]
    table = pa.table({"image": cells, "label": labels})
    if names is not None:
        info = {"info": {"features": {"label": {"names": names}}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(info)})
    pq.write_table(table, path)


def test_shards_of_a_split_are_joined(tmp_path: Path) -> None:
    write(tmp_path / "train-00000-of-00002.parquet", [0, 1], ["a", "b"])
    write(tmp_path / "train-00001-of-00002.parquet", [1], ["a", "b"])
    write(tmp_path / "test-00000-of-00001.parquet", [0], ["a", "b"])
    train = open_image_set(tmp_path, "train")
    assert len(train) == 3
    assert train.labels == (0, 1, 1)
    assert train.classes == ("a", "b")
    assert train.read(1).getpixel((0, 0)) == (10, 0, 0)
    assert len(open_image_set(tmp_path / "test-00000-of-00001.parquet")) == 1


def test_classes_without_names_are_numbered(tmp_path: Path) -> None:
    write(tmp_path / "x.parquet", [0, 2], None)
    assert open_image_set(tmp_path / "x.parquet").classes == ("0", "1", "2")


def test_a_folder_a_class_with_or_without_splits(tmp_path: Path) -> None:
    for place in ("test/cat", "test/ant", "train/ant"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "1.png").write_bytes(png(90))
    (tmp_path / "test" / "ant" / "notes.txt").write_text("not an image")
    test = open_image_set(tmp_path, "test")
    assert test.classes == ("ant", "cat")
    assert test.names == ("ant/1.png", "cat/1.png")
    assert len(open_image_set(tmp_path / "train")) == 1


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda p: p / "absent", "does not exist"),
        (lambda p: p, "holds no images"),
        (lambda p: (write(p / "train-0.parquet", [0], ["a"]), p)[1], "none for the split 'test'"),
        (lambda p: (write(p / "x.parquet", [3], ["a"]), p / "x.parquet")[1], "labels run from 3"),
        (
            lambda p: (pq.write_table(pa.table({"a": [1]}), p / "x.parquet"), p / "x.parquet")[1],
            "needed are image",
        ),
        (
            lambda p: ((p / "x.parquet").write_text("no"), p / "x.parquet")[1],
            "not a readable Parquet",
        ),
        (lambda p: (write(p / "x.parquet", [], ["a"]), p / "x.parquet")[1], "hold no images"),
    ],
)
def test_one_sentence_for_what_cannot_be_opened(tmp_path, make, sentence) -> None:
    with pytest.raises(UserError, match=sentence):
        open_image_set(make(tmp_path))


def test_preprocessing_round_trip_and_crop() -> None:
    prepare = Preprocessing(size=32, resize=40)
    image = Image.new("RGB", (80, 120), (200, 100, 50))
    x = prepare(image)
    assert x.shape == (3, 32, 32)
    assert np.array_equal(prepare.to_display(x), np.full((32, 32, 3), (200, 100, 50), np.uint8))
    assert prepare.crop(image).size == (32, 32)
    # Left half black, right half white: squeezed, every column is still there; cut, the edges go.
    halves = Image.new("RGB", (160, 40))
    halves.paste((255, 255, 255), (80, 0, 160, 40))
    squeezed = Preprocessing(size=40, resize=40, fit="squeeze")
    assert squeezed.crop(halves).size == (40, 40)
    assert np.asarray(squeezed.crop(halves))[:, :18].max() == 0
    assert np.asarray(squeezed.crop(halves))[:, 22:].min() == 255
    assert "Squeezed" in squeezed.seen_of(halves)
    assert "centre" in prepare.seen_of(halves)
    assert squeezed.seen_of(Image.new("RGB", (50, 51))) == ""
    grey = Image.linear_gradient("L").resize((40, 40))
    assert prepare(grey).shape == (3, 32, 32), "any mode becomes RGB"
