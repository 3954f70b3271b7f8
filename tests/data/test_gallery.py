"""The gallery's photographs are there, open, and say whose they are."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from PIL import Image

from tools.gallery import ROWS
from xdnn_core.data import gallery as gallery_module
from xdnn_core.data.gallery import FOLDER_LIMIT, gallery, gallery_problems
from xdnn_core.experiments.comparison import predict
from xdnn_core.io import GALLERY
from xdnn_core.models.zoo import load_model


@pytest.fixture(autouse=True)
def no_own_folder(monkeypatch):
    monkeypatch.delenv("XDNN_GALLERY", raising=False)


def test_the_photographs_are_there_and_no_problem():
    items = gallery()
    assert len(items) >= 24
    assert gallery_problems() == []
    assert len({item.key for item in items}) == len(items)
    assert all(item.title and item.credit and item.licence for item in items)
    hints = {item.class_hint for item in items} - {None}
    assert len(hints) >= 20
    assert hints <= set(load_model("alexnet-caltech101").classes)


@pytest.mark.parametrize("item", gallery(), ids=lambda item: item.key)
def test_every_photograph_opens(item):
    image = item.open()
    assert image.mode == "RGB"
    assert min(image.size) >= 180  # photographs of Caltech-101 are about 300 × 200
    thumbnail = item.thumbnail(64)
    assert thumbnail.size == (64, 64)
    low, high = thumbnail.convert("L").getextrema()
    assert high - low > 80, "something is to be seen"


def test_the_files_are_small_and_credited():
    files = sorted(GALLERY.glob("*.webp"))
    assert {file.stem for file in files} == set(ROWS)
    assert sum(file.stat().st_size for file in files) <= 1_000_000
    assert "CC BY 4.0" in (GALLERY / "README.md").read_text()


def test_labels_say_what_the_embedded_pair_says():
    """On most both networks are right, on at least four one is wrong, and the label says which."""
    pair = {
        "AlexNet": load_model("alexnet-caltech101"),
        "X-AlexNet": load_model("xalexnet-caltech101"),
    }
    items = [item for item in gallery() if item.key in ROWS]
    for item in items:
        wrong = [
            name
            for name, model in pair.items()
            if predict(model, model.preprocess(item.open())[None])[0].name != item.class_hint
        ]
        assert wrong == ([item.mistaken_by] if item.mistaken_by else []), item.key
    assert sum(item.mistaken_by is not None for item in items) >= 4


def test_packages_are_not_imported_to_list_the_gallery():
    code = """
        import json, sys
        from xdnn_core.data.gallery import gallery
        count = len([item.thumbnail(32) for item in gallery()])
        print(json.dumps([count, sorted({"skimage", "sklearn", "torch"} & set(sys.modules))]))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True, text=True, timeout=120, check=True,
        cwd=Path(gallery_module.__file__).parents[2],
    )  # fmt: skip
    count, imported = json.loads(done.stdout)
    assert count >= 24
    assert imported == []


def fill(folder: Path) -> None:
    Image.new("RGB", (50, 40), "red").save(folder / "my_house.jpg")
    Image.new("RGBA", (60, 40), (0, 0, 0, 0)).save(folder / "b.PNG")
    (folder / "broken.webp").write_bytes(b"RIFF\0\0\0\0WEBPnothing")
    (folder / "notes.txt").write_text("not an image")
    (folder / ".hidden.png").write_bytes(b"")
    (folder / "folder.png").mkdir()


def test_own_folder_is_added_and_problems_are_told(tmp_path, monkeypatch):
    fill(tmp_path)
    monkeypatch.setenv("XDNN_GALLERY", str(tmp_path))
    own = [item for item in gallery() if item.key.startswith("own/")]
    assert [(item.title, item.class_hint) for item in own] == [("b", None), ("my house", None)]
    assert own[0].open().getpixel((0, 0)) == (255, 255, 255)
    problems = gallery_problems()
    assert [problem.split()[0] for problem in problems] == ["broken.webp", "folder.png"]


def test_a_repaired_file_appears(tmp_path, monkeypatch):
    monkeypatch.setenv("XDNN_GALLERY", str(tmp_path))
    file = tmp_path / "photo.png"
    file.write_bytes(b"")
    assert len(gallery_problems()) == 1
    Image.new("RGB", (50, 40)).save(file)
    assert gallery_problems() == []
    assert gallery()[-1].key == "own/photo.png"


def test_listing_again_decodes_nothing(tmp_path, monkeypatch):
    fill(tmp_path)
    monkeypatch.setenv("XDNN_GALLERY", str(tmp_path))
    before = gallery()
    monkeypatch.setattr(gallery_module, "read_photo", None)
    assert gallery() == before


def test_own_folder_is_limited(tmp_path, monkeypatch):
    source = tmp_path / "000.png"
    Image.new("RGB", (40, 40)).save(source)
    for number in range(1, FOLDER_LIMIT + 5):
        os.link(source, tmp_path / f"{number:03}.png")
    monkeypatch.setenv("XDNN_GALLERY", str(tmp_path))
    assert len([item for item in gallery() if item.key.startswith("own/")]) == FOLDER_LIMIT
    assert str(FOLDER_LIMIT + 5) in gallery_problems()[0]


def test_a_folder_that_is_not_there_is_one_problem(tmp_path, monkeypatch):
    monkeypatch.setenv("XDNN_GALLERY", str(tmp_path / "missing"))
    assert len(gallery()) >= 14
    assert len(gallery_problems()) == 1
    assert "XDNN_GALLERY" in gallery_problems()[0]


def test_a_missing_package_is_a_problem_and_not_a_crash(monkeypatch):
    found = gallery_module.importlib.util.find_spec
    monkeypatch.setattr(
        gallery_module.importlib.util,
        "find_spec",
        lambda name: None if name == "sklearn" else found(name),
    )
    assert {"pagoda", "flower"}.isdisjoint(item.key for item in gallery())
    assert len(gallery_problems()) == 2
