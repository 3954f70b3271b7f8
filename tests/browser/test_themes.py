"""Every page in both themes, wide and narrow: nothing sticks out, and zero is neutral.

What is computed is kept by the server; each theme opens the page and resizes its window.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from urllib.parse import urljoin

from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser import (
    prior_page,
    test_axioms as axioms,
    test_compare as compare,
    test_contrast as contrast,
    test_convergence as convergence,
)
from tests.browser.driving import sideways_overflow
from tests.browser.test_results import TABLES

WIDTHS = {"dark": (800, 1400), "light": (1400, 800)}
NEUTRAL = {"light": (255, 255, 255), "dark": (16, 20, 28)}


def looks(page: Page, opened: Callable[[], object]) -> Iterator[tuple[str, int]]:
    """The page in each theme, opened in the first width and resized; it always fits its window."""
    for scheme, widths in WIDTHS.items():
        page.emulate_media(color_scheme=scheme)
        for width in widths:
            page.set_viewport_size({"width": width, "height": 900})
            if width == widths[0]:
                opened()
            # Charts and tables follow the window a moment later.
            page.wait_for_timeout(500)
            page.wait_for_function("document.documentElement.scrollWidth <= window.innerWidth")
            yield scheme, width
            assert sideways_overflow(page) <= 0, "nothing sticks out sideways"


def test_compare_fits(server: str, page: Page) -> None:
    def opened() -> None:
        page.goto(server + "/?image=rooster")
        compare.wait_until_refined(page)

    for scheme, _ in looks(page, opened):
        map_ = page.get_by_alt_text("Difference of X-AlexNet for rooster")
        data = page.request.get(urljoin(server, map_.get_attribute("src"))).body()
        picture = Image.open(io.BytesIO(data)).convert("RGB")
        assert picture.getpixel((2, 2)) == NEUTRAL[scheme], "zero has the theme's neutral colour"


def test_contrast_fits(server: str, page: Page) -> None:
    for scheme, _ in looks(page, lambda: contrast.open_contrast(page, server)):
        contrast.move_to(page, 0)
        for name in contrast.MAPS:
            picture = contrast.pixels(page, name)
            assert (picture == NEUTRAL[scheme]).all(), "zero has the theme's neutral colour"
            label = re.compile("zero everywhere$")
            expect(contrast.canvas(page, name)).to_have_attribute("aria-label", label)


def test_convergence_fits(server: str, page: Page) -> None:
    for _ in looks(page, lambda: convergence.open_convergence(page, server)):
        for key in convergence.CHARTS:
            expect(convergence.chart(page, key)).to_be_visible()


def test_axioms_fits(server: str, page: Page) -> None:
    for _, width in looks(page, lambda: axioms.open_axioms(page, server)):
        last = axioms.cell(page, "X-Gradient, Nonnegative homogeneity")
        page.wait_for_function(
            "([button, width]) => button.getBoundingClientRect().right <= width",
            arg=[last.element_handle(), width],
        )


def test_prior_training_fits(server: str, page: Page) -> None:
    def opened() -> None:
        prior_page.open_page(page, server, methods="No prior", epochs="5", pace="full speed")
        prior_page.press(page, "Start")
        expect(prior_page.state(page)).to_contain_text("Finished")

    for scheme, _ in looks(page, opened):
        for table in (".features", ".tests"):
            inside = page.locator(table).evaluate(
                "e => e.getBoundingClientRect().right <= "
                "e.closest('[data-testid=\"stVerticalBlock\"]').parentElement"
                ".getBoundingClientRect().right + 1"
            )
            assert inside, f"{table} fits its card"
        ink = {"light": "#1b2330", "dark": "#e8edf4"}[scheme]
        expect(page.locator(f'{prior_page.CHART} path[stroke="{ink}"]').first).to_be_attached()


def test_results_fits(server: str, page: Page) -> None:
    for table in TABLES.values():
        for _ in looks(page, lambda table=table: page.goto(f"{server}/results?table={table}")):
            expect(page.get_by_text("The paper", exact=True)).to_be_visible()
