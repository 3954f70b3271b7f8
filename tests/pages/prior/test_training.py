"""Training on the page without a browser: what commands, settings and a link do to a run."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
import torch
from streamlit.testing.v1 import AppTest

from pages.prior_parts.export import run_to_json
from pages.prior_parts.store import RunStore
from tests.pages.conftest import OpenPage, everything, press, protos
from xdnn_core.data.cohorts.load import load_cohort
from xdnn_core.experiments.figure1 import run_figure1
from xdnn_core.experiments.figure1_summary import save_results, summarise
from xdnn_core.priors.live_state import LiveConfig
from xdnn_core.priors.sweep_cells import SweepConfig

SMALL = {"methods": "X-Gradient", "layers": "16, 8", "replicates": "4", "pace": "full speed"}
PATIENCE = 60.0
ME = "0" * 32
Open = Callable[..., AppTest]


@pytest.fixture
def opened(open_page: OpenPage) -> Iterator[Open]:
    """Open the page with small networks in a session of its own; its run ends with the test."""

    def open_one(**address: str) -> AppTest:
        st.cache_resource.clear()  # all tests are one session to it
        return open_page("prior_training", **(SMALL | address))

    yield open_one
    st.cache_resource.clear()


def state(drawn: AppTest) -> str:
    """The sentence that says how far the run is."""
    assert not drawn.exception
    (bar,) = protos(drawn, "progress")
    return bar.text


def run_until(drawn: AppTest, text: str) -> None:
    """Redraw, as the page itself does in a browser, until the run is that far."""
    deadline = time.monotonic() + PATIENCE
    while text not in state(drawn):
        assert time.monotonic() < deadline, state(drawn)
        drawn.run(timeout=PATIENCE)


def chart(drawn: AppTest) -> dict[str, Any]:
    """What is drawn of the validation ROC-AUC."""
    return json.loads(protos(drawn, "echarts_chart")[0].spec)


def lines(drawn: AppTest) -> list[str]:
    """Names of the curves of the validation ROC-AUC."""
    return [line["name"] for line in chart(drawn)["series"] if line.get("data") and line["name"]]


def marks(drawn: AppTest) -> list[str]:
    """What is written where λ changed."""
    (drawn_marks,) = (line["markLine"] for line in chart(drawn)["series"] if "markLine" in line)
    return [mark["label"]["formatter"] for mark in drawn_marks["data"]]


def scores(drawn: AppTest) -> str:
    """The table of scores at the best epoch."""
    (table,) = (
        element.body for element in protos(drawn, "html") if 'class="tests"' in element.body
    )
    return table


def said(drawn: AppTest) -> str:
    return "\n".join(element.value for element in (*drawn.markdown, *drawn.caption))


def test_a_link_restores_the_configuration(opened: Open) -> None:
    drawn = opened(**{"lambda": "off", "epochs": "70", "k": "8", "rate": "0.01"})
    assert state(drawn).startswith("**Ready**: 1 method, 4 replicates, 70 epochs on NHEFS")
    assert drawn.select_slider(key="lambda").value == 0
    assert "λ is off: trained with cross-entropy alone" in said(drawn)
    assert drawn.text_input(key="layers").value == "16, 8"
    assert drawn.select_slider(key="rate").value == 0.01
    assert drawn.select_slider(key="k").value == 8
    press(drawn, "Step")
    assert marks(drawn) == ["λ off"]


def test_the_first_step_needs_no_start(opened: Open) -> None:
    drawn = opened(methods="No prior")
    press(drawn, "Step")
    run_until(drawn, "Paused** at epoch 1 of")
    (features,) = (e.body for e in protos(drawn, "html") if 'class="features"' in e.body)
    assert features.count("<i style=") == 15
    assert "No prior" in scores(drawn)


def test_networks_of_the_default_size_are_trained_to_the_end(opened: Open) -> None:
    layers = ", ".join(map(str, LiveConfig().hidden))
    drawn = opened(layers=layers, replicates="8", epochs="3")
    assert "1 method, 8 replicates, 3 epochs" in state(drawn)
    press(drawn, "Start")
    run_until(drawn, "Finished**: 3 epochs")


def test_settings_changed_during_a_run_wait_for_reset(opened: Open) -> None:
    drawn = opened(epochs="2000", pace="15/s")
    press(drawn, "Start")
    run_until(drawn, "epochs a second")
    drawn.button_group(key="methods").set_value(["X-Gradient", "RRR"]).run(timeout=PATIENCE)
    assert "changed settings wait for Reset" in state(drawn)
    assert "RRR" not in scores(drawn)
    press(drawn, "Reset")
    run_until(drawn, "Ready**: 2 methods")
    (previous,) = (box for box in drawn.checkbox if box.key == "prior_show_previous")
    assert previous.label == "**previous run**, not kept"
    assert lines(drawn) == ["X-Gradient · previous run"]


def test_test_scores_stay_hidden_until_they_are_asked_for(opened: Open) -> None:
    drawn = opened(epochs="8")
    press(drawn, "Start")
    run_until(drawn, "Finished")
    assert ">validation<" in scores(drawn)
    assert ">test<" not in scores(drawn)
    press(drawn, "Reveal the test ROC-AUC")
    assert ">test<" in scores(drawn)
    note = "λ did not move after the test ROC-AUC was revealed"
    assert f"A kept run records: {note}" in said(drawn)
    press(drawn, "Keep")
    (kept,) = RunStore(owner=ME).names()
    assert note in said(drawn)
    drawn.select_slider(key="lambda").set_value(1000.0).run(timeout=PATIENCE)
    press(drawn, "Run again")
    run_until(drawn, "Finished")
    assert ">test<" not in scores(drawn)
    assert "not revealed, but λ moved after that of an earlier" in said(drawn)
    press(drawn, "Reveal the test ROC-AUC")
    assert ">test<" in scores(drawn)
    press(drawn, "Keep")
    assert "λ moved after the test ROC-AUC was revealed" in said(drawn)
    newest, oldest = (RunStore(owner=ME).get(run_id) for run_id in RunStore(owner=ME).names())
    assert oldest.id == kept
    values = json.loads(run_to_json(newest))
    assert values["test_note"] == "λ moved after the test ROC-AUC was revealed"
    assert values["moved_after_reveal"] is True


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [("512, many", "such as 512, 128, 32"), ("5000", "allowed is 1 to 1024")],
)
def test_wrong_layers_that_are_typed_are_explained(opened: Open, typed: str, sentence: str) -> None:
    drawn = opened()
    drawn.text_input(key="layers").set_value(typed).run(timeout=PATIENCE)
    (warning,) = drawn.warning
    assert sentence in warning.value
    assert drawn.text_input(key="layers").value == typed
    drawn.text_input(key="layers").set_value("32, 8").run(timeout=PATIENCE)
    assert not drawn.warning
    assert "Ready" in state(drawn)


def test_figure_1_shows_both_panels_beside_the_paper(opened: Open, tmp_path: Path) -> None:
    cohort = load_cohort("nhefs")
    config = SweepConfig(hidden=(8,), epochs=3)
    results = run_figure1(cohort, 3, references=(1, 2, 4), config=config, device="cpu", workers=1)
    figure = summarise(results, cohort, torch.device("cpu"))
    save_results(tmp_path / "data" / "results" / "figure1-nhefs.parquet", results, figure)
    own = "Own run: NHEFS: NHANES I follow-up, smokers, 3 replicates, 5 λ"
    drawn = opened(view="Figure 1 of the paper", results=own)
    for sentence in (
        "over **3 replicates** on **NHEFS",
        "has the highest mean",
        "not on the paper's NHANES I matrix",
        "other replicate tests on about 88 % too",
        "The paper gives the order of 17 pairs",
    ):
        assert sentence in said(drawn), sentence
    methods, references, _ = (
        [trace.get("name") for trace in json.loads(element.spec)["data"]]
        for element in protos(drawn, "plotly_chart")
    )
    assert any("the paper" in name for name in methods if name)
    assert "Expected Gradients (k = 1)" in everything(drawn)
    assert any("X-Gradient, the paper" in name for name in references if name)
    drawn.button_group(key="view").set_value("Train live").run(timeout=PATIENCE)
    assert "Ready" in state(drawn)
