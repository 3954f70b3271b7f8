"""The Axioms page in a real browser."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.driving import query, sideways_overflow, wait_until_idle
from tests.browser.looks import looks

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


def test_a_cell_is_chosen_by_link_by_mouse_and_by_keyboard(server: str, page: Page) -> None:
    open_axioms(page, server, "cell=gradient.completeness")
    expect(page.locator(".axioms button")).to_have_count(6 * AXIOMS)
    chosen = cell(page, "Gradient, Completeness")
    expect(chosen).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".axioms button[aria-pressed=true]")).to_have_count(1)
    expect(chosen).to_contain_text("✗refuted")
    expect(detail(page)).to_contain_text("Gradient: Completeness")
    expect(detail(page)).to_contain_text(
        re.compile(r"Attributions sum to \S+, F\(x\) − F\(x'\) is")
    )
    assert query(page)["cell"] == "gradient.completeness"
    # The textbook's counter-example, drawn.
    cell(page, "Input×Gradient, Sensitivity (a)").click()
    expect(page).to_have_url(re.compile("cell=input_x_gradient.sensitivity_a"))
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


def test_it_fits_in_both_themes_wide_and_narrow(server: str, page: Page) -> None:
    for _, width in looks(page, lambda: open_axioms(page, server)):
        last = cell(page, "X-Gradient, Nonnegative homogeneity")
        page.wait_for_function(
            "([button, width]) => button.getBoundingClientRect().right <= width",
            arg=[last.element_handle(), width],
        )


def test_on_a_phone_the_table_needs_no_scrolling_sideways(server: str, page: Page) -> None:
    page.set_viewport_size({"width": 400, "height": 900})
    open_axioms(page, server)
    table = page.locator(".axioms")
    assert table.evaluate("table => table.scrollWidth <= table.clientWidth")
    assert sideways_overflow(page) <= 0
    last = cell(page, "X-Gradient, Nonnegative homogeneity")
    expect(last).to_contain_text("Nonnegative homogeneity")  # its column has no heading here
    last.click()
    expect(detail(page)).to_contain_text("X-Gradient: Nonnegative homogeneity")
    page.set_viewport_size({"width": 1400, "height": 1000})


def test_a_loaded_network_is_tried_cancelled_and_tried_again(server: str, page: Page) -> None:
    few = "axiom_steps=2&axiom_samples=1&image=rooster"
    page.goto(f"{server}/axioms?tried=One+network%2C+one+photograph&{few}")
    promise = page.get_by_text("Not tried yet on AlexNet")
    expect(promise).to_be_visible()
    page.get_by_role("button", name="Try the axioms").click()
    expect(page.get_by_text("Trying the axioms on AlexNet in float64")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    wait_until_idle(page)
    expect(page.get_by_test_id("stProgress")).to_have_count(0)
    expect(page.locator(".axioms")).to_have_count(0)
    expect(promise).to_be_visible()
    page.get_by_role("button", name="Try the axioms").click()
    answer = "Input×Gradient, 1 call: refuted are Completeness and Nonnegative homogeneity"
    expect(page.get_by_text(answer)).to_be_visible()
    expect(page.locator(".axioms button")).to_have_count(4 * AXIOMS)
    expect(detail(page)).to_contain_text(re.compile(r"Counter-example\. Attributions sum to"))
    cell(page, "Integrated Gradients, 2 calls, Completeness").click()
    expect(page).to_have_url(re.compile("cell=integrated_gradients.completeness"))
    expect(detail(page)).to_contain_text("Nearest to a violation")
    # What two calls may be off by.
    expect(detail(page)).to_contain_text(re.compile(r"Allowed\s*[1-9][0-9]\s%"))
    maps = page.locator(".grid figure")
    expect(maps).to_have_count(2)  # the photograph, and the attribution whose sum is asked about
    cell(page, "Input×Gradient, 1 call, Nonnegative homogeneity").click()
    expect(maps).to_have_count(4)
    for number, title in enumerate(("Photograph", "Of αx", "α times that of x", "Difference")):
        expect(maps.nth(number)).to_contain_text(title)
    for name, value in {"x": "60", "y": "40", "width": "80", "height": "90"}.items():
        page.get_by_role("spinbutton", name=f"Region {name}", exact=True).fill(value)
        page.keyboard.press("Tab")
    for number in (1, 2):
        expect(maps.nth(number)).to_contain_text(
            re.compile(r"Region [+−][\d.]+.*; not complete, the whole map is [+−][\d.]+")
        )
    expect(maps.nth(3)).to_contain_text(re.compile(r"Region [+−][\d.e−-]+ logits"))
    expect(page).to_have_url(re.compile("region=60%2C40%2C80%2C90"))
    # The region stays where it is when another cell is chosen; there is nobody to ask without it.
    cell(page, "Integrated Gradients, 2 calls, Linearity").click()
    expect(maps.nth(1)).to_contain_text("Of a·F + b·G")
    expect(maps.nth(3)).to_contain_text("zero everywhere")
    expect(maps.nth(1)).to_contain_text("Region")
    expect(page.get_by_role("button", name="Blur it and ask again")).to_have_count(0)
