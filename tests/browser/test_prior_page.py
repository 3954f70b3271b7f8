"""Prior training besides training, in a real browser: kept runs and an own file."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from playwright.sync_api import Page, expect

from tests.browser.looks import looks
from tests.browser.prior_page import (
    CHART,
    X_GRADIENT,
    address,
    finished_run,
    open_page,
    press,
    state,
)


def test_kept_runs_are_renamed_exported_deleted_and_brought_back(server: str, page: Page) -> None:
    open_page(page, server, epochs="8", pace="full speed")
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


def test_a_kept_run_is_found_by_the_next_server_of_the_same_folders(
    server: str, server_folder: Path, start_server: Callable[..., str], page: Page
) -> None:
    open_page(page, server, epochs="12", seed="7", pace="full speed")
    press(page, "Start")
    expect(state(page)).to_contain_text("Finished")
    press(page, "Keep")
    kept = page.locator('[class*="st-key-kept_"]')
    expect(kept).to_have_count(1)
    # A link to a server that nobody has visited yet.
    open_page(page, start_server(XDNN_DATA=str(server_folder / "data")), epochs="12")
    expect(page.get_by_test_id("stHeaderLogo")).to_be_visible()
    expect(kept).to_contain_text("nhefs, λ 0.1")
    kept.locator("label").first.click()
    dashed = page.locator(f'{CHART} path[stroke="{X_GRADIENT}"][stroke-dasharray]')
    expect(dashed).not_to_have_count(0)
    kept.get_by_role("button").last.click()
    page.get_by_role("button", name="Use its settings").click()
    expect(page).to_have_url(re.compile("seed=7"))


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
    good = tmp_path / "study.csv"
    table.to_csv(good, index=False)
    page.goto(address(server, cohort="Own CSV file"))
    expect(page.get_by_text("upload a CSV file to train on")).to_be_visible()
    page.get_by_role("button", name="Your file").click()
    page.locator('input[type="file"]').set_input_files(good)
    outcome = page.get_by_role("combobox", name=re.compile("Outcome to predict"))
    expect(outcome).to_be_visible()
    outcome.click()
    page.get_by_role("option", name="died").click()
    page.keyboard.press("Escape")
    assert good.stat().st_size > 11_000_000, "larger than other pages take"
    expect(state(page)).to_contain_text("on study · outcome: died = 1")
    press(page, "Step")
    expect(page.locator(".features")).to_contain_text("*ward* <b>: north")


def test_it_fits_in_both_themes_wide_and_narrow(server: str, page: Page) -> None:
    for _ in looks(page, lambda: open_page(page, server)):
        expect(finished_run(page)).to_be_visible()

    def opened() -> None:
        open_page(page, server, methods="No prior", epochs="5", pace="full speed")
        press(page, "Start")
        expect(state(page)).to_contain_text("Finished")

    for scheme, _ in looks(page, opened):
        for table in (".features", ".tests"):
            inside = page.locator(table).evaluate(
                "e => e.getBoundingClientRect().right <= "
                "e.closest('[data-testid=\"stVerticalBlock\"]').parentElement"
                ".getBoundingClientRect().right + 1"
            )
            assert inside, f"{table} fits its card"
        ink = {"light": "#121926", "dark": "#e8edf4"}[scheme]
        expect(page.locator(f'{CHART} path[stroke="{ink}"]').first).to_be_attached()
