"""The map canvas as an exported page, from disk and offline: what it says is what the core says.

Longer than 300 lines: every tool of the canvas is tried here once, on one scene.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Page, expect
from scipy.ndimage import gaussian_filter

from pages.common.maps_canvas import MapPanel, MapsScene, MapsView, standalone_page
from xdnn_core.figures.rendering import colourise, shared_scale
from xdnn_core.metrics.masking import CONFIDENCE_CURVES, kept_pixels

SIDE = 224
LOGITS = (4.0, 2.5)
MATH = (Path(__file__).parents[2] / "pages/common/maps/math.js").read_text()
Open = Callable[..., Page]


def maps() -> dict[str, tuple[np.ndarray, ...]]:
    """Two maps for each of two classes, which sum to the logits for the complete one."""
    rng = np.random.default_rng(0)

    def of_class(logit: float, complete: bool) -> np.ndarray:
        values = rng.standard_normal((SIDE, SIDE)) * np.hanning(SIDE)[:, None] * 1e-2
        if complete:
            values += (logit - values.sum()) / values.size
        return values.astype(np.float32)

    return {
        "net.one": tuple(of_class(logit, False) for logit in LOGITS),
        "net.ig": tuple(of_class(logit, True) for logit in LOGITS),
    }


MAPS = maps()


def scene(classes: int = 2) -> MapsScene:
    rng = np.random.default_rng(1)
    photo = rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    plain = {"logits": LOGITS[:classes], "network": "Net", "alt": "a map"}
    one, integrated = (values[:classes] for values in MAPS.values())
    panels = (
        MapPanel("photo", "Photograph", photo=True),
        MapPanel("net.one", "Input×Gradient", values=one, ranks=True, **plain),
        MapPanel(
            "net.ig",
            "Integrated Gradients",
            values=integrated,
            complete=True,
            ranks=True,
            **plain,
        ),
        MapPanel("net.difference", "Difference", minus=("net.one", "net.ig"), **plain),
    )
    fillings = {"blur": np.zeros_like(photo), "mean": np.full_like(photo, 128)}
    return MapsScene("scene", ("cat", "dog")[:classes], panels, photo, fillings)


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path):
    """Opens an exported page without a network; fails on any error in it."""
    contexts = []

    def opened(view: MapsView | None = None, classes: int = 2, **options: object) -> Page:
        file = tmp_path / "view.html"
        view = view or MapsView(order="net.one")
        file.write_text(standalone_page(scene(classes), view, "A view", ["Net"], "{}"))
        context = browser.new_context(offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: pytest.fail(str(error)))
        page.goto(file.as_uri())
        expect(page.get_by_role("group", name="Maps", exact=True)).to_be_visible()
        return page

    yield opened
    for context in contexts:
        context.close()


def pixels(page: Page, key: str) -> np.ndarray:
    """What a map's canvas shows, (H, W, 3)."""
    read = """canvas => [...canvas.getContext("2d")
      .getImageData(0, 0, canvas.width, canvas.height).data]"""
    data = page.locator(f'figure[data-key="{key}"] canvas').first.evaluate(read)
    return np.array(data, dtype=np.uint8).reshape(SIDE, SIDE, 4)[..., :3]


def share(page: Page, key: str) -> str:
    return page.locator(f'figure[data-key="{key}"] .share').inner_text().replace("−", "-")


def number_after(text: str, word: str) -> float:
    return float(re.search(rf"{word} ([+-][\d.e-]+)", text)[1])


@pytest.mark.parametrize("sigma", [0.25, 1.0, 3.5, 8.0])
def test_the_blur_is_the_cores(page: Page, sigma: float) -> None:
    map_ = MAPS["net.one"][0][:60, :83]
    found = page.evaluate(
        f"""([map, sigma]) => {{ {MATH};
          return [...blurMap(new Float32Array(map), 83, 60, sigma)] }}""",
        [map_.ravel().tolist(), sigma],
    )
    expected = gaussian_filter(map_.astype(float), sigma, mode="nearest")
    np.testing.assert_allclose(
        np.array(found).reshape(60, 83), expected, atol=1e-6 * np.abs(expected).max()
    )


