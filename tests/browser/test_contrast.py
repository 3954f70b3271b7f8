"""The Contrast page in a real browser: everything the slider moves, without the server."""

from __future__ import annotations

import base64
import re

import numpy as np
from playwright.sync_api import Locator, Page, expect

from tests.browser.driving import (
    choose_class,
    pick,
    query,
    wait_until_idle,
    wait_until_refined,
)
from tests.browser.looks import NEUTRAL, looks
from xdnn_core.data.gallery import gallery
from xdnn_core.models.zoo import load_model

MAPS = (
    "Input×Gradient of AlexNet",
    "Integrated Gradients of AlexNet",
    "X-Gradient of X-AlexNet",
    "Integrated Gradients of X-AlexNet",
)
PHOTO = "Photograph: Rooster"
PAYLOAD_LIMIT = 4_000_000  # bytes
# How long the slider must rest before its position goes into the address, with some room.
REST = 900  # ms


def open_contrast(page: Page, server: str, parameters: str = "image=rooster") -> None:
    """Open the page and wait for its pictures, refined."""
    page.goto(f"{server}/contrast?{parameters}")
    expect(canvas(page, MAPS[0])).to_be_visible()
    wait_until_refined(page)


def slider(page: Page) -> Locator:
    return page.get_by_role("slider", name="Contrast α")


def canvas(page: Page, name: str) -> Locator:
    return page.get_by_role("img", name=re.compile(f"^{name}"))


def pixels(page: Page, name: str) -> np.ndarray:
    """What a canvas shows, (H, W, 3)."""
    # What has changed is drawn in the next frame. As text: a list of so many numbers takes a second
    # to come over.
    read = """async canvas => {
        await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        let text = "";
        for (const byte of data) text += String.fromCharCode(byte);
        return [canvas.height, canvas.width, btoa(text)];
    }"""
    height, width, text = canvas(page, name).evaluate(read)
    values = np.frombuffer(base64.b64decode(text), dtype=np.uint8)
    return values.reshape(height, width, 4)[..., :3]


def spread(picture: np.ndarray) -> float:
    """How far the colours are from the neutral one, on average."""
    return float(np.abs(picture.astype(float) - 255).mean())


def move_to(page: Page, stop: int) -> None:
    """Bring the slider to a stop by the keyboard."""
    handle = slider(page)
    handle.focus()
    page.keyboard.press("Home")
    for _ in range(stop):
        page.keyboard.press("ArrowRight")
    expect(handle).to_have_value(str(stop))
    expect(handle).to_have_attribute("aria-valuetext", re.compile(f"^α = {stop / 20:.2f}"))


class Traffic:
    """Counts what goes over the wire."""

    def __init__(self, page: Page) -> None:
        self.sent = 0
        self.received: list[int] = []
        page.on("websocket", self._listen)
        page.on("request", lambda request: self._count())

    def _listen(self, socket) -> None:
        socket.on("framesent", lambda data: self._count())
        socket.on("framereceived", lambda data: self.received.append(len(data or "")))

    def _count(self) -> None:
        self.sent += 1


def test_a_link_is_restored_and_old_pictures_stay_until_new_ones_come(
    server: str, page: Page
) -> None:
    # An old link: "colours" was the name of "scale".
    page.goto(server + "/contrast?image=rooster&class=pigeon&alpha=0.4&colours=shared")
    expect(canvas(page, "X-Gradient of X-AlexNet for pigeon, α = 0.40")).to_be_visible()
    expect(page.get_by_role("button", name="Rooster", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )
    expect(slider(page)).to_have_attribute("aria-valuetext", re.compile("^α = 0.40. AlexNet: "))
    expect(page.get_by_role("radio", name="that of α = 1")).to_be_checked()
    asked = {"image": "rooster", "class": "pigeon", "alpha": "0.4", "scale": "shared"}
    assert asked.items() <= query(page).items()
    assert "colours" not in query(page)
    pick(page, "Flamingo")
    expect(canvas(page, "X-Gradient of X-AlexNet for flamingo, α = 0.40")).to_be_visible()
    move_to(page, 12)
    choose_class(page, "rhino")
    expect(page.get_by_test_id("stProgress").first).to_be_visible()
    expect(canvas(page, "X-Gradient of X-AlexNet for flamingo, α = 0.60")).to_be_visible()
    expect(canvas(page, "X-Gradient of X-AlexNet for rhino, α = 0.60")).to_be_visible()
    assert query(page)["class"] == "rhino"


def test_dragging_redraws_without_a_request(server: str, page: Page) -> None:
    traffic = Traffic(page)
    open_contrast(page, server)
    largest = max(traffic.received)
    print(f"largest message: {largest / 1e6:.2f} MB")
    assert 1_000_000 < largest <= PAYLOAD_LIMIT
    before = {name: pixels(page, name) for name in (PHOTO, *MAPS)}
    box = slider(page).bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 2 / 3, middle)
    page.mouse.down()
    sent = traffic.sent
    for share in np.linspace(0.65, 0.2, 20):
        page.mouse.move(box["x"] + box["width"] * share, middle)
    expect(slider(page)).to_have_value("6")
    page.wait_for_timeout(REST)
    assert traffic.sent == sent, "nothing is asked of the server while the slider is held"
    for name in (PHOTO, *MAPS[:2]):
        assert (pixels(page, name) != before[name]).any(), name
    for name in MAPS[2:]:
        # The scale's end is read to a thousandth, which may be one of 127 colours.
        apart = np.abs(pixels(page, name).astype(int) - before[name])
        assert apart.max() <= 4, "without biases, maps only scale"
    assert "alpha" not in query(page) or query(page)["alpha"] == "1"
    page.mouse.up()
    expect(page).to_have_url(re.compile("alpha=0.3(&|$)"))
    wait_until_idle(page)
    expect(slider(page)).to_have_value("6")
    assert max(traffic.received[-20:]) < 1_000_000, "the maps are sent once"


