"""The Results page in a real browser: stored tables, and runs that the operator allows."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.driving import wait_until_idle
from tests.browser.looks import looks
from tests.experiments.small_pair import make_images
from xdnn_core.models.zoo import load_model

TABLES = {"table2": "Table 2", "table3": "Table 3", "cost": "Cost"}


def plain(markdown: str) -> str:
    """A sentence as it stands on the page."""
    return re.sub(r"\s+", " ", markdown.replace("**", ""))


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


def test_it_fits_in_both_themes_wide_and_narrow(server: str, page: Page) -> None:
    for table in TABLES.values():
        for _ in looks(page, lambda table=table: page.goto(f"{server}/results?table={table}")):
            expect(page.get_by_text("The paper", exact=True)).to_be_visible()
