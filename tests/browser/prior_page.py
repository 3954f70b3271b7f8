"""What the tests of Prior training do with its page."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from playwright.sync_api import Locator, Page, expect

# Small networks, so that a busy machine keeps up; long runs, so that there is something to steer.
SMALL = {"methods": "X-Gradient", "layers": "16, 8", "replicates": "4", "epochs": "2000"}
X_GRADIENT = "#d55e00"  # its colour
CHART = ".st-key-prior_chart_auc svg[baseProfile]"


def address(server: str, **settings: str) -> str:
    return f"{server}/prior_training?{urlencode(SMALL | settings)}"


def open_page(page: Page, server: str, **settings: str) -> None:
    """Open the page with small networks, and wait until it can be used."""
    page.goto(address(server, **settings))
    expect(page.get_by_text("Ready").first).to_be_visible()
    expect(page.locator(CHART)).to_be_visible()


def leave_for(page: Page, group: str, name: str) -> None:
    """Choose a page in the navigation, below its group."""
    page.get_by_test_id("stTopNavSection").filter(has_text=group).click()
    page.get_by_role("menuitem", name=name).click()


def finished_run(page: Page) -> Locator:
    """The label of the run that comes with the app."""
    return page.get_by_text("A finished run, stored with the app")


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def state(page: Page) -> Locator:
    """The sentence that says how far the run is."""
    return page.get_by_test_id("stProgress").locator("p").first


def epoch(page: Page) -> int:
    found = re.search(r"epoch (\d+) of", state(page).inner_text())
    return int(found[1]) if found else -1


def wait_for_epoch(page: Page, least: int) -> None:
    """Wait until that epoch is on screen."""
    page.wait_for_function(
        """least => {
            const text = document.querySelector('[data-testid="stProgress"] p')?.innerText ?? "";
            const found = text.match(/epoch (\\d+) of/);
            return found !== null && Number(found[1]) >= least;
        }""",
        arg=least,
    )


def mark(page: Page, strength: str) -> Locator:
    """The label of λ on the chart."""
    return page.locator(f"{CHART} text").filter(has_text=re.compile(f"^λ {re.escape(strength)}$"))


def curve(page: Page, dashed: bool = False) -> str:
    """The outline of X-Gradient's curve; the legend has lines too, shorter ones."""
    kind = "[stroke-dasharray]" if dashed else ":not([stroke-dasharray])"
    lines = page.locator(f'{CHART} path[stroke="{X_GRADIENT}"][fill="none"]{kind}')
    outlines = [line.get_attribute("d") or "" for line in lines.all()]
    return max(outlines, key=len, default="")


def set_strength(page: Page, key: str) -> None:
    """Move λ with a key: End is 1000, Home is off."""
    page.get_by_role("slider", name=re.compile("^λ")).focus()
    page.keyboard.press(key)
