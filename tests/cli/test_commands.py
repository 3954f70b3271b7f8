"""The command line: what it writes, what it says when it cannot."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import onnxruntime
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from xdnn_core.cli import COMMANDS, main
from xdnn_core.data.gallery import gallery
from xdnn_core.models.zoo import load_model


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "bird.jpg"
    {item.key: item for item in gallery()}["rooster"].open().save(path, quality=95)
    return path


@pytest.mark.parametrize(
    ("model", "method"),
    [
        ("xalexnet-caltech101", "x_gradient"),
        ("alexnet-caltech101", "input_x_gradient"),
        ("alexnet-caltech101", "gradient"),
        ("xalexnet-caltech101", "integrated_gradients"),
        ("alexnet-caltech101", "expected_gradients"),
    ],
)
def test_attribute_writes_three_files_that_agree(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], model: str, method: str
) -> None:
    arguments = ["attribute", str(photo), "--model", model, "--method", method, "--steps", "4"]
    assert main([*arguments, "--samples", "4", "--out", str(tmp_path / "out")]) == 0
    stem = tmp_path / "out" / f"bird-{model}-{method}"
    arrays = np.load(f"{stem}.npz", allow_pickle=False)
    settings = json.loads(Path(f"{stem}.json").read_text())
    assert settings == json.loads(str(arrays["settings"]))
    assert arrays[f"{model}.{method}"].shape == (3, 224, 224)
    assert arrays["input"].shape == (3, 224, 224)
    assert settings["class"] == load_model(model).classes[settings["target"]]
    assert Image.open(f"{stem}.png").format == "PNG"
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(
        f"{stem.name}{suffix}" for suffix in (".png", ".npz", ".json")
    ), "no temporary file is left"
    assert settings["class"] in capsys.readouterr().out


@pytest.mark.parametrize("model", ["alexnet-caltech101", "xalexnet-caltech101"])
def test_attribute_prints_and_stores_the_ledger(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], model: str
) -> None:
    arguments = ["attribute", str(photo), "--model", model, "--method", "input_x_gradient"]
    assert main([*arguments, "--ledger", "--out", str(tmp_path)]) == 0
    stem = tmp_path / f"bird-{model}-input_x_gradient"
    ledger = json.loads(Path(f"{stem}.json").read_text())["ledger"][model]
    biases = sum(layer["value"] for layer in ledger["layers"])
    assert ledger["pixels"] + biases == pytest.approx(ledger["logit"], rel=1e-5)
    assert ledger["biases"] == pytest.approx(biases)
    printed = capsys.readouterr().out
    assert f"{ledger['pixels']:+.5f}" in printed
    assert f"{ledger['logit']:+.5f}" in printed
    assert f"{ledger['logit_of_the_mean_image']:+.5f}" in printed
    arrays = np.load(f"{stem}.npz", allow_pickle=False)
    maps = {key for key in arrays.files if ".biases" in key}
    if model.startswith("x"):
        assert (ledger["layers"], maps) == ([], set())
        return
    for layer in ledger["layers"]:
        assert layer["name"] in printed
        if layer["kind"] == "convolution":
            cells = arrays[f"{model}.biases.{layer['name']}"]
            assert cells.sum() == pytest.approx(layer["value"], rel=1e-9)
    whole = arrays[f"{model}.biases"].sum()
    assert whole == pytest.approx(sum(arrays[key].sum() for key in maps - {f"{model}.biases"}))


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        (["--target", "unicorn"], "is no class of"),
        (["--target", "101"], "0 to 100"),
        (["--model", "resnet"], "resnet"),
        (["--model", "alexnet-caltech101"], "biases"),
    ],
)
def test_attribute_explains_what_is_wrong(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], extra: list[str], sentence: str
) -> None:
    arguments = ["attribute", str(photo), "--method", "x_gradient", "--out", str(tmp_path / "out")]
    assert main(arguments + extra) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("error: ")
    assert sentence.replace("biases", "bias") in printed
    assert "Traceback" not in printed
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_no_photograph(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.png").write_bytes(b"%PDF-1.7")
    assert main(["attribute", str(tmp_path / "x.png")]) == 2
    assert main(["attribute", str(tmp_path / "absent.png")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_evaluate_counts_by_hand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = load_model("xalexnet-caltech101")
    photos = [item for item in gallery() if item.class_hint in model.classes][:4]
    cells, labels, hits = [], [], 0
    for item in photos:
        buffer = io.BytesIO()
        item.open().save(buffer, "PNG")
        cells.append({"bytes": buffer.getvalue(), "path": item.key})
        labels.append(model.classes.index(item.class_hint or ""))
        x = model.preprocess(item.open())[None]
        hits += int(model.network(x).argmax()) == labels[-1]
    info = {"info": {"features": {"label": {"names": model.classes}}}}
    cells.append({"bytes": b"no image", "path": "broken.png"})
    labels.append(0)
    table = pa.table({"image": cells, "label": labels})
    table = table.replace_schema_metadata({"huggingface": json.dumps(info)})
    pq.write_table(table, tmp_path / "test-0.parquet")
    assert main(["evaluate", "--data", str(tmp_path), "--model", "xalexnet-caltech101"]) == 0
    printed = capsys.readouterr().out
    assert f"top-1 {hits / 4:.2%}" in printed
    assert "over 4 images, 1 unreadable" in printed


def test_evaluate_refuses_a_set_of_other_classes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pa.table({"image": [{"bytes": b"x", "path": "a"}], "label": [0]})
    pq.write_table(table, tmp_path / "test-0.parquet")
    assert main(["evaluate", "--data", str(tmp_path)]) == 2
    assert "101 classes" in capsys.readouterr().err


def test_models_lists_every_network(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    printed = capsys.readouterr().out
    for name in ("alexnet-caltech101", "xalexnet-imagenet", "alexnet-torchvision"):
        assert name in printed


def test_export_writes_a_graph_that_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "new" / "network.onnx"
    assert main(["export", "alexnet-caltech101-without-biases", "--out", str(file)]) == 0
    assert "images (B, 3, 224, 224)" in capsys.readouterr().out
    given = {"images": np.zeros((1, 3, 224, 224), "float32"), "target": np.array([3])}
    logits, values = onnxruntime.InferenceSession(str(file)).run(None, given)
    assert logits.shape == (1, 101)
    assert not logits.any()  # of the mean image: no biases
    assert values.shape == (1, 3, 224, 224)


def test_export_refuses_biases(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "alexnet-caltech101", "--out", str(tmp_path / "x.onnx")]) == 2
    assert "use remove_biases" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in COMMANDS)
    assert main(["fly"]) == 2
