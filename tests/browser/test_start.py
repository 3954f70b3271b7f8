"""The start page in a real browser: what a new visitor sees, and where old links and doors lead."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlparse

import pytest
from playwright.sync_api import Page, expect

from tests.browser.driving import query, wait_until_idle
from tests.browser.looks import looks

# Every page behind the doors, and what its link says.
DOORS = {
    "compare": "Compare",
    "contrast": "Contrast",
    "convergence": "Convergence",
    "axioms": "Axioms",
    "results": "Results",
    "prior_training": "Prior training",
}
PICTURES = '[data-testid="stImage"] img'


def path(page: Page) -> str:
    return urlparse(page.url).path.strip("/")


def test_a_new_visitor_sees_what_this_is(start_server: Callable[[], str], page: Page) -> None:
    page.goto(start_server())
    expect(
        page.get_by_role("heading", name=re.compile("See what an attribution says"))
    ).to_be_visible()
    expect(page.get_by_text("there one gradient is enough")).to_be_visible()
    pictures = page.locator(PICTURES)
    expect(pictures).to_have_count(5)
    for picture in pictures.all():
        assert picture.evaluate("image => image.complete && image.naturalWidth > 0")
        assert picture.get_attribute("alt")
    for title in ("Look", "Check", "Train"):
        expect(page.locator("strong", has_text=re.compile(f"^{title}$"))).to_be_visible()
    assert query(page) == {}


def test_the_doors_lead_to_the_pages_and_the_logo_back(server: str, page: Page) -> None:
    doors = page.get_by_test_id("stPageLink").get_by_role("link")
    for where, name in DOORS.items():
        page.goto(server)
        expect(page.get_by_text("there one gradient is enough")).to_be_visible()
        door = doors.filter(has_text=re.compile(f"{name}$"))
        door.focus()
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(f"/{where}(\\?|$)"))
        wait_until_idle(page)
    page.get_by_test_id("stTopNavLinkContainer").get_by_role("link", name="Start").click()
    expect(page.get_by_text("there one gradient is enough")).to_be_visible()
    assert path(page) == ""


def test_a_link_to_compare_from_before_shows_the_same_view(server: str, page: Page) -> None:
    old = "image=flamingo&picture=overlay&values=raw&scale=per+panel&blur=false&steps=8"
    page.goto(f"{server}/?{old}")
    figures = page.locator(".grid figure")
    expect(figures).to_have_count(8)
    assert path(page) == "compare"
    for name in ("Overlay", "logits", "per map"):
        expect(page.get_by_role("radio", name=name)).to_be_checked()
    expect(page.get_by_role("slider", name="Blur")).to_have_value("0")
    expect(page.get_by_role("img", name=re.compile("^Flamingo, as the networks"))).to_be_visible()
    wait_until_idle(page)
    expected = {"image": "flamingo", "picture": "overlay", "values": "raw", "scale": "per panel",
                "blur": "0", "steps": "8"}  # fmt: skip
    assert query(page) == expected


def test_it_fits_in_both_themes_wide_and_narrow(server: str, page: Page) -> None:
    def opened() -> None:
        page.goto(server)
        expect(page.get_by_text("there one gradient is enough")).to_be_visible()

    for _ in looks(page, opened):
        expect(page.locator(PICTURES)).to_have_count(5)


@pytest.mark.parametrize("touch", [False, True], ids=["pointer", "touch"])
def test_it_fits_a_phone(server: str, page: Page, touch: bool) -> None:
    options = {"has_touch": touch, "is_mobile": touch}
    phone = page.context.browser.new_context(viewport={"width": 400, "height": 800}, **options)
    opened = phone.new_page()
    opened.goto(server)
    expect(opened.get_by_text("there one gradient is enough")).to_be_visible()
    assert opened.evaluate("document.documentElement.scrollWidth") <= 400
    door = opened.get_by_test_id("stPageLink").get_by_role("link").filter(has_text="Compare")
    (door.tap if touch else door.click)()
    expect(opened.locator(".grid figure")).to_have_count(8)
    assert opened.evaluate("document.documentElement.scrollWidth") <= 400
    phone.close()
