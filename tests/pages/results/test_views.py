"""What the Results page says agrees with the numbers it is made from."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from pages.results_parts import views as view
from xdnn_core.experiments.cost import Cost, StepCost
from xdnn_core.experiments.provenance import Provenance
from xdnn_core.experiments.table2_summary import BiasCost, PairRow, Table2
from xdnn_core.experiments.table3_summary import QUALITY_METHODS, Quality, Table3
from xdnn_core.metrics.classification import Difference, PairedAccuracy
from xdnn_core.metrics.masking import MASKING_METRICS

MADE = Provenance("python -m xdnn_core x", "2026-01-02T03:04:05+00:00", "a desk", "set, test", 1234)
PAIR = ("alexnet-caltech101", "xalexnet-caltech101")


def table3(one_gradient: float, margin: float = 0.1) -> Table3:
    """Every area 1, but the single gradient's on the network with biases."""
    qualities = []
    for network in PAIR:
        is_x = network.startswith("x")
        for method in QUALITY_METHODS:
            for name in MASKING_METRICS:
                area = one_gradient if method == "fast" and not is_x else 1.0
                apart = Difference(area - 1, area - 1 - margin, area - 1 + margin)
                ends = (area - 0.2, area + 0.2)
                qualities.append(
                    Quality(network, method, name, is_x, area, *ends, (0.0, 1.0), apart)
                )
    return Table3(tuple(qualities), (), 128, MADE)


def table2(top1: Difference) -> Table2:
    """A pair; only the interval of top-1 is of interest."""
    titles = [view.network_titles([name])[name] for name in PAIR]
    regular = (0.9178, 0.9806, 0.863, 0.84, 0.79, (0.7, 0.85, 0.96), 0.8, 200)
    without = (0.9078, 0.9820, 0.846, 4e-6, 3e-6, (-0.001, 0.0, 0.0), 0.0, 200)
    rows = (
        BiasCost(PAIR[0], titles[0], False, "From here.", *regular),
        BiasCost(PAIR[1], titles[1], True, "From there.", *without),
    )
    none = Difference(0.0, -0.01, 0.01)
    pair = PairRow("X − regular", PairedAccuracy(top1, none, none, 31, 16, 0.0402))
    return Table2(rows, (pair,), (), MADE)


def test_table2_in_words_and_cells() -> None:
    table = table2(Difference(-0.01, -0.019, -0.001))
    said = view.table2_answer(table)
    assert (
        "Without biases these networks' accuracy is lower: top-1 **−1.0 points (95\u00a0% interval"
        in said
    )
    assert "−1.9 to −0.1)** on 1,234 images" in said
    assert "Input×Gradient with biases is **84\u00a0%** from" in said
    assert "X-Gradient without biases is **4e-4\u00a0%** from" in said
    by_image, of_batches = (view.table2_frame(table, batches) for batches in (False, True))
    assert by_image["MARD"].to_list() == pytest.approx([84, 4e-4])
    assert of_batches["MARD"].to_list() == pytest.approx([79, 3e-4])
    assert by_image["top-1"].to_list() == pytest.approx([91.78, 90.78])
    assert by_image["bias part"].to_list() == ["85\u00a0% [70, 96]", "0\u00a0% [0, 0]"]
    (pair,) = view.table2_pairs(table).to_dict("records")
    assert (pair["right alone"], pair["McNemar p"]) == ("31 : 16", "0.04")
    assert pair["top-1"] == "−1.0 [−1.9, −0.1]"
    assert view.table2_published()["network"].to_list()[:2] == ["AlexNet", "X-AlexNet"]


def test_table2_states_no_order_without_an_interval_that_shows_it() -> None:
    said = view.table2_answer(table2(Difference(-0.005, -0.012, 0.002)))
    assert "no difference in the accuracy of these networks is established" in said
    assert "lower" not in said
    assert "accuracy is higher" in view.table2_answer(table2(Difference(0.01, 0.002, 0.02)))