@pytest.mark.parametrize("percentile", [90.0, 99.0, 99.9, 100.0])
def test_the_percentile_is_the_cores(page: Page, percentile: float) -> None:
    pair = [MAPS["net.one"][0], MAPS["net.ig"][0]]
    found = page.evaluate(
        f"""([maps, p]) => {{ {MATH};
          return percentileOfSizes(maps.map((map) => new Float32Array(map)), p) }}""",
        [[map_.ravel().tolist() for map_ in pair], percentile],
    )
    assert found == pytest.approx(np.percentile(np.abs(pair), percentile), rel=2e-3)


def test_the_order_of_pixels_is_the_cores(page: Page) -> None:
    map_ = np.round(MAPS["net.one"][0][:40, :40], 3)  # with ties
    ranks = page.evaluate(
        f"(map) => {{ {MATH}; return [...ranksOf(new Float32Array(map))] }}", map_.ravel().tolist()
    )
    metric = CONFIDENCE_CURVES["keep"]
    kept = kept_pixels(torch.from_numpy(map_)[None, None], metric)[:, 0]
    for fraction, mask in zip(metric.fractions, kept, strict=True):
        assert (np.array(ranks).reshape(40, 40) < int(fraction * 1600)).tolist() == mask.tolist()


def test_colours_are_those_of_the_exported_figure(open_page: Open) -> None:
    page = open_page(MapsView(order="net.one", blur=1.0), classes=1, color_scheme="light")
    blurred = {
        key: gaussian_filter(values[0] * 100 / LOGITS[0], 1.0, mode="nearest")
        for key, values in MAPS.items()
    }
    blurred["net.difference"] = blurred["net.one"] - blurred["net.ig"]
    limit = shared_scale(list(blurred.values())).limit
    for key, map_ in blurred.items():
        expected = colourise(map_, limit, "light")
        assert np.abs(pixels(page, key).astype(int) - expected).max() <= 4, key


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_both_themes_from_disk(open_page: Open, theme: str) -> None:
    page = open_page(color_scheme=theme)
    ground = page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(16, 20, 28)"}[theme]
    neutral = np.median(pixels(page, "net.ig"), axis=(0, 1))
    assert neutral.mean() > 200 if theme == "light" else neutral.mean() < 70


def test_a_region_carries_what_the_core_sums(open_page: Open) -> None:
    page = open_page()
    for name, value in {"x": 40, "y": 60, "width": 50, "height": 70}.items():
        field = page.get_by_role("spinbutton", name=f"Region {name}")
        field.fill(str(value))
        field.press("Enter")
    region = np.s_[60:130, 40:90]
    for key, values in MAPS.items():
        sum_ = float(values[0][region].astype(float).sum())
        assert number_after(share(page, key), "Region") == pytest.approx(
            sum_, abs=1e-4 * LOGITS[0], rel=5e-3  # three digits are shown
        )  # fmt: skip
    assert "not complete" in share(page, "net.one")
    assert "not complete" not in share(page, "net.ig")
    assert "3500 pixels, 7 %" in page.locator(".region").inner_text()
    page.get_by_role("button", name="Lift the region").click()
    assert share(page, "net.ig") == ""


def test_the_sum_of_the_whole_is_the_logit(open_page: Open) -> None:
    page = open_page(MapsView(order="net.one", rectangle=(0, 0, SIDE, SIDE)))
    assert number_after(share(page, "net.ig"), "Region") == pytest.approx(LOGITS[0], abs=5e-3)
    assert "100 % of the logit" in share(page, "net.ig").replace("\u00a0", " ")


