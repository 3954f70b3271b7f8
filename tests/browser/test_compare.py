"""The Compare page in a real browser."""

from __future__ import annotations

import ast
import io
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from pages.compare_parts.sentences import ledger_sentence
from xdnn_core.attribution.ledger import bias_attribution
from xdnn_core.data.gallery import gallery
from xdnn_core.models.zoo import load_model
from xdnn_core.text import signed

PANELS = 7  # three a network, and the regular network's biases
REFINED = re.compile(r"1 gradient call instead of 128")


def panels(page: Page) -> int:
    """How many attribution maps are on screen."""
    return page.locator('[class*="st-key-panel_"] img').count()


def wait_for_panels(page: Page) -> None:
    """Wait for the coarse picture or a better one."""
    expect(page.locator('[class*="st-key-panel_"] img')).to_have_count(PANELS)


def wait_until_refined(page: Page) -> None:
    """Wait for the picture of 128 gradient calls, with nothing running any more."""
    expect(page.get_by_text(REFINED)).to_be_visible()
    expect(page.get_by_role("button", name="Stop", exact=True)).to_have_count(0)


def wait_until_idle(page: Page) -> None:
    """Wait until the server has nothing more to send."""
    app = page.get_by_test_id("stApp")
    expect(app).to_have_attribute("data-test-script-state", "notRunning")


def query(page: Page) -> dict[str, str]:
    """The address's parameters."""
    return {k: v[0] for k, v in parse_qs(urlparse(page.url).query).items()}


def pick(page: Page, title: str) -> None:
    """Click a photograph of the strip."""
    page.get_by_role("button", name=title, exact=True).click()


def open_popover(page: Page, name: str) -> None:
    page.get_by_role("button", name=re.compile(name)).first.click()


def test_a_fresh_server_shows_the_first_page_then_coarse_then_full_pictures(
    start_server: Callable[[], str], page: Page, record_property: Callable[[str, object], None]
) -> None:
    began = time.monotonic()
    page.goto(start_server())
    expect(page.get_by_role("button", name="Camera", exact=True)).to_be_visible()
    first = time.monotonic() - began
    wait_for_panels(page)
    coarse = time.monotonic() - began
    wait_until_refined(page)
    full = time.monotonic() - began
    for name, seconds in {"first_page": first, "coarse": coarse, "full": full}.items():
        record_property(name, round(seconds, 2))
        print(f"{name}: {seconds:.1f} s after the server was started")
    assert panels(page) == PANELS


def test_a_deep_link_on_a_fresh_server_shows_the_whole_app(
    start_server: Callable[[], str], page: Page
) -> None:
    page.goto(start_server() + "/compare?image=rooster&class=pigeon")
    wait_for_panels(page)
    expect(page.get_by_test_id("stHeaderLogo")).to_be_visible()
    expect(page.get_by_role("button", name="Rooster", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )
    assert query(page)["class"] == "pigeon"


def test_choosing_a_photo_and_a_class(server: str, page: Page) -> None:
    page.goto(server)
    wait_for_panels(page)
    began = time.monotonic()
    pick(page, "Rooster")
    expect(page.get_by_alt_text("X-Gradient of X-AlexNet for rooster")).to_be_visible()
    print(f"coarse picture {time.monotonic() - began:.1f} s after the click")
    wait_until_refined(page)
    print(f"full picture {time.monotonic() - began:.1f} s after the click")
    assert query(page)["image"] == "rooster"
    before = page.get_by_alt_text("X-Gradient of X-AlexNet for rooster").get_attribute("src")
    page.get_by_role("combobox", name=re.compile("Class to explain")).click()
    page.keyboard.type("pigeon")
    page.keyboard.press("Enter")
    after = page.get_by_alt_text("X-Gradient of X-AlexNet for pigeon")
    expect(after).to_be_visible()
    assert after.get_attribute("src") != before
    assert query(page)["class"] == "pigeon"
    pick(page, "Elephant")
    expect(page.get_by_alt_text("X-Gradient of X-AlexNet for elephant")).to_be_visible()
    assert "class" not in query(page), "a new photograph starts with the predicted class"


def test_uploads_good_and_bad(server: str, page: Page, tmp_path: Path) -> None:
    page.goto(server)
    wait_for_panels(page)
    good = tmp_path / "wide.png"
    Image.linear_gradient("L").resize((640, 320)).convert("RGB").save(good)
    open_popover(page, "Your photo")
    chooser = page.locator('input[type="file"]')
    chooser.set_input_files(good)
    expect(page.get_by_alt_text("Your photo, as the networks see it")).to_be_visible()
    wait_until_refined(page)
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


def test_the_ledger_says_what_the_core_says(server: str, page: Page) -> None:
    page.goto(server + "/?image=camera&steps=8")
    model = load_model("alexnet-caltech101", device="cpu")
    photo = next(item for item in gallery() if item.key == "camera").open()
    x = model.preprocess(photo)[None]
    ledger = bias_attribution(model.network, x, model.classes.index("camera"))
    sentence = ledger_sentence(ledger, "camera").replace("**", "")
    assert "24\u00a0% from pixels, 76\u00a0% from biases" in sentence
    said = page.get_by_test_id("stMarkdown").filter(has_text="Its logit for camera")
    expect(said).to_contain_text(sentence.replace("\u00a0", " "))
    expect(said).to_contain_text(re.compile("Input×Gradient differs from Integrated Gradients by"))
    assert "because" not in said.inner_text()
    chart = page.locator(".stPlotlyChart")
    for label in ("Pixels", "Convolution 1", "Linear 3", "Logit", signed(ledger.outputs.item())):
        expect(chart.get_by_text(label, exact=True).first).to_be_visible()
    at_zero = f"F(0) {signed(ledger.baseline_outputs.item())}, the mean image"
    expect(chart.get_by_text(at_zero)).to_be_visible()
    expect(chart.get_by_text("Unexplained")).to_have_count(0)
    expect(page.get_by_text(re.compile("X-AlexNet has no biases: its pixels"))).to_be_visible()
    open_popover(page, "From 0 to the logit")
    expect(page.get_by_text("Srinivas and Fleuret 2019").first).to_be_visible()


def test_a_tolerance_in_place_of_a_number_of_calls(server: str, page: Page) -> None:
    page.goto(server + "/?image=rooster&until=estimated+error&tolerance=1+%25&cap=32")
    capped = page.get_by_text(re.compile("The cap of 32 gradient calls was reached"))
    expect(capped).to_have_count(1)  # AlexNet's; X-AlexNet is done after 16
    expect(page.get_by_text("1 gradient call instead of 16")).to_be_visible()
    tolerance = page.get_by_text("Tolerance", exact=True).locator("xpath=following-sibling::*[1]")
    expect(tolerance).to_have_text(["not met, cap reached", "met"])
    open_popover(page, "Integration")
    slider = page.get_by_role("slider", name=re.compile("Gradient calls at most"))
    slider.focus()
    page.keyboard.press("End")
    expect(page).to_have_url(re.compile("cap=1024"))
    expect(tolerance).to_have_text(["met", "met"])
    expect(capped).to_have_count(0)
