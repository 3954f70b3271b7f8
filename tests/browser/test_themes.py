"""Every page in both themes, wide and narrow: nothing sticks out, and zero is neutral.

A page is computed once and then resized; in the dark theme it begins narrow.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from urllib.parse import urljoin

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.browser import (
    prior_page,
    test_axioms as axioms,
    test_compare as compare,
    test_contrast as contrast,
    test_convergence as convergence,
)
from tests.browser.driving import sideways_overflow
from tests.browser.test_results import TABLES

WIDTHS = {"light": (1400, 800), "dark": (800, 1400)}
NEUTRAL = {"light": (255, 255, 255), "dark": (16, 20, 28)}


@pytest.fixture(params=WIDTHS)
def scheme(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def window(browser: Browser, scheme: str) -> Iterator[Page]:
    """A window in that theme, in the first of its widths."""
    width = WIDTHS[scheme][0]
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    yield context.new_page()
    context.close()


def widths(window: Page, scheme: str) -> Iterator[int]:
    """Both widths, one after the other; in each the page fits its window."""
    for width in WIDTHS[scheme]:
        window.set_viewport_size({"width": width, "height": 900})
        # Charts and tables follow the window a moment later.
        window.wait_for_timeout(500)
        window.wait_for_function("document.documentElement.scrollWidth <= window.innerWidth")
        yield width
        assert sideways_overflow(window) <= 0, "nothing sticks out sideways"


def test_compare_fits(server: str, window: Page, scheme: str) -> None:
    window.goto(server + "/?image=rooster")
    compare.wait_until_refined(window)
    for _ in widths(window, scheme):
        map_ = window.get_by_alt_text("Difference of X-AlexNet for rooster")
        data = window.request.get(urljoin(server, map_.get_attribute("src"))).body()
        picture = Image.open(io.BytesIO(data)).convert("RGB")
        assert picture.getpixel((2, 2)) == NEUTRAL[scheme], "zero has the theme's neutral colour"


def test_contrast_fits(server: str, window: Page, scheme: str) -> None:
    contrast.open_contrast(window, server)
    for _ in widths(window, scheme):
        contrast.move_to(window, 0)
        for name in contrast.MAPS:
            picture = contrast.pixels(window, name)
            assert (picture == NEUTRAL[scheme]).all(), "zero has the theme's neutral colour"
            label = re.compile("zero everywhere$")
            expect(contrast.canvas(window, name)).to_have_attribute("aria-label", label)


def test_convergence_fits(server: str, window: Page, scheme: str) -> None:
    convergence.open_convergence(window, server)
    for _ in widths(window, scheme):
        for key in convergence.CHARTS:
            expect(convergence.chart(window, key)).to_be_visible()


def test_axioms_fits(server: str, window: Page, scheme: str) -> None:
    axioms.open_axioms(window, server)
    last = axioms.cell(window, "X-Gradient, Nonnegative homogeneity")
    for width in widths(window, scheme):
        window.wait_for_function(
            "([button, width]) => button.getBoundingClientRect().right <= width",
            arg=[last.element_handle(), width],
        )


def test_prior_training_fits(server: str, window: Page, scheme: str) -> None:
    prior_page.open_page(window, server, methods="No prior", epochs="5")
    prior_page.press(window, "Start")
    expect(prior_page.state(window)).to_contain_text("Finished")
    for _ in widths(window, scheme):
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
def test_results_fits(server: str, window: Page, scheme: str, table: str) -> None:
    window.goto(f"{server}/results?table={table}")
    for _ in widths(window, scheme):
        expect(window.get_by_text("The paper", exact=True)).to_be_visible()
