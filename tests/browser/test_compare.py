"""The Compare page in a real browser."""

from __future__ import annotations

import ast
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urljoin

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.driving import choose_class, pick, query
from tests.browser.looks import NEUTRAL, looks

PANELS = 7  # three a network, and the regular network's biases
REFINED = re.compile(r"1 gradient call instead of 128")


def wait_for_panels(page: Page) -> None:
    """Wait for the coarse picture or a better one."""
    expect(page.locator('[class*="st-key-panel_"] img')).to_have_count(PANELS)


def wait_until_refined(page: Page) -> None:
    """Wait for the picture of 128 gradient calls, with nothing running any more."""
    expect(page.get_by_text(REFINED)).to_be_visible()
    expect(page.get_by_role("button", name="Stop", exact=True)).to_have_count(0)


def open_popover(page: Page, name: str) -> None:
    page.get_by_role("button", name=re.compile(name)).first.click()


def test_a_link_to_a_fresh_server_shows_the_whole_app_coarse_then_full(
    start_server: Callable[[], str], page: Page
) -> None:
    page.goto(start_server() + "/compare?image=rooster&class=pigeon")
    wait_for_panels(page)
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
    wait_until_refined(page)
    wait_for_panels(page)
    expect(page.get_by_test_id("stHeaderLogo")).to_be_visible()
    expect(page.get_by_role("button", name="Rooster", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )
    assert query(page)["class"] == "pigeon"


def test_choosing_a_photo_and_a_class(server: str, page: Page) -> None:
    page.goto(server)
    wait_for_panels(page)
    pick(page, "Rooster")
    picture = page.get_by_alt_text("X-Gradient of X-AlexNet for rooster")
    expect(picture).to_be_visible()
    wait_until_refined(page)
    assert query(page)["image"] == "rooster"
    before = picture.get_attribute("src")
    choose_class(page, "pigeon")
    after = page.get_by_alt_text("X-Gradient of X-AlexNet for pigeon")
    expect(after).to_be_visible()
    assert after.get_attribute("src") != before
    assert query(page)["class"] == "pigeon"
    # By keyboard: the arrows go along the strip from where it stands.
    strip = page.locator(".strip button")
    titles = strip.evaluate_all("all => all.map((one) => one.title)")
    following = titles[titles.index("Rooster") + 1]
    page.get_by_role("button", name="Rooster", exact=True).focus()
    for key in ("ArrowRight", "ArrowLeft", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    expect(page.get_by_alt_text(f"{following}, as the networks see it")).to_be_visible()
    chosen = page.get_by_role("button", name=following, exact=True)
    expect(chosen).to_have_attribute("aria-pressed", "true")
    assert "class" not in query(page), "a new photograph starts with the predicted class"


def test_uploads_good_and_bad(server: str, page: Page, tmp_path: Path) -> None:
    page.goto(server + "/?steps=8")
    wait_for_panels(page)
    good = tmp_path / "wide.png"
    Image.linear_gradient("L").resize((640, 320)).convert("RGB").save(good)
    open_popover(page, "Your photo")
    chooser = page.locator('input[type="file"]')
    chooser.set_input_files(good)
    expect(page.get_by_alt_text("Your photo, as the networks see it")).to_be_visible()
    wait_for_panels(page)
    assert query(page)["image"] == "own"
    last_good = page.get_by_alt_text("Your photo, as the networks see it").get_attribute("src")
    bad = tmp_path / "drawing.png"
    bad.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    chooser.set_input_files(bad)
    sentence = page.get_by_test_id("stAlert")
    expect(sentence).to_be_visible()
    text = sentence.inner_text()
    assert "Traceback" not in text
    assert str(tmp_path) not in text
    again = page.get_by_alt_text("Your photo, as the networks see it")
    assert again.get_attribute("src") == last_good, "the last good photograph stays"
    page.keyboard.press("Escape")
    pick(page, "Pigeon")
    expect(page.get_by_alt_text("X-Gradient of X-AlexNet for pigeon")).to_be_visible()


def test_downloads_hold_what_is_on_screen(server: str, page: Page) -> None:
    page.goto(server + "/?image=rooster")
    wait_until_refined(page)
    open_popover(page, "Download")
    files = {}
    for name in ("Figure, PNG", "Raw attributions, NPZ", "Settings, JSON"):
        with page.expect_download() as waiting:
            page.get_by_role("button", name=name).click()
        files[name] = Path(waiting.value.path()).read_bytes()
    figure = Image.open(io.BytesIO(files["Figure, PNG"]))
    assert figure.format == "PNG"
    assert figure.width > figure.height > 600
    arrays = np.load(io.BytesIO(files["Raw attributions, NPZ"]), allow_pickle=False)
    fast = arrays["xalexnet-caltech101.x_gradient"]
    integrated = arrays["xalexnet-caltech101.integrated_gradients"]
    assert fast.shape == (3, 224, 224)
    assert np.abs(fast - integrated).sum() <= 1e-4 * np.abs(integrated).sum()
    settings = json.loads(files["Settings, JSON"])
    assert settings["class"] == "rooster"
    assert settings == json.loads(str(arrays["settings"]))
    ledger = settings["ledger"]["alexnet-caltech101"]
    first = ledger["layers"][0]
    assert arrays["alexnet-caltech101.biases.features.0"].sum() == pytest.approx(first["value"])
    assert ledger["pixels"] + ledger["biases"] == pytest.approx(ledger["logit"], rel=1e-5)
    assert settings["ledger"]["xalexnet-caltech101"]["layers"] == []
    ast.parse(page.get_by_test_id("stCode").inner_text())


def test_it_fits_in_both_themes_wide_and_narrow(server: str, page: Page) -> None:
    def opened() -> None:
        page.goto(server + "/?image=rooster")
        wait_until_refined(page)

    for scheme, _ in looks(page, opened):
        map_ = page.get_by_alt_text("Difference of X-AlexNet for rooster")
        data = page.request.get(urljoin(server, map_.get_attribute("src"))).body()
        picture = Image.open(io.BytesIO(data)).convert("RGB")
        assert picture.getpixel((2, 2)) == NEUTRAL[scheme], "zero has the theme's neutral colour"
