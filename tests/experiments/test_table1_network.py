"""Table 1 on a network, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.experiments.small_pair import make_pair
from xdnn_core.axioms.axioms import AXIOMS
from xdnn_core.cli import main
from xdnn_core.data.gallery import gallery
from xdnn_core.experiments import table1_network
from xdnn_core.experiments.provenance import load_result


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = {model.name: model for model in make_pair()}
    monkeypatch.setattr(table1_network, "load_model", lambda name, device: pair[name])


def few(network: str, out: Path) -> list[str]:
    return ["table1", "--network", network, "--steps", "4", "--samples", "2", "--out", str(out)]


@pytest.mark.usefixtures("small")
def test_a_file_and_a_key_of_the_gallery_come_to_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = tmp_path / "bird.png"
    next(item for item in gallery() if item.key == "pigeon").open().save(photo)
    found = []
    for number, image in enumerate(("pigeon", str(photo))):
        out = tmp_path / f"{number}.parquet"
        assert main([*few("xsmall", out), "--image", image]) == 0
        rows, summary = load_result(out, "table1 --network")
        assert len(rows) == 5 * len(AXIOMS)
        assert json.loads(out.with_suffix(".json").read_text()) == summary
        found.append(summary)
    printed = capsys.readouterr().out
    assert "X-Gradient, 1 call, Completeness: holds (" in printed
    assert "Gradient, 1 call, Completeness: VIOLATED" in printed
    assert "Integrated Gradients, 4 calls" in printed
    first, second = found
    assert (first["photo"], second["photo"]) == ("pigeon", "bird.png")
    assert "--image pigeon" in first["provenance"]["command"]
    # The file is also among the references, so only methods without them agree.
    pairs = zip(first["cells"], second["cells"], strict=True)
    assert all(a == b for a, b in pairs if a["method"] == "x_gradient")
    x_gradient = [cell for cell in first["cells"] if cell["method"] == "x_gradient"]
    assert all(cell["holds"] for cell in x_gradient)


@pytest.mark.usefixtures("small")
def test_what_cannot_be_tried_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.parquet"
    for more, sentence in ((["--image", "absent.png"], "absent.png cannot be read"),
                           (["--target", "unicorn"], "unicorn is no class"),
                           (["--steps", "1"], "2 steps")):  # fmt: skip
        assert main([*few("small", out), *more]) == 2
        assert sentence in capsys.readouterr().err
    assert not out.exists()