def test_what_is_drawn_is_what_was_computed(server: str, page: Page) -> None:
    open_contrast(page, server)
    # The photograph is the scaled, normalised one.
    photo = next(item for item in gallery() if item.key == "rooster").open()
    preprocessing = load_model("alexnet-caltech101").preprocessing
    for stop in (0, 9, 20, 30):
        move_to(page, stop)
        expected = preprocessing.to_display(preprocessing(photo) * (stop / 20))
        drawn = pixels(page, PHOTO).astype(int)
        assert np.abs(drawn - expected).max() <= 1, "within rounding"
    # Both scales.
    name = MAPS[2]
    move_to(page, 20)
    full = spread(pixels(page, name))
    page.get_by_text("that of α = 1", exact=True).click()
    move_to(page, 4)
    faded = spread(pixels(page, name))
    assert faded < 0.4 * full, "a fifth of the contrast is a fifth of the attribution"
    expect(page).to_have_url(re.compile("scale=shared"))
    page.get_by_text("each map its own", exact=True).click()
    expect(page.get_by_text("sizes are not comparable")).to_be_visible()
    assert spread(pixels(page, name)) > 0.8 * full
    expect(page).not_to_have_url(re.compile("scale="))
    # The sentence agrees with the slider.
    text = page.get_by_text(re.compile("AlexNet's prediction")).first.inner_text()
    assert re.search(
        r"X-AlexNet's prediction is the same at all \d+ contrasts above 0; its attributions only "
        r"scale\.", text,
    )  # fmt: skip
    change = re.search(r"prediction changes at α = ([\d.]+), to ([^;]+);", text)
    assert change is not None, text
    stop = round(float(change[1]) * 20)
    move_to(page, stop)
    expect(slider(page)).to_have_attribute(
        "aria-valuetext", re.compile(f"AlexNet: {re.escape(change[2])} ")
    )
    move_to(page, stop + 1)
    expect(slider(page)).to_have_attribute("aria-valuetext", re.compile("AlexNet: rooster "))


def test_keyboard_play_and_the_line_in_the_charts(server: str, page: Page) -> None:
    open_contrast(page, server)
    lines = page.locator(".contrast-cursor")
    expect(lines.first).to_be_attached()
    at = "line => line.getBoundingClientRect().left"
    before = lines.first.evaluate(at)
    move_to(page, 5)
    assert lines.count() >= 4
    assert lines.first.evaluate(at) < before - 50
    expect(page).to_have_url(re.compile("alpha=0.25"))
    for _ in range(26):
        page.keyboard.press("ArrowRight")
    expect(slider(page)).to_have_value("30")
    page.get_by_role("button", name="Play").click()
    for value in ("28", "24"):
        expect(slider(page)).to_have_value(value)
    page.get_by_role("button", name="Pause").click()
    still = slider(page).input_value()
    page.wait_for_timeout(REST)
    assert slider(page).input_value() == still
    expect(page).to_have_url(re.compile(f"alpha={int(still) / 20:g}(&|$)"))


def test_it_fits_in_both_themes_wide_and_narrow(server: str, page: Page) -> None:
    for scheme, _ in looks(page, lambda: open_contrast(page, server)):
        move_to(page, 0)
        for name in MAPS:
            picture = pixels(page, name)
            assert (picture == NEUTRAL[scheme]).all(), "zero has the theme's neutral colour"
            label = re.compile("zero everywhere$")
            expect(canvas(page, name)).to_have_attribute("aria-label", label)