def test_several_pairs_are_told_one_by_one() -> None:
    one = table2(Difference(-0.01, -0.019, -0.001))
    rise, fall = (table2(Difference(value, -0.1, 0.1)).pairs[0] for value in (0.005, -0.017))
    said = view.table2_answer(replace(one, pairs=(*one.pairs, rise, fall)))
    assert "on 1,234 images, pair by pair +0.5, −1.7; mean per class" in said


def test_table3_says_where_one_gradient_is_enough() -> None:
    said = view.table3_answer(table3(0.5))
    higher = sum(metric.higher_is_better for metric in MASKING_METRICS.values())
    assert f"worse than Integrated Gradients with 128 calls in **{higher} of 6 columns**" in said
    assert "On **X-AlexNet, Caltech-101** X-Gradient, one gradient, scores what" in said
    assert said.count("to the printed digits in every column") == 1
    assert view.table3_answer(table3(1.0004)).count("to the printed digits") == 2
    assert "in **0 of" not in view.table3_answer(table3(1.0004))
    # Apart, but by less than the images vary: no order.
    assert "in **0 of 6 columns**, paired" in view.table3_answer(table3(0.5, margin=0.6))


def test_table3_cells() -> None:
    table = table3(0.5)
    frame = view.table3_frame(table, PAIR[0])
    assert frame["method"].to_list()[-1] == "Input×Gradient"
    assert view.table3_frame(table, PAIR[1])["method"].to_list()[-1] == "X-Gradient"
    assert frame["KPM ↑"].iloc[0] == "1.00 ± 0.20"
    assert frame["deletion ↓"].iloc[-1] == "0.500 ± 0.200"
    assert view.table3_published(True)["KAM ↑"].to_list()[-1] == 21.83
    assert len(view.table3_published(False)) == 4


def test_cost_in_words_and_cells() -> None:
    steps = (
        StepCost("none", "No prior", 0.5, 2**20, 1.0, 1.0, 0.4, 0.5),
        StepCost("x_gradient", "X-Gradient", 1.2, 2**21, 2.4, 2.0, 1.0, 1.0),
        StepCost(
            "expected_gradients:32", "Expected Gradients (k = 32)", 36, 2**25, 72, 32, 30, 16
        ),
    )  # fmt: skip
    cost = Cost(PAIR[0], 16, 5, steps, MADE)
    said = view.cost_answer(cost)
    assert "takes **2.4 times** the time and **2.0 times** the memory of one without" in said
    # The paper's "130 times" is Expected Gradients with 32 references beside X-Gradient.
    assert (
        "Expected Gradients (k = 32) takes **30 times** the time and **16.0 times** the memory of "
        "X-Gradient (the paper: 130 and 3.5 times)." in said
    )
    frame, paper = view.cost_frame(cost), view.cost_published()
    assert frame["memory, MB"].to_list()[1] == 2
    assert frame["× X-Gradient"].to_list() == [0.4, 1.0, 30.0]
    assert paper["× X-Gradient"].to_list() == [pytest.approx(130.2, abs=0.1), 1.0]
    assert paper["× X-Gradient "].to_list() == [pytest.approx(3.46, abs=0.01), 1.0]
    assert "× plain" not in paper


def test_results_are_found_newest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "RESULTS", tmp_path / "shipped")
    assert view.stored_results("table2", tmp_path) == []
    for age, name in enumerate(("table2-b", "table2-a", "table3-c")):
        file = tmp_path / f"{name}.parquet"
        file.touch()
        os.utime(file, (1000 - age, 1000 - age))
    found = view.stored_results("table2", tmp_path)
    assert [file.stem for file in found] == ["table2-b", "table2-a"]
    (tmp_path / "shipped").mkdir()
    (tmp_path / "shipped" / "table2.parquet").touch()
    assert view.stored_results("table2", tmp_path)[0].parent.name == "shipped"


def test_where_a_result_is_from() -> None:
    assert view.made_line(MADE) == "set, test · 1,234 images · a desk · 2026-01-02"
    assert view.network_titles(["mine", PAIR[0]]) == {
        "mine": "mine", PAIR[0]: "AlexNet, Caltech-101",
    }  # fmt: skip
    assert view.table2_answer(Table2((), (), ("a",), replace(MADE, images=0))) == ""