def test_the_class_slider_goes_from_a_over_a_minus_b(open_page: Open) -> None:
    page = open_page(MapsView(order="net.one", rectangle=(0, 0, 112, 112), mix=0))
    slider = page.get_by_role("slider", name="Class")
    first, second = (values[:112, :112].astype(float).sum() for values in MAPS["net.ig"])
    for key, expected in (("Home", first), ("End", -second)):
        slider.press(key)
        expect(page.locator('figure[data-key="net.ig"] .share')).to_contain_text("Region")
        page.wait_for_timeout(100)
        assert number_after(share(page, "net.ig"), "Region") == pytest.approx(expected, rel=5e-3)
    slider.press("Home")
    for _ in range(50):
        slider.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", "cat − dog")
    page.wait_for_timeout(100)
    found = number_after(share(page, "net.ig"), "Region")
    assert found == pytest.approx(first - second, rel=5e-3)


def test_a_drag_draws_the_same_region_in_every_map(open_page: Open) -> None:
    page = open_page()
    page.get_by_text("Rectangle", exact=True).click()
    frame = page.locator('figure[data-key="net.ig"] .frame')
    box = frame.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 0.25 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.7 * box["height"], steps=4)
    page.mouse.up()
    x = page.get_by_role("spinbutton", name="Region x")
    assert int(x.input_value()) == pytest.approx(56, abs=1)
    for key in MAPS:
        assert "Region" in share(page, key)


def test_the_tab_key_reaches_every_control(open_page: Open) -> None:
    page = open_page(MapsView(order="net.one", tool="brush", rectangle=(9, 9, 30, 30)))
    count = page.evaluate(
        """() => [...document.querySelectorAll("input, select, button, summary, [tabindex]")]
          .filter((one) => one.checkVisibility() && !one.disabled
            && (one.type !== "radio" || one.checked))
          .map((one, at) => (one.dataset.stop = at)).length"""
    )
    assert count >= 20
    stops = []
    for _ in range(count):
        page.keyboard.press("Tab")
        stops.append(page.evaluate("Number(document.activeElement.dataset.stop)"))
    assert stops == list(range(count))


@pytest.mark.parametrize(
    ("name", "key", "panel"),
    [("Blur", "End", "net.ig"), ("Clip above", "Home", "net.ig"), ("Opacity", "Home", "net.ig"),
     ("Class", "End", "net.ig"), ("the most important", "Home", "photo")],
)  # fmt: skip
def test_every_slider_by_keyboard(open_page: Open, name: str, key: str, panel: str) -> None:
    page = open_page(MapsView(order="net.one", mode="overlay"))
    slider = page.get_by_role("slider", name=name)
    before, said = pixels(page, panel), slider.get_attribute("aria-valuetext")
    slider.press(key)
    expect(slider).not_to_have_attribute("aria-valuetext", str(said))
    page.wait_for_timeout(100)
    assert (pixels(page, panel) != before).any()


def test_every_choice_by_keyboard(open_page: Open) -> None:
    page = open_page()
    shown = [pixels(page, "net.ig")]
    for before in ("Heat map", "Overlay", "Only for"):
        page.get_by_role("radio", name=before).press("ArrowRight")
        page.wait_for_timeout(100)
        shown.append(pixels(page, "net.ig"))
        assert all((shown[-1] != earlier).any() for earlier in shown[:-1])
    scale = page.locator(".scale span")
    page.get_by_role("radio", name="% of logit").press("ArrowRight")
    expect(scale).to_contain_text("logits a pixel")
    page.get_by_role("radio", name="shared").press("ArrowRight")
    expect(scale).to_contain_text("a scale of its own")
    page.get_by_role("slider", name="the most important").press("Home")
    page.wait_for_timeout(100)
    shown = [pixels(page, "photo")]
    for name, chosen in (("Keep or remove", "remove"), ("Order of", "net.ig")):
        select = page.get_by_role("combobox", name=name)
        select.press("ArrowDown")
        expect(select).to_have_value(chosen)
        page.wait_for_timeout(100)
        shown.append(pixels(page, "photo"))
        assert (shown[-1] != shown[-2]).any()


