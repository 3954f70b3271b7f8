"""Tables 1 to 3: counted by hand, stored and read again, from the command line."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from tests.experiments.small_pair import CLASSES, make_images, make_pair
from xdnn_core.__main__ import main
from xdnn_core.attribution.integrated import integrated_gradients
from xdnn_core.axioms.experiments import AXIOMS
from xdnn_core.axioms.methods import AXIOM_METHODS
from xdnn_core.errors import UserError
from xdnn_core.experiments import image_runs, table1, table2, table3
from xdnn_core.experiments.image_runs import ImageRun
from xdnn_core.experiments.provenance import Provenance
from xdnn_core.metrics.agreement import relative_l1
from xdnn_core.metrics.masking import FRACTIONS, MASKING_METRICS

MADE = Provenance("a test", "today", "a desk", "made", 4)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Options that every run over the made images has; one of the five cannot be read."""
    models = iter(make_pair() * 4)
    monkeypatch.setattr(image_runs, "load_model", lambda name, device: next(models))
    images = make_images(5, broken=2)
    pairs = zip(images.encoded, images.names, strict=True)
    cells = [{"bytes": data, "path": name} for data, name in pairs]
    info = {"info": {"features": {"label": {"names": list(CLASSES)}}}}
    table = pa.table({"image": cells, "label": list(images.labels)})
    (tmp_path / "data").mkdir()
    pq.write_table(
        table.replace_schema_metadata({"huggingface": json.dumps(info)}),
        tmp_path / "data" / "test-0.parquet",
    )
    folders = ["--data", str(tmp_path / "data"), "--work", str(tmp_path / "work")]
    return ["--device", "cpu", "--steps", "4", *folders]


def test_table1_is_stored_and_agrees_with_the_paper(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "table1.parquet"
    assert main(["table1", "--trials", "20", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "Other than the paper: none." in printed
    assert "1 − ReLU(1 − x) at x = 2" in printed
    table = table1.load_table1(out)
    assert len(table.cells) == len(AXIOM_METHODS) * len(AXIOMS)
    assert table.cell("x_gradient", "homogeneity").holds
    assert table1.in_paper("x_gradient", len(AXIOMS) - 1) is None, "the paper has no such column"
    assert table1.load_table1(out) == table
    assert len(json.loads(out.with_suffix(".json").read_text())["cells"]) == len(table.cells)


def made_rows() -> pd.DataFrame:
    """Three images of one network, l1 of the difference 1, 2, 6 and of IG 2, 4, 2."""
    return pd.DataFrame(
        {
            "image": [0, 1, 2], "network": "small", "rank": [0, 4, 5],
            "l1_apart": [1.0, 2.0, 6.0], "l1_integrated": [2.0, 4.0, 2.0], "elements": 10,
            "bias_part": [0.1, 0.2, -0.3], "half_distance": [0.0, 0.5, 1.0],
        }
    )  # fmt: skip


def test_table2_by_hand() -> None:
    models = tuple(make_pair()[:1])
    table = table2.summarise(ImageRun(made_rows(), models, ("3.png",), MADE))
    (row,) = table.networks
    assert (row.top1, row.top5) == (pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert row.mard == pytest.approx((0.5 + 0.5 + 3) / 3)
    # Batches of two: (1 + 2) / (2 + 4), then 6 / 2 alone.
    assert row.mard_of_batches == pytest.approx((0.5 + 3) / 2, rel=1e-5)
    assert (row.bias_part, row.half_distance) == (pytest.approx(0.1), pytest.approx(0.5))
    assert (row.bias_part_low, row.bias_part_high) == pytest.approx((-0.1, 0.15))
    assert table.unreadable == ("3.png",)


def test_table2_from_the_command_line(
    run: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "table2.parquet"
    assert main(["table2", *run, "--out", str(out)]) == 0
    assert "data, test: 4 images, 1 unreadable (2.png)" in capsys.readouterr().out
    rows, table = table2.load_table2(out)
    assert len(rows) == 4 * 2
    regular, x_network = table.networks
    assert x_network.mard < 1e-5, "one gradient is the integral without biases"
    assert x_network.bias_part == x_network.bias_part_low == x_network.bias_part_high == 0
    assert abs(regular.bias_part) > 0.01
    model, images = make_pair()[0], make_images(5, broken=2)
    x = model.preprocess(images.read(3))[None]
    exact = integrated_gradients(model.network, x, images.labels[3], steps=128)
    wanted = table2.measure_batch(model, x, torch.tensor([images.labels[3]])).loc[0]
    assert wanted["l1_integrated"] == pytest.approx(float(exact.values.abs().sum()), rel=1e-5)
    fast = x * torch.autograd.grad(model.network(x.requires_grad_())[0, images.labels[3]], x)[0]
    apart = float(relative_l1(fast.detach(), exact.values)[0])
    assert wanted["l1_apart"] / wanted["l1_integrated"] == pytest.approx(apart, rel=1e-4)


def test_table3_from_the_command_line(
    run: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "table3.parquet"
    assert main(["table3", *run, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "data, test: 4 images, 1 unreadable (2.png)" in printed
    rows, table = table3.load_table3(out)
    assert len(rows) == 4 * 2 * len(table3.QUALITY_METHODS) * len(MASKING_METRICS)
    for metric in ("KPM", "KNM", "KAM", "RAM"):
        both = [table.quality("xsmall", method, metric) for method in ("ig", "fast")]
        assert both[0].area == pytest.approx(both[1].area, rel=1e-4), "X-Gradient is IG"
    quality = table.quality("small", "random", "KPM")
    at = (rows["network"] == "small") & (rows["method"] == "random") & (rows["metric"] == "KPM")
    curves = np.stack(rows[at]["curve"])
    assert quality.area == pytest.approx(np.trapezoid(curves.mean(0), FRACTIONS))
    assert quality.low <= quality.area <= quality.high
    again = tmp_path / "again.parquet"
    work = str(tmp_path / "work2")
    assert main(["table3", *run[:-1], work, "--out", str(again)]) == 0
    assert table3.load_table3(again)[1].qualities == table.qualities, "the same draws"


def test_blocks_of_another_experiment_are_not_mixed_in(run: list[str], tmp_path: Path) -> None:
    assert main(["table2", *run, "--out", str(tmp_path / "a.parquet")]) == 0
    assert main(["table3", *run, "--out", str(tmp_path / "b.parquet")]) == 2
    with pytest.raises(UserError, match="no result of table3"):
        table3.load_table3(tmp_path / "a.parquet")
