"""The Axioms page in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.driving import pick, query, sideways_overflow, wait_until_idle

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


def test_a_link_restores_the_cell_on_a_fresh_server(
    start_server: Callable[[], str], page: Page
) -> None:
    open_axioms(page, start_server(), "cell=gradient.completeness")
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


def test_trying_again_with_few_networks(server: str, page: Page) -> None:
    open_axioms(page, server, "axiom_trials=3&axiom_seed=5")
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("button", name="Try every cell").click()
    fresh = page.get_by_text(re.compile("Tried just now: 3 random networks a cell, seed 5"))
    expect(fresh).to_be_visible()
    expect(page.get_by_text("Refuted by 3 trials a cell")).to_be_visible()
    expect(cell(page, "X-Gradient, Completeness")).to_contain_text("in 0 of 3")
    page.get_by_role("button", name="Stored result").click()
    expect(cell(page, "X-Gradient, Completeness")).to_contain_text("in 0 of 200")


def test_all_methods_on_the_same_networks_without_biases(server: str, page: Page) -> None:
    open_axioms(page, server)
    expect(page.get_by_text("X-Gradient on networks without biases, the others on")).to_be_visible()
    page.get_by_test_id("stButtonGroup").get_by_role("radio", name="for none", exact=True).click()
    expect(page.get_by_text("where Input×Gradient and X-Gradient are one function")).to_be_visible()
    expect(page.get_by_text("Input×Gradient and X-Gradient. The 6 cells")).to_be_visible()
    for axiom in ("Completeness", "Sensitivity (a)", "Nonnegative homogeneity"):
        rows = [cell(page, f"{name}, {axiom}") for name in ("Input×Gradient", "X-Gradient")]
        for row in rows:
            expect(row).to_contain_text("in 0 of 200")
    assert query(page)["axiom_networks"] == "for none"


def test_one_network_and_one_photograph(server: str, page: Page) -> None:
    few = "axiom_steps=2&axiom_samples=1&image=rooster"
    page.goto(f"{server}/axioms?tried=One+network%2C+one+photograph&{few}")
    expect(page.get_by_text("Not tried yet on AlexNet")).to_be_visible()
    page.get_by_role("button", name="Try the axioms").click()
    expect(page.get_by_text(re.compile("Trying the axioms on AlexNet"))).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    wait_until_idle(page)
    expect(page.get_by_test_id("stProgress")).to_have_count(0)
    expect(page.locator(".axioms")).to_have_count(0)
    page.get_by_role("button", name="Try the axioms").click()
    answer = "Input×Gradient, 1 call: refuted are Completeness and Nonnegative homogeneity"
    expect(page.get_by_text(answer)).to_be_visible()
    expect(page.locator(".axioms button")).to_have_count(4 * AXIOMS)
    expect(detail(page)).to_contain_text("Input×Gradient, 1 call: Completeness")
    expect(detail(page)).to_contain_text(re.compile(r"Counter-example\. Attributions sum to"))
    cell(page, "Integrated Gradients, 2 calls, Completeness").click()
    expect(detail(page)).to_contain_text("Nearest to a violation")
    # What two calls may be off by.
    expect(detail(page)).to_contain_text(re.compile(r"Allowed\s*[1-9][0-9]\s%"))
    assert query(page)["cell"] == "integrated_gradients.completeness"
    pick(page, "Pigeon")
    expect(page.get_by_text("Not tried yet on AlexNet")).to_be_visible()
    pigeon = page.get_by_role("button", name="Pigeon", exact=True)
    expect(pigeon).to_have_attribute("aria-pressed", "true")
    assert query(page)["image"] == "pigeon"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_themes_fit_the_window(server: str, browser: Browser, scheme: str) -> None:
    context = browser.new_context(viewport={"width": 1400, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    open_axioms(page, server)
    last = cell(page, "X-Gradient, Nonnegative homogeneity")
    for width in (1400, 800):
        page.set_viewport_size({"width": width, "height": 900})
        # The table follows the window a moment later.
        page.wait_for_function(
            "([button, width]) => button.getBoundingClientRect().right <= width",
            arg=[last.element_handle(), width],
        )
        assert sideways_overflow(page) <= 0, "nothing sticks out sideways"
    context.close()
