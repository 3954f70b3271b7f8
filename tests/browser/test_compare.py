"""The Compare page in a real browser."""

from __future__ import annotations

import ast
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.driving import choose_class, pick, query, wait_until_idle
from tests.browser.looks import NEUTRAL, looks
from xdnn_core.data.gallery import gallery
from xdnn_core.metrics.erasing import erased_change
from xdnn_core.models.zoo import load_model

PANELS = 8  # the photograph, three a network, and the regular network's biases
REFINED = re.compile(r"1 gradient call instead of 128")


def wait_for_panels(page: Page) -> None:
    """Wait for the coarse picture or a better one."""
    expect(page.locator(".grid figure")).to_have_count(PANELS)


def map_of(page: Page, name: str) -> Locator:
    """The canvas of a map, by the beginning of its alternative text."""
    return page.get_by_role("img", name=re.compile(f"^{re.escape(name)}"))


def pixels(map_: Locator) -> np.ndarray:
    """What a map shows, (H, W, 3)."""
    read = """canvas => [canvas.height, canvas.width, ...canvas.getContext("2d")
      .getImageData(0, 0, canvas.width, canvas.height).data]"""
    height, width, *data = map_.evaluate(read)
    return np.array(data, dtype=np.uint8).reshape(height, width, 4)[..., :3]


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
    page.goto(server + "/compare?image=camera")
    wait_for_panels(page)
    pick(page, "Rooster")
    expect(map_of(page, "X-Gradient of X-AlexNet for rooster")).to_be_visible()
    wait_until_refined(page)
    assert query(page)["image"] == "rooster"
    before = pixels(map_of(page, "X-Gradient of X-AlexNet for rooster"))
    choose_class(page, "pigeon")
    after = map_of(page, "X-Gradient of X-AlexNet for pigeon")
    expect(after).to_be_visible()
    assert (pixels(after) != before).any()
    assert query(page)["class"] == "pigeon"
    # By keyboard: the arrows go along the strip from where it stands.
    strip = page.locator(".strip button")
    titles = strip.evaluate_all("all => all.map((one) => one.querySelector('img').alt)")
    following = titles[titles.index("Rooster") + 1]
    page.get_by_role("button", name="Rooster", exact=True).focus()
    for key in ("ArrowRight", "ArrowLeft", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    expect(map_of(page, f"{following}, as the networks see it")).to_be_visible()
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
    yours = map_of(page, "Your photo, as the networks see it")
    expect(yours).to_be_visible()
    wait_for_panels(page)
    assert query(page)["image"] == "own"
    last_good = pixels(yours)
    bad = tmp_path / "drawing.png"
    bad.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    chooser.set_input_files(bad)
    sentence = page.get_by_test_id("stAlert")
    expect(sentence).to_be_visible()
    text = sentence.inner_text()
    assert "Traceback" not in text
    assert str(tmp_path) not in text
    assert (pixels(yours) == last_good).all(), "the last good photograph stays"
    page.keyboard.press("Escape")
    pick(page, "Pigeon")
    # The class is AlexNet's own prediction, whatever X-AlexNet says.
    expect(map_of(page, "X-Gradient of X-AlexNet for pigeon")).to_be_visible()


def test_downloads_hold_what_is_on_screen(server: str, page: Page) -> None:
    page.goto(server + "/?image=rooster")
    wait_until_refined(page)
    open_popover(page, "Download")
    files = {}
    for name in ("This view, HTML", "Figure, PNG", "Raw attributions, NPZ", "Settings, JSON"):
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


def test_a_region_is_erased_and_the_networks_are_asked_again(
    server: str, page: Page, browser: Browser, tmp_path: Path
) -> None:
    page.goto(server + "/compare?image=rooster&region=60,40,80,90")
    wait_until_refined(page)
    figure = page.locator('figure[data-key="xalexnet-caltech101.x_gradient"]')
    carried = figure.locator(".share").inner_text()
    predicted = float(re.search(r"Region ([+−][\d.]+)", carried)[1].replace("−", "-"))
    page.get_by_role("button", name="Blur it and ask again").press("Enter")
    erased = page.locator(".erased section")
    expect(erased).to_have_count(2)
    bars = erased.nth(1).locator(".bar output").all_inner_texts()
    measured, *sums = (float(text.replace("−", "-")) for text in bars)
    assert sums[0] == pytest.approx(-predicted, rel=0.02)
    model = load_model("xalexnet-caltech101")
    photo = next(item for item in gallery() if item.key == "rooster").open()
    region = torch.zeros(224, 224, dtype=torch.bool)
    region[40:130, 60:140] = True
    target = model.classes.index("rooster")
    expected = erased_change(model.network, model.preprocess(photo)[None], [target], region)
    assert measured == pytest.approx(float(expected[0]), rel=0.01)
    page.get_by_role("button", name="Measure the networks along it").click()
    expect(page.locator(".curves svg")).to_have_count(2)
    # What was measured goes with the view.
    open_popover(page, "Download")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="This view, HTML").click()
    file = tmp_path / "view.html"
    waiting.value.save_as(file)
    assert file.stat().st_size <= 4_000_000
    offline = browser.new_context(offline=True)
    alone = offline.new_page()
    alone.goto(file.as_uri())
    expect(alone.locator(".erased section")).to_have_count(2)
    shares = alone.locator('figure[data-key="xalexnet-caltech101.x_gradient"] .share')
    assert shares.inner_text() == carried
    offline.close()


