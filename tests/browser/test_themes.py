"""Every page in both themes, wide and narrow: nothing sticks out, and zero is neutral.

A page is computed once: it begins dark and narrow, then theme and window change around it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from urllib.parse import urljoin

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser import (
    prior_page,
    test_axioms as axioms,
    test_compare as compare,
    test_contrast as contrast,
    test_convergence as convergence,
)
from tests.browser.driving import sideways_overflow, wait_for
from tests.browser.test_results import TABLES

LOOKS = (("dark", 800), ("dark", 1400), ("light", 1400), ("light", 800))
NEUTRAL = {"light": (255, 255, 255), "dark": (16, 20, 28)}


@pytest.fixture
def window(page: Page) -> Page:
    """A window in the first of the looks."""
    scheme, width = LOOKS[0]
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    return page


def looks(window: Page) -> Iterator[tuple[str, int]]:
    """Each theme in each width; in all of them the page fits its window."""
    for scheme, width in LOOKS:
        window.emulate_media(color_scheme=scheme)
        window.set_viewport_size({"width": width, "height": 900})
        ground = "rgb({}, {}, {})".format(*NEUTRAL[scheme])
        expect(window.get_by_test_id("stApp")).to_have_css("background-color", ground)
        # Charts and tables follow the window a moment later.
        window.wait_for_timeout(500)
        window.wait_for_function("document.documentElement.scrollWidth <= window.innerWidth")
        yield scheme, width
        assert sideways_overflow(window) <= 0, "nothing sticks out sideways"


def test_compare_fits(server: str, window: Page) -> None:
    window.goto(server + "/?image=rooster")
    compare.wait_until_refined(window)
    map_ = window.get_by_alt_text("Difference of X-AlexNet for rooster")

    def corner() -> object:
        data = window.request.get(urljoin(server, map_.get_attribute("src"))).body()
        return Image.open(io.BytesIO(data)).convert("RGB").getpixel((2, 2))

    for scheme, _ in looks(window):
        # Zero has the theme's neutral colour.
        wait_for(window, lambda scheme=scheme: corner() == NEUTRAL[scheme])


def test_contrast_fits(server: str, window: Page) -> None:
    contrast.open_contrast(window, server)
    contrast.move_to(window, 0)
    for name in contrast.MAPS:
        label = re.compile("zero everywhere$")
        expect(contrast.canvas(window, name)).to_have_attribute("aria-label", label)

    def is_neutral(name: str, scheme: str) -> bool:
        return bool((contrast.pixels(window, name) == NEUTRAL[scheme]).all())

    for scheme, _ in looks(window):
        for name in contrast.MAPS:
            wait_for(window, lambda name=name, scheme=scheme: is_neutral(name, scheme))


def test_convergence_fits(server: str, window: Page) -> None:
    convergence.open_convergence(window, server)
    for _ in looks(window):
        for key in convergence.CHARTS:
            expect(convergence.chart(window, key)).to_be_visible()


def test_axioms_fits(server: str, window: Page) -> None:
    axioms.open_axioms(window, server)
    last = axioms.cell(window, "X-Gradient, Nonnegative homogeneity")
    for _, width in looks(window):
        window.wait_for_function(
            "([button, width]) => button.getBoundingClientRect().right <= width",
            arg=[last.element_handle(), width],
        )


def test_prior_training_fits(server: str, window: Page) -> None:
    prior_page.open_page(window, server, methods="No prior", epochs="5")
    prior_page.press(window, "Start")
    expect(prior_page.state(window)).to_contain_text("Finished")
    for scheme, _ in looks(window):
        for table in (".features", ".tests"):
            inside = window.locator(table).evaluate(
                "e => e.getBoundingClientRect().right <= "
                "e.closest('[data-testid=\"stVerticalBlock\"]').parentElement"
                ".getBoundingClientRect().right + 1"
            )
            assert inside, f"{table} fits its card"
        ink = {"light": "#1b2330", "dark": "#e8edf4"}[scheme]
        expect(window.locator(f'{prior_page.CHART} path[stroke="{ink}"]').first).to_be_attached()


@pytest.mark.parametrize("table", TABLES.values())
def test_results_fits(server: str, window: Page, table: str) -> None:
    window.goto(f"{server}/results?table={table}")
    for _ in looks(window):
        expect(window.get_by_text("The paper", exact=True)).to_be_visible()
