"""A page in both themes, wide and narrow: nothing sticks out, and axe-core finds nothing serious.

Whoever asks for it asks while what the page computed is still kept by the server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.driving import sideways_overflow

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
        assert serious_violations(page) == [], scheme


def serious_violations(page: Page) -> list[str]:
    """What axe-core calls serious or critical, with the elements."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{violation['id']}: {node['html'][:160]}"
        for violation in found
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]
