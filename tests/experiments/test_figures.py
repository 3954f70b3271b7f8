"""Figures 2 and 3: counted by hand, stored and read again, resumed."""

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from tests.experiments.small_pair import CLASSES, make_images, make_pair
from xdnn_core.attribution.integrated import integrated_gradients
from xdnn_core.cli import main
from xdnn_core.errors import UserError
from xdnn_core.experiments import figure2, figure3, image_runs
from xdnn_core.experiments.convergence_result import REFERENCES
from xdnn_core.experiments.image_runs import ImageRun
from xdnn_core.experiments.provenance import (
    Provenance,
    load_result,
    provenance,
    save_result,
)
from xdnn_core.metrics.distance import relative_l1
from xdnn_core.models.zoo import PretrainedModel

CPU = torch.device("cpu")
MADE = Provenance("a test", "today", "a desk", "made", 5)


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> list[PretrainedModel]:
    models = iter(make_pair() * 4)
    monkeypatch.setattr(image_runs, "load_model", lambda name, device: next(models))
    return make_pair()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Five photographs in Parquet, one of them broken."""
    images = make_images(5, broken=2)
    cells = [
        {"bytes": data, "path": name}
        for data, name in zip(images.encoded, images.names, strict=True)
    ]
    info = {"info": {"features": {"label": {"names": list(CLASSES)}}}}
    table = pa.table({"image": cells, "label": list(images.labels)})
    file = tmp_path / "data" / "test-0.parquet"
    file.parent.mkdir()
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(info)}), file)
    return file.parent


def test_predictions_are_those_of_single_passes() -> None:
    for model in make_pair(torch.float64):
        x = torch.randn(3, 3, 64, 64, dtype=torch.float64)
        found = figure2.predictions_at(model.network, x, figure2.ALPHAS)
        for alpha, row in zip(figure2.ALPHAS, found, strict=True):
            single = [int(model.network(alpha * one[None]).argmax()) for one in x]
            assert row.tolist() == single


def made_predictions() -> pd.DataFrame:
    """Two images, two networks; the first changes its mind about image 1 below α = 0.5."""
    rows = []
    for network, flips in (("small", True), ("xsmall", False)):
        for image, label in ((0, 1), (1, 2)):
            for alpha in figure2.ALPHAS:
                wrong = flips and image == 1 and alpha < 0.5
                rows.append(
                    {
                        "image": image,
                        "label": label,
                        "network": network,
                        "alpha": alpha,
                        "predicted": 0 if wrong else 1 + image,
                    }
                )
    return pd.DataFrame(rows)


def test_accuracy_by_hand(tmp_path: Path) -> None:
    found = ImageRun(made_predictions(), tuple(make_pair()), ("2.png",), MADE)
    figure = figure2.summarise(found)
    assert figure.alphas == (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05)
    assert figure.curves[0].top1 == (1,) * 6 + (0.5,) * 5
    assert figure.curves[1].top1 == (1,) * 11
    assert [curve.changed for curve in figure.curves] == [1, 0]
    assert [curve.is_xdnn for curve in figure.curves] == [False, True]
    assert figure.unreadable == ("2.png",)
    save_result(tmp_path / "figure2.parquet", made_predictions(), figure, "figure2")
    rows, loaded = figure2.load_figure2(tmp_path / "figure2.parquet")
    assert loaded == figure
    pd.testing.assert_frame_equal(rows, made_predictions())
    text = figure2.describe(loaded)
    assert "small: 1 images change" in text
    assert "50.00" in text


def test_figure2_from_the_command_line(
    pair: list[PretrainedModel], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [
        "figure2", "--data", str(data), "--batch", "2", "--device", "cpu",
        "--work", str(tmp_path / "work"), "--out", str(tmp_path / "figure2.parquet"),
    ]  # fmt: skip
    assert main(options) == 0
    printed = capsys.readouterr().out
    assert "data, test: 4 images, 1 unreadable (2.png)" in printed
    rows, figure = figure2.load_figure2(tmp_path / "figure2.parquet")
    assert len(rows) == 4 * 2 * 11
    assert figure.provenance.images == 4
    assert figure.provenance.command.startswith("python -m xdnn_core")
    assert str(tmp_path) not in (tmp_path / "figure2.json").read_text()
    images = make_images(5, broken=2)
    for model in pair:
        own = rows[(rows["network"] == model.name) & (rows["alpha"] == 0.3)]
        for _, row in own.iterrows():
            x = model.preprocess(images.read(row["image"]))[None]
            assert row["predicted"] == int(model.network(0.3 * x).argmax())
    x_curve = figure.curves[1]
    assert (x_curve.changed, len(set(x_curve.top1))) == (0, 1)
    blocks = {path: path.stat().st_mtime_ns for path in (tmp_path / "work").glob("*.parquet")}
    assert len(blocks) == 3
    assert main(options) == 0
    assert {path: path.stat().st_mtime_ns for path in blocks} == blocks
    assert capsys.readouterr().out == printed


@pytest.fixture
def few_counts(monkeypatch: pytest.MonkeyPatch) -> tuple[int, ...]:
    """Figure 3 with few counts against a reference of 32 points, which takes a second."""
    counts, measure = (1, 2, 4), figure3.measure_convergence
    monkeypatch.setitem(REFERENCES, "quick", ("graded", 32))
    monkeypatch.setattr(
        figure3, "measure_convergence",
        lambda *given, **options: measure(*given, **options, counts=counts, reference="quick"),
    )  # fmt: skip
    return counts


def test_one_image_of_figure3_is_what_single_integrals_give(few_counts: tuple[int, ...]) -> None:
    models = make_pair(torch.float64)
    photo = make_images(1).read(0)
    shares: list[float] = []
    rows = figure3.measure_image(models, photo, 2, ("gauss_legendre",), shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    for model in models:
        x = model.preprocess(photo)[None]
        own = rows[rows["network"] == model.name].set_index(["method", "calls"])
        reference = integrated_gradients(model.network, x, 2, steps=32, rule="graded").values
        for n in few_counts:
            alone = integrated_gradients(model.network, x, 2, steps=n)
            error = float(relative_l1(alone.values, reference)[0])
            assert own.loc[("gauss_legendre", n), "error"] == pytest.approx(error, abs=1e-10)
        fast = "x_gradient" if model.is_xdnn else "input_x_gradient"
        assert (own.loc[(fast, 1), "error"] < 1e-10) == model.is_xdnn
        assert set(own["spent"]) == {7 + 32 + 1}


def test_mean_and_quartiles_by_hand(tmp_path: Path) -> None:
    rows = pd.DataFrame(
        {
            "image": np.repeat(range(5), 2),
            "network": ["small", "xsmall"] * 5,
            "method": "graded",
            "calls": 4,
            "error": [e * scale for e in (0.1, 0.2, 0.3, 0.4, 1.0) for scale in (1, 0)],
            "spent": [100, 50] * 5,
        }
    )
    figure = figure3.summarise(ImageRun(rows, tuple(make_pair()), (), MADE))
    plain, x = figure.curves
    assert (plain.counts, plain.method, plain.is_xdnn) == ((4,), "graded", False)
    found = [plain.mean[0], plain.lower[0], plain.median[0], plain.upper[0]]
    assert found == pytest.approx([0.4, 0.2, 0.3, 0.4])
    assert (x.mean, x.is_xdnn) == ((0,), True)
    assert (figure.gradient_calls, figure.unreadable) == (150, ())
    save_result(tmp_path / "figure3.parquet", rows, figure, "figure3")
    again, loaded = figure3.load_figure3(tmp_path / "figure3.parquet")
    assert loaded == figure
    pd.testing.assert_frame_equal(again, rows)
    assert "small, graded" in figure3.describe(loaded)


def test_figure3_from_the_command_line(
    pair: list[PretrainedModel],
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    few_counts: tuple[int, ...],
) -> None:
    options = [
        "figure3", "--data", str(data), "--limit", "3", "--rules", "graded", "--device", "cpu",
        "--work", str(tmp_path / "work"), "--out", str(tmp_path / "figure3.parquet"),
    ]  # fmt: skip
    assert main(options) == 0
    assert "data, test: 2 images, 1 unreadable (2.png)" in capsys.readouterr().out
    rows, figure = figure3.load_figure3(tmp_path / "figure3.parquet")
    assert sorted(rows["image"].unique()) == [0, 4]
    assert [(c.network, c.method, c.counts) for c in figure.curves] == [
        ("small", "input_x_gradient", (1,)), ("small", "graded", few_counts),
        ("xsmall", "x_gradient", (1,)), ("xsmall", "graded", few_counts),
    ]  # fmt: skip
    files = list((tmp_path / "work").glob("*.parquet"))
    files[0].unlink()
    kept = {path: path.stat().st_mtime_ns for path in files[1:]}
    assert main(options) == 0
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    again, _ = figure3.load_figure3(tmp_path / "figure3.parquet")
    pd.testing.assert_frame_equal(again, rows)


def test_other_classes_are_refused(
    pair: list[PretrainedModel], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    buffer = io.BytesIO()
    make_images(1).read(0).save(buffer, "PNG")
    table = pa.table({"image": [{"bytes": buffer.getvalue(), "path": "a"}], "label": [0]})
    pq.write_table(table, tmp_path / "test-0.parquet")
    assert main(["figure2", "--data", str(tmp_path)]) == 2
    assert "knows 4 classes, the image set has 1" in capsys.readouterr().err
    assert main(["figure2", "--data", str(tmp_path), "--batch", "0"]) == 2
    assert "--batch is 0" in capsys.readouterr().err


def test_images_are_taken_evenly() -> None:
    assert image_runs.spread_over(10, None) == image_runs.spread_over(10, 20) == list(range(10))
    assert image_runs.spread_over(10, 2) == [2, 7]
    chosen = image_runs.spread_over(1497, 100)
    assert len(set(chosen)) == 100
    assert set(np.diff(chosen)) == {14, 15}
    with pytest.raises(UserError, match="--limit is 0"):
        image_runs.spread_over(10, 0)


def test_fingerprints_tell_networks_and_image_sets_apart() -> None:
    small, xsmall = make_pair()
    assert image_runs.network_fingerprint(small.network) != image_runs.network_fingerprint(
        xsmall.network
    )
    assert image_runs.network_fingerprint(small.network) == image_runs.network_fingerprint(
        make_pair()[0].network
    )
    three, other = make_images(3), make_images(3, broken=1)
    assert image_runs.image_fingerprint(three) != image_runs.image_fingerprint(other)


def test_the_command_is_noted_without_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    given = ["x", "figure2", "--data", "some/where/set", "--out=else/where/a.parquet", "--batch=8"]
    monkeypatch.setattr("sys.argv", given)
    assert provenance("set", 1, CPU).command == (
        "python -m xdnn_core figure2 --data set --out=a.parquet --batch=8"
    )


def test_a_file_that_is_no_result(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="make it with python -m xdnn_core figure2"):
        figure2.load_figure2(tmp_path / "none.parquet")
    made_predictions().to_parquet(tmp_path / "other.parquet")
    with pytest.raises(UserError, match="is no result of figure3"):
        load_result(tmp_path / "other.parquet", "figure3")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match="not a readable Parquet file"):
        load_result(tmp_path / "broken.parquet", "figure3")