def test_the_view_follows_the_crosshair(open_page: Open) -> None:
    page = open_page()
    page.get_by_role("group", name="Maps", exact=True).focus()
    for _ in range(4):
        page.keyboard.press("+")
    for _ in range(14):
        page.keyboard.press("Shift+ArrowRight")
    frame = page.locator('figure[data-key="net.ig"] .frame')
    left = float(str(frame.locator(".column").get_attribute("style")).split("%")[0].split()[-1])
    assert page.locator("[aria-live]").inner_text().startswith("x 223, y 112.")
    assert 95 < left < 100, "the pixel pointed at is in sight, at the right edge"


def test_everything_by_keyboard(open_page: Open) -> None:
    page = open_page()
    page.get_by_role("radio", name="Look").press("ArrowRight")
    grid = page.get_by_role("group", name="Maps", exact=True)
    grid.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    for _ in range(3):
        page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    fields = [
        page.get_by_role("spinbutton", name=f"Region {name}").input_value()
        for name in ("x", "y", "width", "height")
    ]
    assert fields == ["111", "112", "2", "25"]
    value = MAPS["net.ig"][0]
    live = page.locator("[aria-live]").inner_text()
    assert live.startswith("x 112, y 136.")
    assert "Integrated Gradients, Net: " in live
    page.keyboard.press("Delete")
    assert share(page, "net.ig") == ""
    page.get_by_role("radio", name="Rectangle").press("ArrowRight")
    grid.focus()
    page.keyboard.press(" ")
    disc = np.hypot(*np.mgrid[-136:88, -112:112]) <= 8
    found = number_after(share(page, "net.ig"), "Region")
    assert found == pytest.approx(float(value[disc].astype(float).sum()), rel=5e-3, abs=4e-4)
    page.keyboard.press("+")
    moved = page.locator('figure[data-key="net.one"] canvas').first
    assert "scale(1.5)" in str(moved.get_attribute("style"))
    page.keyboard.press("0")
    assert "scale(1)" in str(moved.get_attribute("style"))


def test_zoom_and_crosshair_are_linked(open_page: Open) -> None:
    page = open_page(MapsView(order="net.one", blur=0.0))
    frame = page.locator('figure[data-key="net.ig"] .frame')
    frame.click(position={"x": 30, "y": 40})
    page.mouse.wheel(0, -600)
    styles = page.locator(".frame > canvas:first-child").evaluate_all(
        "all => new Set(all.map(canvas => canvas.style.transform)).size"
    )
    assert styles == 1
    text = page.locator('figure[data-key="photo"] .value').inner_text()
    x, y = map(int, re.findall(r"\d+", text))
    for key, values in MAPS.items():
        shown = page.locator(f'figure[data-key="{key}"] .value').inner_text().replace("−", "-")
        assert float(shown) == pytest.approx(100 * values[0][y, x] / LOGITS[0], rel=5e-3)
    frame.dblclick()
    assert "scale(1)" in str(frame.locator("canvas").first.get_attribute("style"))


def test_the_most_important_pixels_stay(open_page: Open) -> None:
    page = open_page(MapsView(order="net.one", top=10))
    shown = pixels(page, "photo")
    order = np.argsort(-MAPS["net.one"][0].ravel(), kind="stable")[: int(0.1 * SIDE**2)]
    mask = np.zeros(SIDE**2, dtype=bool)
    mask[order] = True
    photo = scene().photo
    expected = np.where(mask.reshape(SIDE, SIDE)[..., None], photo, 0)
    assert (shown == expected).all()


@pytest.fixture
def phone(open_page: Open) -> Page:
    """The page on a phone, where only fingers point."""
    view = MapsView(order="net.one", blur=0.0)
    return open_page(view, has_touch=True, is_mobile=True, viewport={"width": 400, "height": 800})


