"""What leaves the app: PNG, NPZ, JSON, and code that computes the same again."""

import contextlib
import io
import json
import os
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import xdnn_core
from pages.common.theme import colour_bar
from pages.compare_parts.downloads import python_snippet
from xdnn_core.attribution.ledger import bias_attribution
from xdnn_core.data.gallery import gallery
from xdnn_core.data.preprocessing import Preprocessing
from xdnn_core.experiments.comparison import IntegrationSettings, compare
from xdnn_core.figures.export import (
    attributions_npz,
    figure_png,
    ledger_panel,
    settings_json,
    write_atomically,
)
from xdnn_core.figures.ledger import waterfall
from xdnn_core.figures.panels import Panel
from xdnn_core.figures.rendering import colourise, palette_colours
from xdnn_core.models.networks import AlexNet, NetworkConfig
from xdnn_core.models.zoo import ModelCard, PretrainedModel
from xdnn_core.text import signed

SIDE = 64


def panel(key: str = "net.x_gradient", values: bool = True, limit: float | None = 0.5) -> Panel:
    maps = np.random.default_rng(0).normal(size=(3, SIDE, SIDE)).astype(np.float32)
    facts = {"Gradient calls": "1", "Time": "20 ms", "Completeness gap": "0 %"}
    picture = colourise(maps.sum(axis=0), 1.0)
    kept = maps if values else None
    return Panel(key, "Net", "X-Gradient", facts, picture, kept, limit, "logits")


def solid(colour: tuple[int, int, int]) -> Panel:
    picture = np.full((SIDE, SIDE, 3), colour, dtype=np.uint8)
    return Panel("net.x_gradient", "Net", "X-Gradient", {"Time": "1 ms"}, picture, limit=0.5)


def decoded(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    assert image.format == "PNG"
    return image.convert("RGB")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (2, 3)])
def test_every_panel_is_whole_in_the_figure(theme: str, rows: int, columns: int) -> None:
    colours = [[(7, 100 + 20 * r, 100 + 20 * c) for c in range(columns)] for r in range(rows)]
    grid = [[solid(colour) for colour in row] for row in colours]
    image = decoded(figure_png(grid, "graded, 128 steps", theme))
    assert image.width == columns * (336 + 18) + 18
    assert image.height > rows * 336
    background = (255, 255, 255) if theme == "light" else (0x10, 0x14, 0x1C)
    assert image.getpixel((0, 0)) == image.getpixel((image.width - 1, 5)) == background
    pixels = np.asarray(image)
    corners = []
    for colour in [colour for row in colours for colour in row]:
        at = np.argwhere((pixels == colour).all(axis=-1))
        assert len(at) == 336 * 336
        assert (at.max(axis=0) - at.min(axis=0)).tolist() == [335, 335]
        corners.append(tuple(at.min(axis=0)))
    assert corners == sorted(corners)


def test_rows_are_equally_high_and_may_differ_in_length() -> None:
    heights = [decoded(figure_png([[panel()]] * n, "")).height for n in (1, 2, 3)]
    assert heights[2] - heights[1] == heights[1] - heights[0] > 336
    image = decoded(figure_png([[panel()], [panel(), panel(limit=None)]], ""))
    assert (image.width, image.height) == (2 * 354 + 18, heights[1])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_ledger_is_drawn_from_0_to_the_logit(theme: str, conv_net, images) -> None:
    ledger = bias_attribution(conv_net, images, 1)
    drawn = ledger_panel("Net", ledger, theme)
    assert drawn.heading == "Net · From 0 to the logit"
    colours = [tuple(int(c[i : i + 2], 16) for i in (1, 3, 5)) for c in palette_colours(theme)]
    values = [step.value for step in waterfall(ledger)]
    rows = drawn.picture[[int((336 - 30) / 5 * (n + 0.3)) for n in range(4)]]  # above the lines
    for row, value in zip(rows, values, strict=True):
        width = int((row == colours[3 if value > 0 else 1]).all(axis=-1).sum())
        other = int((row == colours[1 if value > 0 else 3]).all(axis=-1).sum())
        assert width > 0 == other, "orange for, blue against"
    assert f"F(0): {signed(float(ledger.baseline_outputs[0]))}" in "; ".join(
        f"{label}: {fact}" for label, fact in drawn.facts.items()
    )


def test_npz_needs_no_pickle_and_holds_what_was_put_in() -> None:
    panels = [panel("a.input_x_gradient"), panel("b.photo", values=False), panel("b.x_gradient")]
    inputs = np.random.default_rng(1).normal(size=(3, SIDE, SIDE)).astype(np.float32)
    settings = {"rule": "graded", "steps": 128, "class": "sea_horse – Seepferdchen"}
    cells = np.arange(4.0).reshape(2, 2)
    data = attributions_npz(panels, inputs, settings, {"a.biases.conv1": cells})
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        names = {"input", "settings", "a.input_x_gradient", "b.x_gradient", "a.biases.conv1"}
        assert set(archive.files) == names
        assert np.array_equal(archive["a.biases.conv1"], cells)
        assert np.array_equal(archive["input"], inputs)
        assert archive["input"].dtype == np.float32
        assert np.array_equal(archive["b.x_gradient"], panels[2].values)
        assert json.loads(str(archive["settings"])) == settings


