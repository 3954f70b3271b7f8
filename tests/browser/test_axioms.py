"""The Axioms page in a real browser."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.driving import query, wait_until_idle

ANSWER = re.compile(
    "none of the 7 axioms for X-Gradient; Nonnegative homogeneity alone for Integrated"
)
AXIOMS = 7


def open_axioms(page: Page, server: str, parameters: str = "") -> None:
    page.goto(f"{server}/axioms?{parameters}")
    expect(page.get_by_text(ANSWER)).to_be_visible()
    wait_until_idle(page)


def cell(page: Page, name: str) -> Locator:
    """A cell by method and axiom, whatever came out."""
    return page.get_by_role("button", name=re.compile(f"^{re.escape(name)}: (not refuted|refuted)"))


def detail(page: Page) -> Locator:
    """The card of the chosen cell."""
    return page.locator(".st-key-axioms_detail")


def test_a_link_restores_the_cell(server: str, page: Page) -> None:
    open_axioms(page, server, "cell=gradient.completeness")
    expect(page.get_by_test_id("stHeaderLogo")).to_be_visible()
    chosen = cell(page, "Gradient, Completeness")
    expect(chosen).to_have_attribute("aria-pressed", "true")
    expect(chosen).to_contain_text("✗refuted")
    expect(detail(page)).to_contain_text("Gradient: Completeness")
    expect(detail(page)).to_contain_text(
        re.compile(r"Attributions sum to \S+, F\(x\) − F\(x'\) is")
    )
    expect(
        page.get_by_text("The 36 cells that the paper's Table 1 has too come out as we read its")
    ).to_be_visible()
    assert query(page)["cell"] == "gradient.completeness"
    pressed = page.locator(".axioms button[aria-pressed=true]")
    expect(pressed).to_have_count(1)


def test_a_failed_cell_shows_its_counter_example(server: str, page: Page) -> None:
    open_axioms(page, server)
    expect(page.locator(".axioms button")).to_have_count(6 * AXIOMS)
    # To begin with, the textbook's counter-example, drawn.
    expect(cell(page, "Input×Gradient, Sensitivity (a)")).to_have_attribute("aria-pressed", "true")
    expect(detail(page)).to_contain_text("F changes by 1, the feature's attribution is 0")
    chart = detail(page).locator(".js-plotly-plot")
    expect(chart).to_contain_text("Input×Gradient: 0")
    # By mouse, then by keyboard from there.
    cell(page, "Input×Gradient, Implementation invariance").click()
    expect(page).to_have_url(re.compile("cell=input_x_gradient.implementation_invariance"))
    expect(chart).to_have_count(0)
    expect(detail(page)).to_contain_text("Nearest to a violation of 200")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("cell=input_x_gradient.completeness"))
    expect(detail(page)).to_contain_text("Counter-example, the worst of 200")
    expect(detail(page)).to_contain_text(re.compile("Worst violation\\s*[0-9]+"))
    detail(page).get_by_role("button", name=re.compile("Input×Gradient: Completeness")).click()
    expect(page.get_by_text("The attributions share out the change of the output")).to_be_visible()
    expect(page.locator(".katex").first).to_be_visible()
