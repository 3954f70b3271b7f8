"""The Convergence page in a real browser."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.driving import LONG, wait_until_idle, wait_until_refined
from tests.browser.looks import looks

ONE_CALL = re.compile("X-AlexNet needs 1 gradient call: X-Gradient is within ")
CHARTS = ("errors_False", "errors_True", "gap", "path")


MAPS = re.compile(r"^Integrated Gradients of (X-)?AlexNet from \d+ gradients?\.")


def open_convergence(page: Page, server: str, parameters: str = "image=rooster") -> None:
    """Open the page and wait until it is drawn: all of it, or the coarse picture."""
    page.goto(f"{server}/convergence?{parameters}")
    expect(page.get_by_text(ONE_CALL)).to_be_visible()
    wait_until_idle(page)


def chart(page: Page, key: str) -> Locator:
    return page.locator(f".st-key-{key} .js-plotly-plot:visible")


def curves(page: Page, key: str) -> dict[str, list[list[float]]]:
    """The curves of a chart by name: x and y of each; lines without a name are left out."""
    # `data` is what the page sent; in `_fullData` Plotly has named the nameless itself. A chart
    # that is being mounted has neither for a moment.
    read = """selector => {
        const plot = [...document.querySelectorAll(selector)].find(plot => plot.offsetParent);
        return plot?._fullData?.map((t, i) => [
            plot.data[i].name ?? "", Array.from(t.x, Number), Array.from(t.y, Number)]);
    }"""
    drawn = page.wait_for_function(read, arg=f".st-key-{key} .js-plotly-plot")
    return {name: [x, y] for name, x, y in drawn.json_value() if name}


def rule(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def go_on(page: Page, aim: str) -> Locator:
    """The button that starts what takes long, with what it takes."""
    return page.get_by_role("button", name=re.compile(f"Go on to {aim}: [0-9,]+ gradients"))


def go_to(page: Page, title: str) -> None:
    """Choose a page about a photograph from the navigation."""
    page.get_by_test_id("stTopNavSection").filter(has_text="Look").click()
    page.get_by_role("menuitem", name=title).click()


def test_the_default_photograph_is_there_at_once_and_can_be_computed_afresh(
    server: str, page: Page
) -> None:
    open_convergence(page, server, "")
    stored = page.get_by_text(re.compile("Stored with the app: computed on 20"))
    expect(stored).to_be_visible()
    expect(page.get_by_role("img", name=MAPS)).to_have_count(10)
    before = curves(page, "errors_False")["graded"]
    page.get_by_role("button", name=re.compile("Compute afresh: 3,144 gradients")).click()
    expect(page.get_by_text(re.compile("^Computing afresh"))).to_be_visible()
    expect(stored).to_have_count(0, timeout=LONG)
    wait_until_idle(page)
    counts, errors = curves(page, "errors_False")["graded"]
    assert counts == before[0]
    # Gates that rounding flips differ from processor to processor.
    assert all(abs(a - b) < 0.02 * b + 1e-3 for a, b in zip(errors, before[1], strict=True))
    expect(page.get_by_role("button", name=re.compile("Go on|Compute afresh"))).to_have_count(0)


def test_everything_is_drawn(server: str, page: Page) -> None:
    open_convergence(page, server)
    for key in CHARTS:
        expect(chart(page, key)).to_be_visible()
    counts, errors = curves(page, "errors_False")["graded"]
    assert counts == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    assert errors[-1] < 0.02 < errors[0]
    (calls,), (x_error,) = curves(page, "errors_True")["X-Gradient, 1 call"]
    assert calls == 1
    assert x_error < 1e-4
    (_,), (fast_error,) = curves(page, "errors_False")["Input×Gradient, 1 call"]
    assert fast_error > 0.1
    slopes = curves(page, "path")
    flat = next(y for name, (_, y) in slopes.items() if name.startswith("X-AlexNet"))
    assert max(flat) - min(flat) < 1e-3 * abs(flat[0]), "constant without biases"
    spent = page.get_by_text(re.compile("cost [0-9,]+ gradient calls")).inner_text()
    cost, separately = (int(n.replace(",", "")) for n in re.findall(r"[0-9][0-9,]+", spent)[:2])
    assert cost < separately
    expect(page.get_by_role("img", name=MAPS)).to_have_count(10)
    expect(page.get_by_text("Where the gap says least")).to_be_visible()
    # The cells are painted on a canvas; what a screen reader finds of them lies below it.
    heads = [f"≤ {share}\u00a0%" for share in ("5", "2.5", "1")]
    table = page.get_by_test_id("stDataFrame")
    expect(table.locator("th")).to_have_text(["AlexNet", *heads, "estimate", "error"])
    expect(table.locator("td", has_text="X-Gradient, X-AlexNet")).to_have_count(1)


def test_it_fits_in_both_themes_wide_and_narrow(server: str, page: Page) -> None:
    for _ in looks(page, lambda: open_convergence(page, server)):
        for key in CHARTS:
            expect(chart(page, key)).to_be_visible()


def test_regions_are_summed_on_all_maps_and_stay_in_the_address(server: str, page: Page) -> None:
    open_convergence(page, server, "image=rooster&region=40,30,60,50")
    shares = page.locator(".maps .share")
    expect(shares.filter(has_text=re.compile("^Region [+−]"))).to_have_count(10)
    expect(page.get_by_text("Blur it and ask again")).to_have_count(0)
    page.get_by_role("button", name="Lift the region").click()
    expect(page).not_to_have_url(re.compile("region="))


def test_what_takes_long_is_named_and_can_be_stopped(server: str, page: Page) -> None:
    open_convergence(page, server, "image=flamingo")
    computing = page.get_by_text(re.compile("^Computing "))
    expect(go_on(page, "256 gradient calls")).to_be_visible()
    expect(computing).to_have_count(0)
    rule(page, "Captum").click()
    both = go_on(page, "256 gradient calls and Captum's curve")
    both.click()
    expect(
        page.get_by_text(re.compile("^Computing 256 gradient calls and Captum's curve"))
    ).to_be_visible()
    stop = page.get_by_role("button", name="Cancel", exact=True)
    stop.click()
    expect(both).to_be_visible()
    expect(stop).to_have_count(0)
    rule(page, "Captum").click()
    page.get_by_role("radio", name="2,048 calls").click()
    expect(go_on(page, "256 gradient calls and the 2,048-call reference")).to_be_visible()
    expect(computing).to_have_count(0)
    expect(chart(page, "errors_False")).to_contain_text("error against 64 calls")


def test_leaving_a_page_ends_its_work(server: str, page: Page) -> None:
    page.goto(f"{server}/convergence?image=seahorse")
    more = go_on(page, "256 gradient calls")
    more.click()
    computing = page.get_by_text(re.compile("Computing 256 gradient calls"))
    expect(computing).to_be_visible()
    go_to(page, "Contrast")
    # At once: where the machine is quick, the sweep is soon done.
    stop = page.get_by_role("button", name="Stop", exact=True)
    expect(stop).to_be_visible()
    go_to(page, "Compare")
    expect(page.get_by_text(re.compile("1 gradient call instead of"))).to_be_visible()
    wait_until_refined(page)
    # What was not finished was not gone on with behind the user's back.
    go_to(page, "Contrast")
    expect(stop).to_be_visible()
    go_to(page, "Convergence")
    expect(computing).to_be_visible()
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect(more).to_be_visible()