def test_settings_are_readable_json() -> None:
    text = settings_json({"model": "xalexnet", "steps": 128, "title": "Gänseblümchen"})
    assert "Gänseblümchen" in text
    assert "\n" in text
    assert json.loads(text) == {"model": "xalexnet", "steps": 128, "title": "Gänseblümchen"}


def test_colour_bar_runs_from_negative_to_positive() -> None:
    css = colour_bar("dark")
    colours = palette_colours("dark")
    assert css.startswith("linear-gradient(90deg, ")
    assert css.index(colours[0]) < css.index(colours[2]) < css.index(colours[4])


def test_files_are_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "map.npz"
    write_atomically(path, b"first")
    write_atomically(path, b"second")
    assert path.read_bytes() == b"second"
    assert os.listdir(path.parent) == ["map.npz"]


def test_a_write_that_fails_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "map.npz"
    write_atomically(path, b"old")

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"newer")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["map.npz"]


def test_two_threads_may_write_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "map.npz"
    failed: list[BaseException] = []

    def write(letter: bytes) -> None:
        try:
            for _ in range(100):
                write_atomically(path, letter * 5000)
        except OSError as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in (b"a", b"b", b"c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not failed
    assert path.read_bytes() in (b"a" * 5000, b"b" * 5000, b"c" * 5000)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch):
    """Makes `load_model` give a small random network of the zoo's kind."""

    def make(biases: bool) -> PretrainedModel:
        torch.manual_seed(3)
        network = AlexNet(NetworkConfig(classes=4, head=8, biases=biases)).eval()
        network.requires_grad_(False)
        card = ModelCard(
            name="made", title="Made", top1=None, top5=None, classes=4, size_bytes=0,
            source="a test", is_xdnn=not biases, installed=True,
        )  # fmt: skip
        made = PretrainedModel(network, list("abcd"), Preprocessing(size=96, resize=96), card)
        monkeypatch.setattr(xdnn_core, "load_model", lambda name: {"made": made}[name])
        return made

    return make


def run(snippet: str) -> dict:
    """Execute a snippet as a user would; returns what it defined."""
    found: dict = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(snippet, "snippet", "exec"), found)
    return found


@pytest.mark.parametrize("biases", [True, False], ids=["alexnet", "x-alexnet"])
@pytest.mark.parametrize("baseline", ["zero", "blurred", "black", "white"])
def test_snippets_compute_the_panels_again(biases: bool, baseline: str, model) -> None:
    made = model(biases)
    photo = next(item for item in gallery() if item.key == "rocket").open()
    inputs = made.preprocess(photo)[None]
    settings = IntegrationSettings(rule="midpoint", steps=6, baseline=baseline)
    shown = compare(made, inputs, 2, settings)
    common = {"class_name": "c", "gallery_key": "rocket"}
    fast = run(python_snippet("made", shown.fast.method, 2, **common))
    assert torch.equal(fast["attribution"].values, shown.fast.values)
    integrated = run(
        python_snippet("made", "integrated_gradients", 2, integration=settings, **common)
    )
    torch.testing.assert_close(
        integrated["attribution"].values, shown.integrated.values, rtol=1e-4, atol=1e-9
    )
    assert integrated["attribution"].gradient_calls == 6
    ledger = run(python_snippet("made", "bias_attribution", 2, **common))["attribution"]
    assert torch.equal(ledger.pixels, shown.ledger.pixels)
    assert len(ledger.layers) == (8 if biases else 0)
    loose = replace(settings, tolerance=0.9, steps=32)
    adaptive = run(python_snippet("made", "integrated_gradients", 2, integration=loose, **common))
    assert adaptive["attribution"].tolerance_met is not None


def test_a_snippet_for_a_photograph_of_your_own(
    model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = model(False)
    photo = next(item for item in gallery() if item.key == "rocket").open()
    photo.save(tmp_path / "photo.jpg", quality=95)
    monkeypatch.chdir(tmp_path)
    found = run(python_snippet("made", "x_gradient", 1, class_name="b"))
    expected = made.preprocess(Image.open(tmp_path / "photo.jpg"))[None]
    torch.testing.assert_close(found["x"], expected)


@pytest.mark.parametrize("text", ["cup\nraise SystemExit", "cup\rraise SystemExit"])
def test_a_class_name_cannot_add_code(text: str, model) -> None:
    """Names may come from an uploaded weights file."""
    model(False)
    snippet = python_snippet("made", "x_gradient", 1, class_name=text, gallery_key="rocket")
    assert "attribution" in run(snippet)


def test_a_gallery_key_cannot_add_code() -> None:
    key = "own/a']; raise SystemExit #.png"
    snippet = python_snippet("made", "x_gradient", 1, class_name="b", gallery_key=key)
    assert repr(key) in snippet
    compile(snippet, "snippet", "exec")
