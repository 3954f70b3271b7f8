"""The Results page in a real browser: stored tables, and runs that the operator allows."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from pages.results_parts import views as view
from tests.browser.driving import query, sideways_overflow, wait_until_idle
from tests.experiments.small_pair import make_images
from xdnn_core.experiments.cost import load_cost
from xdnn_core.experiments.table2 import load_table2
from xdnn_core.experiments.table3 import load_table3
from xdnn_core.models.zoo import load_model

TABLES = {"table2": "Table 2", "table3": "Table 3", "cost": "Cost"}


def plain(markdown: str) -> str:
    """A sentence as it stands on the page."""
    return re.sub(r"\s+", " ", markdown.replace("**", ""))


def test_a_deep_link_on_a_fresh_server_shows_the_whole_app(
    start_server: Callable[..., str], page: Page
) -> None:
    page.goto(f"{start_server()}/results?table=Table+3")
    expect(page.get_by_test_id("stHeaderLogo")).to_be_visible()
    expect(page.get_by_role("link", name="Compare")).to_be_visible()
    expect(page.get_by_text(plain(view.table3_answer(load_table3()[1])))).to_be_visible()


@pytest.mark.parametrize("name", TABLES)
def test_each_table_says_what_is_stored_and_where_it_is_from(
    server: str, page: Page, name: str
) -> None:
    answers = {
        "table2": lambda: view.table2_answer(load_table2()[1]),
        "table3": lambda: view.table3_answer(load_table3()[1]),
        "cost": lambda: view.cost_answer(load_cost()),
    }
    page.goto(f"{server}/results")
    page.get_by_role("radio", name=TABLES[name], exact=True).click()
    expect(page.get_by_text(plain(answers[name]()))).to_be_visible()
    expect(page.get_by_text("The paper", exact=True)).to_be_visible()
    expect(page.get_by_text(re.compile(f"python -m xdnn_core {name}"))).not_to_have_count(0)
    # Ours and the paper's; Table 2 has the differences of its pairs besides.
    expect(page.get_by_test_id("stDataFrame")).to_have_count(3 if name == "table2" else 2)
    assert query(page).get("table", "Table 2") == TABLES[name]


def test_the_curves_follow_network_and_metric(server: str, page: Page) -> None:
    page.goto(f"{server}/results?table=Table+3")
    chart = page.locator(".st-key-table3_curves .js-plotly-plot")
    expect(chart).to_contain_text("Keep positive mask: higher is better")
    expect(chart).to_contain_text("X-Gradient")
    page.get_by_role("radio", name="deletion").click()
    expect(chart.last).to_contain_text("Deletion: lower is better")
    page.get_by_role("radio", name="AlexNet, Caltech-101", exact=True).click()
    expect(chart.last).to_contain_text("Input×Gradient")


def test_runs_are_off_unless_the_operator_allows_them(server: str, page: Page) -> None:
    page.goto(f"{server}/results")
    page.get_by_text("Measure an image set of your own").click()
    expect(page.get_by_text("Runs from this page are off")).to_be_visible()
    expect(page.get_by_role("button", name="Run", exact=True)).to_have_count(0)


def caltech_folder(folder: Path) -> Path:
    """Made photographs under the names of the pair's classes, one each."""
    classes = load_model("alexnet-caltech101").classes
    encoded = make_images(len(classes)).encoded
    for name, data in zip(classes, encoded, strict=True):
        file = folder / name / "1.png"
        file.parent.mkdir(parents=True)
        assert isinstance(data, bytes)
        file.write_bytes(data)
    return folder


def start_run(page: Page) -> None:
    """Few images, few gradient calls."""
    for label, value in (("Images", "16"), ("Gradient calls", "2")):
        page.get_by_role("spinbutton", name=re.compile(label)).fill(value)
    page.get_by_role("button", name="Run", exact=True).click()


def test_a_run_is_started_cancelled_taken_up_again_and_shown(
    start_server: Callable[..., str], page: Page, tmp_path: Path
) -> None:
    caltech_folder(tmp_path / "sets" / "made")
    (tmp_path / "sets" / "empty").mkdir()
    page.goto(f"{start_server(XDNN_IMAGE_SETS=str(tmp_path / 'sets'))}/results")
    page.get_by_text("Measure an image set of your own").click()
    start_run(page)  # the first of the sets is the empty one
    expect(page.get_by_text("holds no images; needed is one subfolder a class")).to_be_visible()
    assert str(tmp_path) not in page.content(), "folders of the server are nobody's business"
    page.get_by_role("button", name="New run").click()
    page.get_by_role("combobox", name="Image set").click()
    page.get_by_role("option", name="made").click()
    start_run(page)
    work = tmp_path / "data" / "work"
    deadline = time.monotonic() + 120
    while not list(work.rglob("images-*.parquet")):
        assert time.monotonic() < deadline
        page.wait_for_timeout(50)
    cancel = page.get_by_role("button", name="Cancel", exact=True)
    cancel.click()
    expect(page.get_by_text("the same run started again goes on from there")).to_be_visible()
    kept = {file: file.stat().st_mtime_ns for file in work.rglob("images-*.parquet")}
    page.get_by_role("button", name="New run").click()
    page.get_by_role("combobox", name="Image set").click()
    page.get_by_role("option", name="made").click()
    start_run(page)
    expect(page.get_by_text("Finished: the result can be chosen above")).to_be_visible()
    assert {file: file.stat().st_mtime_ns for file in kept} == kept
    # The list of results was there before: a list that is opened while it changes closes again.
    own = page.get_by_role("option", name=re.compile("Own run: table2-made-test-16-2"))
    for _ in range(5):
        wait_until_idle(page)
        page.get_by_role("combobox", name="Result").click()
        page.wait_for_timeout(1000)
        if own.count():
            break
        page.keyboard.press("Escape")
    own.click()
    expect(page.get_by_text(re.compile("made, test · 16 images"))).to_be_visible()
    assert str(tmp_path) not in page.content()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 800])
def test_both_themes_fit_the_window(server: str, browser: Browser, scheme: str, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    for name in TABLES:
        page.goto(f"{server}/results?table={TABLES[name]}")
        expect(page.get_by_text("The paper", exact=True)).to_be_visible()
        assert sideways_overflow(page) <= 0, "nothing sticks out sideways"
    context.close()


def test_wrong_parameters_in_the_address_are_ignored(server: str, page: Page) -> None:
    page.goto(f"{server}/results?table=table9")
    expect(page.get_by_text(plain(view.table2_answer(load_table2()[1])))).to_be_visible()