def touch(page: Page, *moments: list[tuple[float, float]]) -> None:
    """Fingers on the photograph: where they are at each moment, in shares of its side."""
    frame = page.locator('figure[data-key="photo"] .frame')
    frame.scroll_into_view_if_needed()
    box = frame.bounding_box()
    assert box is not None
    glass = page.context.new_cdp_session(page)

    def send(kind: str, fingers: list[tuple[float, float]]) -> None:
        points = [
            {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"], "id": number}
            for number, (x, y) in enumerate(fingers)
        ]
        glass.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    send("touchStart", moments[0])
    for fingers in moments[1:]:
        send("touchMove", fingers)
    send("touchEnd", [])
    page.wait_for_timeout(100)


def test_a_phone_has_one_column(phone: Page) -> None:
    assert phone.evaluate("document.documentElement.scrollWidth") <= 400
    boxes = phone.locator(".frame").evaluate_all("all => all.map(one => one.clientWidth)")
    assert min(boxes) >= 320


def test_a_tap_reads_the_pixel_in_every_map(phone: Page) -> None:
    touch(phone, [(0.25, 0.5)])
    text = phone.locator('figure[data-key="photo"] .value').inner_text()
    x, y = map(int, re.findall(r"\d+", text))
    assert (x, y) == (pytest.approx(56, abs=1), pytest.approx(112, abs=1))
    for key, values in MAPS.items():
        shown = phone.locator(f'figure[data-key="{key}"] .value').inner_text().replace("−", "-")
        assert float(shown) == pytest.approx(100 * values[0][y, x] / LOGITS[0], rel=5e-3)


def transform(page: Page) -> list[float]:
    """Where every map is drawn: moved by x % and y %, and how large."""
    styles = page.locator(".frame > canvas:first-child").evaluate_all(
        "all => [...new Set(all.map(canvas => canvas.style.transform))]"
    )
    (style,) = styles
    return [float(number) for number in re.findall(r"-?[\d.]+(?:e-?\d+)?", style)]


def test_two_fingers_zoom_and_one_moves(phone: Page) -> None:
    pinch = [[(0.5 - apart, 0.5), (0.5 + apart, 0.5)] for apart in (0.1, 0.15, 0.2)]
    touch(phone, *pinch)
    x, y, size = transform(phone)
    assert size == pytest.approx(2, rel=0.05)
    touch(phone, [(0.5, 0.5)], [(0.4, 0.4)], [(0.3, 0.3)])
    moved_x, moved_y, same = transform(phone)
    assert same == size
    assert (moved_x - x, moved_y - y) == (pytest.approx(-20, abs=3), pytest.approx(-20, abs=3))
    touch(phone, *reversed(pinch))
    assert transform(phone)[2] == pytest.approx(1, abs=0.05)


def test_a_finger_draws_regions(phone: Page) -> None:
    phone.get_by_text("Rectangle", exact=True).tap()
    touch(phone, [(0.25, 0.25)], [(0.4, 0.5)], [(0.5, 0.75)])
    x, y, width, height = (
        int(phone.get_by_role("spinbutton", name=f"Region {name}").input_value())
        for name in ("x", "y", "width", "height")
    )
    for found, expected in zip((x, y, width, height), (56, 56, 57, 113), strict=True):
        assert found == pytest.approx(expected, abs=2)
    inside = MAPS["net.ig"][0][y : y + height, x : x + width].astype(float).sum()
    assert number_after(share(phone, "net.ig"), "Region") == pytest.approx(inside, rel=5e-3)
    phone.get_by_role("button", name="Lift the region").tap()
    assert share(phone, "net.ig") == ""
    phone.get_by_text("Brush", exact=True).tap()
    touch(phone, [(0.5, 0.5)])
    disc = np.hypot(*np.mgrid[-9:10, -9:10]) <= 8
    expect(phone.locator(".region")).to_contain_text(f"{disc.sum()} pixels")
    assert "Region" in share(phone, "net.ig")


def test_choices_and_sliders_by_finger(phone: Page) -> None:
    before = pixels(phone, "net.ig")
    phone.get_by_text("Overlay", exact=True).tap()
    phone.wait_for_timeout(100)
    overlay = pixels(phone, "net.ig")
    assert (overlay != before).any()
    slider = phone.get_by_role("slider", name="Blur")
    slider.tap()
    expect(slider).to_have_value("4")
    phone.wait_for_timeout(100)
    assert (pixels(phone, "net.ig") != overlay).any()
