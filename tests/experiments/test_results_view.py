"""What the Results page says agrees with the numbers it is made from."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from xdnn_core.experiments import results_view as view
from xdnn_core.experiments.cost import Cost, StepCost
from xdnn_core.experiments.provenance import Provenance
from xdnn_core.experiments.table2 import BiasCost, Table2
from xdnn_core.experiments.table3 import QUALITY_METHODS, Quality, Table3
from xdnn_core.metrics.masking import MASKING_METRICS

MADE = Provenance("python -m xdnn_core x", "2026-01-02T03:04:05+00:00", "a desk", "set, test", 1234)
PAIR = ("alexnet-caltech101", "xalexnet-caltech101")


def table3(one_gradient: float) -> Table3:
    """Every area 1, but the single gradient's on the network with biases."""
    qualities = []
    for network in PAIR:
        is_x = network.startswith("x")
        for method in QUALITY_METHODS:
            for name in MASKING_METRICS:
                area = one_gradient if method == "fast" and not is_x else 1.0
                qualities.append(
                    Quality(network, method, name, is_x, area, area - 0.2, area + 0.2, (0.0, 1.0))
                )
    return Table3(tuple(qualities), (), 128, MADE)


def test_table2_in_words_and_cells() -> None:
    rows = (
        BiasCost(PAIR[0], False, 0.9178, 0.9806, 0.84, 0.79, 0.3, 0.2, 0.4, 0.8),
        BiasCost(PAIR[1], True, 0.9078, 0.9820, 4e-6, 3e-6, 0.0, 0.0, 0.0, 0.0),
    )
    table = Table2(rows, (), MADE)
    said = view.table2_answer(table)
    assert "**AlexNet, Caltech-101** names 91.8\u00a0% of the images right" in said
    assert "its Input×Gradient is **84\u00a0%** from" in said
    assert "its X-Gradient is **4e-4\u00a0%** from" in said
    by_image, of_batches = (view.table2_frame(table, batches) for batches in (False, True))
    assert by_image["MARD"].iloc[0] == "84\u00a0%"
    assert of_batches["MARD"].iloc[0] == "79\u00a0%"
    assert view.table2_published()["network"].to_list()[:2] == ["AlexNet", "X-AlexNet"]


def test_table3_says_where_one_gradient_is_enough() -> None:
    said = view.table3_answer(table3(0.5))
    higher = sum(metric.higher_is_better for metric in MASKING_METRICS.values())
    assert f"worse than Integrated Gradients with 128 calls in **{higher} of 6 columns**" in said
    assert "On **X-AlexNet, Caltech-101** X-Gradient, one gradient, scores what" in said
    assert said.count("to the printed digits in every column") == 1
    assert view.table3_answer(table3(1.0004)).count("to the printed digits") == 2
    assert "in **0 of" not in view.table3_answer(table3(1.0004))


def test_table3_cells() -> None:
    table = table3(0.5)
    frame = view.table3_frame(table, PAIR[0])
    assert frame["method"].to_list()[-1] == "Input×Gradient"
    assert view.table3_frame(table, PAIR[1])["method"].to_list()[-1] == "X-Gradient"
    assert frame["KPM ↑"].iloc[0] == "1.00 ± 0.20"
    assert frame["deletion ↓"].iloc[-1] == "0.500 ± 0.200"
    assert view.table3_published(True)["KAM ↑"].to_list()[-1] == "21.83"
    assert len(view.table3_published(False)) == 4


def test_cost_in_words_and_cells() -> None:
    steps = (
        StepCost("none", "No prior", 0.5, 2**20, 1.0, 1.0),
        StepCost("x_gradient", "X-Gradient", 1.2, 2**21, 2.4, 2.0),
        StepCost("integrated_gradients:32", "Integrated Gradients (n = 32)", 20, 2**25, 40, 32),
    )
    cost = Cost(PAIR[0], 16, 5, steps, MADE)
    said = view.cost_answer(cost)
    assert "takes **2.4 times** the time and **2.0 times** the memory" in said
    assert said.endswith("with Integrated Gradients (n = 32) 40 times and 32 times.")
    assert view.cost_frame(cost)["peak memory"].to_list()[1] == "2\u00a0MB"
    assert len(view.cost_published()) == 2


def test_results_are_found_newest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "RESULTS", tmp_path / "shipped")
    assert view.stored_results("table2", tmp_path) == []
    for age, name in enumerate(("table2-b", "table2-a", "table3-c")):
        file = tmp_path / f"{name}.parquet"
        file.touch()
        os.utime(file, (1000 - age, 1000 - age))
    found = view.stored_results("table2", tmp_path)
    assert [result.path.stem for result in found] == ["table2-b", "table2-a"]
    (tmp_path / "shipped").mkdir()
    (tmp_path / "shipped" / "table2.parquet").touch()
    first = view.stored_results("table2", tmp_path)[0]
    assert (first.path.parent.name, first.own) == ("shipped", False)


def test_where_a_result_is_from() -> None:
    assert view.made_line(MADE) == "set, test · 1,234 images · a desk · 2026-01-02"
    assert view.network_titles(["mine", PAIR[0]]) == {
        "mine": "mine", PAIR[0]: "AlexNet, Caltech-101",
    }  # fmt: skip
    assert view.table2_answer(Table2((), ("a",), replace(MADE, images=0))) == ""