def test_finer_maps_and_the_address_leave_the_focus_where_it_is(
    start_server: Callable[[], str], page: Page
) -> None:
    page.goto(start_server() + "/compare?image=rooster")
    wait_for_panels(page)
    stop = page.get_by_role("button", name="Stop", exact=True)
    expect(stop).to_be_visible()
    slider = page.get_by_role("slider", name="Blur")
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(slider).to_have_value("1.25")
    assert stop.is_visible(), "the maps are coarse yet"
    expect(page.get_by_text(REFINED)).to_be_visible()
    expect(stop).to_have_count(0)
    page.keyboard.press("ArrowRight")
    expect(slider).to_have_value("1.5")
    page.wait_for_url(re.compile("blur=1.5"))
    page.wait_for_timeout(500)
    page.keyboard.press("ArrowRight")
    expect(slider).to_have_value("1.75")
    expect(slider).to_be_focused()


def test_a_region_goes_with_its_photograph(server: str, page: Page) -> None:
    page.goto(server + "/compare?image=rooster&region=60,40,80,90&blur=2")
    wait_for_panels(page)
    x = page.get_by_role("spinbutton", name="Region x")
    expect(x).to_have_value("60")
    pick(page, "Camera")
    expect(map_of(page, "Camera, as the networks see it")).to_be_visible()
    expect(x).to_have_value("")
    wait_until_idle(page)
    assert "region" not in query(page)
    assert query(page)["blur"] == "2"


def test_sliders_ask_nothing_of_the_server(server: str, page: Page) -> None:
    sent: list[object] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    page.goto(server + "/compare?image=rooster&against=pigeon")
    wait_until_refined(page)
    map_ = map_of(page, "Integrated Gradients of X-AlexNet")
    for name in ("Blur", "Clip above", "Class", "the most important"):
        slider = page.get_by_role("slider", name=name)
        slider.focus()
        count, before = len(sent), pixels(map_)
        slider.evaluate(
            """(slider) => { for (const share of [0.2, 0.9, 0.5]) {
              slider.value = +slider.min + share * (slider.max - slider.min);
              slider.dispatchEvent(new Event("input"));
            } }"""
        )
        page.wait_for_timeout(600)
        assert len(sent) == count, name
        assert name == "the most important" or (pixels(map_) != before).any(), name


def test_it_fits_in_both_themes_wide_and_narrow(server: str, page: Page) -> None:
    def opened() -> None:
        page.goto(server + "/?image=rooster")
        wait_until_refined(page)

    for scheme, _ in looks(page, opened):
        picture = pixels(map_of(page, "Difference of X-AlexNet for rooster"))
        assert tuple(picture[2, 2]) == NEUTRAL[scheme], "zero has the theme's neutral colour"
