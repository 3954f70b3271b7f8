"""Prior training besides training: kept runs, cohorts, Figure 1, links, themes."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import torch
from playwright.sync_api import Page, expect

from tests.browser.prior_page import CHART, address, open_page, press, set_strength, state
from xdnn_core.data.cohorts.load import load_cohort
from xdnn_core.experiments.figure1 import run_figure1
from xdnn_core.experiments.figure1_summary import summarise
from xdnn_core.experiments.provenance import save_result
from xdnn_core.priors.sweep_cells import SweepConfig


def test_kept_runs_are_renamed_exported_deleted_and_brought_back(server: str, page: Page) -> None:
    open_page(page, server, epochs="8")
    press(page, "Start")
    expect(state(page)).to_contain_text("Finished")
    press(page, "Keep")
    kept = page.locator('[class*="st-key-kept_"]')
    expect(kept).to_have_count(1)
    expect(page.get_by_role("button", name="Keep", exact=True)).to_be_disabled()
    kept.get_by_role("button").last.click()
    name = page.get_by_role("textbox", name="Name")
    name.fill("**mine** <b>&")
    name.press("Enter")
    expect(kept).to_contain_text("**mine** <b>&")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Curves, CSV").click()
    lines = list(csv.DictReader(io.StringIO(Path(waiting.value.path()).read_text())))
    assert [line["epoch"] for line in lines] == [str(number) for number in range(8)]
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Everything, JSON").click()
    values = json.loads(Path(waiting.value.path()).read_text())
    assert values["config"]["hidden"] == [16, 8]
    assert values["config"]["methods"] == ["x_gradient"]
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(kept).to_have_count(0)
    press(page, "Undo")
    expect(kept).to_contain_text("**mine** <b>&")


def test_test_scores_stay_hidden_until_they_are_asked_for(server: str, page: Page) -> None:
    open_page(page, server, epochs="8")
    press(page, "Start")
    expect(state(page)).to_contain_text("Finished")
    scores = page.locator(".tests")
    expect(scores).to_contain_text("validation")
    expect(scores).not_to_contain_text("test")
    press(page, "Reveal the test ROC-AUC")
    expect(scores).to_contain_text("test")
    expect(page.get_by_text("λ did not move after the test ROC-AUC was revealed")).to_be_visible()
    press(page, "Keep")
    kept = page.locator('[class*="st-key-kept_"]')
    expect(kept).to_contain_text("λ did not move after the test ROC-AUC was revealed")
    set_strength(page, "End")
    press(page, "Run again")
    expect(state(page)).to_contain_text("Finished")
    expect(scores).not_to_contain_text("test")
    expect(page.get_by_text("not revealed, but λ moved after that of an earlier")).to_be_visible()
    press(page, "Reveal the test ROC-AUC")
    expect(scores).to_contain_text("test")
    press(page, "Keep")
    expect(kept.first).to_contain_text("λ moved after the test ROC-AUC was revealed")
    kept.first.get_by_role("button").last.click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Everything, JSON").click()
    values = json.loads(Path(waiting.value.path()).read_text())
    assert values["test_note"] == "λ moved after the test ROC-AUC was revealed"
    assert values["moved_after_reveal"] is True


def test_an_own_csv_file(server: str, page: Page, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    dose = rng.normal(size=200)
    table = pd.DataFrame(
        {
            "person": [f"{number:05d}{'x' * 60_000}" for number in range(200)],
            "dose": dose,
            "*ward* <b>": rng.choice(["north", "south", "west"], 200),
            "smoker": rng.choice(["no", "yes"], 200),
            "died": (dose + rng.normal(size=200) > 0).astype(int),
        }
    )
    good, bad = tmp_path / "study.csv", tmp_path / "short.csv"
    table.to_csv(good, index=False)
    table.head(20).to_csv(bad, index=False)
    page.goto(address(server, cohort="Own CSV file"))
    expect(page.get_by_text("upload a CSV file to train on")).to_be_visible()
    page.get_by_role("button", name="Your file").click()
    chooser = page.locator('input[type="file"]')
    chooser.set_input_files(bad)
    expect(page.get_by_test_id("stAlert")).to_contain_text("20 rows; at least 50")
    chooser.set_input_files(good)
    outcome = page.get_by_role("combobox", name=re.compile("Outcome to predict"))
    expect(outcome).to_be_visible()
    outcome.click()
    page.get_by_role("option", name="died").click()
    page.keyboard.press("Escape")
    assert good.stat().st_size > 11_000_000, "larger than other pages take"
    expect(state(page)).to_contain_text("on study · outcome: died = 1")
    press(page, "Step")
    expect(page.locator(".features")).to_contain_text("*ward* <b>: north")


def test_figure_1_shows_both_panels_beside_the_paper(
    start_server: Callable[[], str], page: Page, tmp_path: Path
) -> None:
    cohort = load_cohort("nhefs")
    config = SweepConfig(hidden=(8,), epochs=3)
    results = run_figure1(cohort, 3, references=(1, 2, 4), config=config, device="cpu", workers=1)
    figure = summarise(results, cohort, torch.device("cpu"))
    stored = tmp_path / "data" / "results" / "figure1-nhefs.parquet"
    save_result(stored, results, figure, "figure1")
    own = "Own run: NHEFS: NHANES I follow-up, smokers, 3 replicates, 5 λ"
    page.goto(
        f"{start_server()}/prior_training?"
        + urlencode({"view": "Figure 1 of the paper", "results": own})
    )
    expect(page.get_by_text("over 3 replicates on NHEFS")).to_be_visible()
    expect(page.get_by_text("has the highest mean")).to_be_visible()
    expect(page.get_by_text("not on the paper's NHANES I matrix")).to_be_visible()
    expect(page.get_by_text("other replicate tests on about 88 % too")).to_be_visible()
    expect(page.get_by_text("The paper gives the order of 17 pairs")).to_be_visible()
    expect(page.locator(".js-plotly-plot")).to_have_count(3)
    methods = page.locator(".st-key-figure1_methods")
    expect(methods).to_contain_text("Expected Gradients (k = 1)")
    expect(methods).to_contain_text("the paper")
    expect(page.locator(".st-key-figure1_references")).to_contain_text("X-Gradient, the paper")
    page.get_by_text("Train live").click()
    expect(state(page)).to_contain_text("Ready")


def test_wrong_layers_that_are_typed_are_explained(server: str, page: Page) -> None:
    open_page(page, server)
    page.get_by_role("button", name="Settings").click()
    layers = page.get_by_role("textbox", name="Hidden layers")
    for typed, said in (
        ("512, many", "such as 512, 128, 32"),
        ("5000", "allowed is 1 to 1024"),
    ):
        layers.fill(typed)
        layers.press("Enter")
        expect(page.get_by_test_id("stAlert")).to_contain_text(said)
        expect(layers).to_have_value(typed)
    layers.fill("32, 8")
    layers.press("Enter")
    expect(page.locator(CHART)).to_be_visible()
