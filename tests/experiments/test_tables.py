"""Tables 1 to 3: counted by hand, stored and read again, from the command line."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from tests.experiments.small_pair import CLASSES, make_images, make_pair
from xdnn_core.attribution.integrated import integrated_gradients
from xdnn_core.axioms.axioms import AXIOMS
from xdnn_core.axioms.perceptrons import AXIOM_METHODS
from xdnn_core.cli import main
from xdnn_core.errors import UserError
from xdnn_core.experiments import image_runs, table1, table2, table3, table3_summary
from xdnn_core.experiments.image_runs import ImageRun
from xdnn_core.experiments.provenance import Provenance
from xdnn_core.metrics.distance import relative_l1
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
    assert "Other than the paper, in our reading, of 36: none." in printed
    assert "1 − ReLU(1 − x) at x = 2" in printed
    table = table1.load_table1(out)
    assert len(table.cells) == len(AXIOM_METHODS) * len(AXIOMS)
    assert table.cell("x_gradient", "homogeneity").holds
    assert table.in_paper(table.cell("x_gradient", "homogeneity")) is None, "no such column"
    # The paper's one column "(Input×)Gradient" is about both.
    assert table.in_paper(table.cell("gradient", "completeness")) is False
    assert table.in_paper(table.cell("input_x_gradient", "completeness")) is False
    assert table1.load_table1(out) == table
    assert len(json.loads(out.with_suffix(".json").read_text())["cells"]) == len(table.cells)


def test_without_biases_the_paper_speaks_of_x_gradient_alone() -> None:
    table = table1.run_table1(trials=2, without_biases=True)
    assert {cell.method for cell in table.compared} == {"x_gradient"}
    assert table.provenance.command.endswith("--trials 2 --seed 0 --without-biases")


def without_rounding(witness: str) -> str:
    """The sentence without by how much two builds of one network differ, a rounding error."""
    return re.sub(r"outputs differ by \S+,", "outputs differ,", witness)


@pytest.mark.parametrize("without_biases", [False, True])
def test_the_stored_table1_is_what_the_code_makes_today(without_biases: bool) -> None:
    stored = table1.load_table1(table1.STORED[without_biases])
    again = table1.run_table1(stored.cells[0].trials, stored.seed, without_biases=without_biases)
    for cell, before in zip(again.cells, stored.cells, strict=True):
        # What is off by rounding only differs from processor to processor.
        if before.holds:
            cell = replace(cell, worst=before.worst, witness=before.witness)
        cell, before = (
            replace(one, witness=without_rounding(one.witness)) for one in (cell, before)
        )
        assert cell == replace(before, worst=pytest.approx(before.worst))
    assert stored.without_biases == without_biases


def made_rows(network: str = "small", ranks: tuple[int, ...] = (0, 4, 5, 0)) -> pd.DataFrame:
    """Four images of one network, the last not attributed: Σ|A − IG| 1, 2, 6, Σ|IG| 2, 4, 2."""
    none = float("nan")
    return pd.DataFrame(
        {
            "image": [0, 1, 2, 3], "label": [0, 0, 0, 1], "network": network, "rank": ranks,
            "l1_apart": [1.0, 2.0, 6.0, none], "l1_integrated": [2.0, 4.0, 2.0, none],
            "elements": [10, 10, 10, none], "bias_part": [-0.1, 0.8, 1.2, none],
            "half_distance": [0.0, 0.5, 1.0, none],
        }
    )  # fmt: skip


def test_table2_by_hand() -> None:
    models = tuple(make_pair()[:1])
    table = table2.summarise(ImageRun(made_rows(), models, ("4.png",), MADE))
    (row,) = table.networks
    assert (row.top1, row.top5) == (pytest.approx(2 / 4), pytest.approx(3 / 4))
    assert row.mean_per_class == pytest.approx((1 / 3 + 1) / 2), "classes count alike"
    assert row.mard == pytest.approx((0.5 + 0.5 + 3) / 3)
    # Batches of two: (1 + 2) / (2 + 4), then 6 / 2 alone.
    assert row.mard_of_batches == pytest.approx((0.5 + 3) / 2, rel=1e-5)
    assert row.bias_part == pytest.approx((0.35, 0.8, 1.0)), "signed: quartiles, not a share"
    assert (row.half_distance, row.attributed) == (pytest.approx(0.5), 3)
    assert table.unreadable == ("4.png",)
    assert table.pairs == ()


def test_table2_compares_pair_by_pair_and_their_mean() -> None:
    models = (*make_pair(), *make_pair())
    models = tuple(
        replace(model, card=replace(model.card, name=f"{model.name}{n // 2}"))
        for n, model in enumerate(models)
    )
    ranks = ((0, 4, 5, 0), (0, 0, 0, 1), (0, 1, 1, 0), (0, 1, 1, 0))
    rows = pd.concat([made_rows(m.name, r) for m, r in zip(models, ranks, strict=True)])
    mean, first, second = table2.summarise(ImageRun(rows, models, (), MADE)).pairs
    assert (first.accuracy.only_first, first.accuracy.only_second) == (1, 2)
    assert first.accuracy.top1.value == pytest.approx(1 / 4)
    assert first.accuracy.p == 1.0
    assert second.accuracy.top1.value == second.accuracy.top1.high == 0
    assert (mean.title, mean.accuracy.p) == ("Mean of 2 pairs", None)
    assert mean.accuracy.top1.value == pytest.approx(1 / 8)
    assert mean.accuracy.top1.low < 1 / 8 < mean.accuracy.top1.high


def exact_gradient(network: torch.nn.Module, x: torch.Tensor, label: int) -> torch.Tensor:
    point = x.clone().requires_grad_()
    return torch.autograd.grad(network(point)[0, label], point)[0]


def test_accuracy_is_over_all_images_attributions_over_some(run: list[str], tmp_path: Path) -> None:
    out = tmp_path / "table2.parquet"
    assert main(["table2", *run, "--attributed", "2", "--out", str(out)]) == 0
    rows, table = table2.load_table2(out)
    assert len(rows) == 4 * 2
    assert rows["l1_integrated"].notna().sum() == sum(row.attributed for row in table.networks)
    assert {row.attributed for row in table.networks} <= {1, 2}


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
    assert x_network.bias_part == pytest.approx((0, 0, 0), abs=1e-5)
    assert regular.bias_part[1] != pytest.approx(0, abs=1e-2)
    assert {row.attributed for row in table.networks} == {4}
    model, images = make_pair()[0], make_images(5, broken=2)
    x = model.preprocess(images.read(3))[None]
    exact = integrated_gradients(model.network, x, images.labels[3], steps=128)
    wanted = table2.measure_batch(model, x, torch.tensor([images.labels[3]])).loc[0]
    pixels = float((x * exact_gradient(model.network, x, images.labels[3])).sum())
    logit = float(model.network(x)[0, images.labels[3]])
    assert wanted["bias_part"] == pytest.approx(1 - pixels / logit, rel=1e-4)
    assert wanted["l1_integrated"] == pytest.approx(float(exact.values.abs().sum()), rel=1e-5)
    fast = x * exact_gradient(model.network, x, images.labels[3])
    apart = float(relative_l1(fast, exact.values)[0])
    assert wanted["l1_apart"] / wanted["l1_integrated"] == pytest.approx(apart, rel=1e-4)


def test_table3_from_the_command_line(
    run: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "table3.parquet"
    assert main(["table3", *run, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "data, test: 4 images, 1 unreadable (2.png)" in printed
    rows, table = table3.load_table3(out)
    assert len(rows) == 4 * 2 * len(table3_summary.QUALITY_METHODS) * len(MASKING_METRICS)
    for metric in ("KPM", "KNM", "KAM", "RAM"):
        both = [table.quality("xsmall", method, metric) for method in ("ig", "fast")]
        assert both[0].area == pytest.approx(both[1].area, rel=1e-4), "X-Gradient is IG"
    quality = table.quality("small", "random", "KPM")
    at = (rows["network"] == "small") & (rows["method"] == "random") & (rows["metric"] == "KPM")
    curves = np.stack(rows[at]["curve"])
    assert quality.area == pytest.approx(np.trapezoid(curves.mean(0), FRACTIONS))
    exact = table.quality("small", "ig", "KPM")
    assert (exact.to_ig.low, exact.to_ig.value, exact.to_ig.high) == (0, 0, 0)
    assert quality.to_ig.value == pytest.approx(quality.area - exact.area)
    assert quality.to_ig.low <= quality.to_ig.value <= quality.to_ig.high
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
