"""What the tests of several pages do with a window."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlparse

from playwright.sync_api import Page, expect


def query(page: Page) -> dict[str, str]:
    """The address's parameters."""
    return {k: v[0] for k, v in parse_qs(urlparse(page.url).query).items()}


# Milliseconds that thousands of gradient calls may take on a machine that does other work.
LONG = 900_000


def wait_until_idle(page: Page) -> None:
    """Wait until the server has nothing more to send."""
    app = page.get_by_test_id("stApp")
    expect(app).to_have_attribute("data-test-script-state", "notRunning", timeout=LONG)


def wait_until_refined(page: Page) -> None:
    """Wait until nothing is being refined any more."""
    wait_until_idle(page)
    expect(page.get_by_role("button", name="Stop", exact=True)).to_have_count(0)


def pick(page: Page, title: str) -> None:
    """Click a photograph of the strip."""
    page.get_by_role("button", name=title, exact=True).click()


def choose_class(page: Page, name: str) -> None:
    """Type the class to explain."""
    page.get_by_role("combobox", name=re.compile("Class to explain")).click()
    page.keyboard.type(name)
    page.keyboard.press("Enter")


def sideways_overflow(page: Page) -> int:
    """Pixels by which the page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
