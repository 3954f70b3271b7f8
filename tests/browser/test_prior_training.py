"""Training live in a real browser: commands, λ, sessions, reload, a broken connection."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.driving import query
from tests.browser.prior_page import (
    CHART,
    curve,
    epoch,
    finished_run,
    leave_for,
    mark,
    open_page,
    press,
    set_strength,
    state,
    wait_for_epoch,
)


@pytest.fixture
def contexts(browser: Browser) -> Iterator[Callable[[], Page]]:
    """Open browsers that know nothing of each other."""
    opened: list[BrowserContext] = []

    def open_one() -> Page:
        opened.append(browser.new_context(viewport={"width": 1400, "height": 1000}))
        opened[-1].set_default_timeout(120_000)
        return opened[-1].new_page()

    yield open_one
    for context in opened:
        context.close()


def test_moving_the_strength_while_training_leaves_a_mark_and_changes_the_curve(
    server: str, page: Page
) -> None:
    open_page(page, server, **{"lambda": "0.1", "epochs": "60"})
    # Until then the charts are not empty: a run that comes with the app, of 100 epochs.
    expect(finished_run(page)).to_be_visible()
    assert curve(page).count("L") + curve(page).count("C") > 20
    press(page, "Start")
    expect(finished_run(page)).to_have_count(0)
    expect(state(page)).to_contain_text("Finished")
    untouched = curve(page)
    assert untouched.count("L") + untouched.count("C") > 5
    press(page, "Run again")
    expect(state(page)).to_contain_text("Training")
    wait_for_epoch(page, 12)  # so that the labels have room
    set_strength(page, "End")
    expect(mark(page, "1000")).to_be_visible()
    expect(mark(page, "0.1")).to_be_visible()
    assert query(page)["lambda"] == "1000"
    expect(state(page)).to_contain_text("Finished")
    expect(page.get_by_text("cross-entropy + 1000 × penalty")).to_be_visible()
    assert curve(page, dashed=True), "the run before is laid over"
    assert curve(page) != curve(page, dashed=True), "the curve is another one from there on"
    press(page, "Reset")
    expect(state(page)).to_contain_text("Ready")
    expect(mark(page, "1000")).to_have_count(1)
    expect(mark(page, "0.1")).to_have_count(0)
    expect(finished_run(page)).to_have_count(0)


def test_commands_act_on_a_chart_that_is_mounted_once(server: str, page: Page) -> None:
    open_page(page, server, **{"lambda": "0.1"})
    expect(page.get_by_role("button", name="Reset", exact=True)).to_be_disabled()
    press(page, "Start")
    wait_for_epoch(page, 2)
    expect(page.get_by_role("button", name="Step", exact=True)).to_be_disabled()
    page.evaluate(
        """selector => {
            window.mounted = document.querySelector(selector);
            window.redraws = 0;
            const options = { childList: true, subtree: true, attributes: true };
            let last = "";
            new MutationObserver(() => {
                const text = window.mounted.innerHTML;
                if (text !== last) window.redraws += 1;
                last = text;
            }).observe(window.mounted, options);
        }""",
        CHART,
    )
    page.wait_for_function("() => window.redraws >= 20")
    page.get_by_role("slider", name=re.compile("^λ")).focus()
    for key, strength in (("End", "1000"), ("Home", "off"), ("ArrowRight", "0.001")):
        page.keyboard.press(key)
        expect(mark(page, strength)).to_be_visible()
        wait_for_epoch(page, epoch(page) + 5)  # so that the labels have room
    press(page, "Pause")
    expect(state(page)).to_contain_text("Paused")
    paused = epoch(page)
    page.wait_for_timeout(1500)
    assert epoch(page) == paused, "nothing trains while paused"
    for step in (1, 2):
        press(page, "Step")
        expect(state(page)).to_contain_text(f"Paused at epoch {paused + step} of")
    before = curve(page)
    press(page, "Resume")
    wait_for_epoch(page, paused + 6)
    assert len(curve(page)) > len(before)
    assert page.evaluate("selector => document.querySelector(selector) === window.mounted", CHART)
    press(page, "Reset")
    expect(state(page)).to_contain_text("Ready")


def test_leaving_the_page_and_coming_back_finds_the_run(server: str, page: Page) -> None:
    open_page(page, server, **{"lambda": "0.5"})
    press(page, "Start")
    wait_for_epoch(page, 3)
    set_strength(page, "End")
    expect(mark(page, "1000")).to_be_visible()
    left = epoch(page)
    leave_for(page, "Look", "Compare")
    expect(page.get_by_role("button", name="Rooster", exact=True)).to_be_visible()
    page.wait_for_timeout(1500)
    leave_for(page, "Train", "Prior training")
    wait_for_epoch(page, left + 1)
    expect(mark(page, "1000")).to_be_visible()
    press(page, "Pause")
    expect(state(page)).to_contain_text("Paused")
    assert query(page)["layers"] == "16, 8"


def test_two_sessions_know_nothing_of_each_other(server: str, contexts: Callable[[], Page]) -> None:
    first, second = contexts(), contexts()
    open_page(first, server, **{"lambda": "0.1"})
    open_page(second, server, **{"lambda": "10"})
    press(first, "Start")
    wait_for_epoch(first, 3)
    expect(state(second)).to_contain_text("Ready")
    press(second, "Start")
    set_strength(first, "End")
    expect(mark(first, "1000")).to_be_visible()
    wait_for_epoch(second, 3)
    expect(mark(second, "10")).to_be_visible()
    expect(mark(second, "1000")).to_have_count(0)
    press(first, "Pause")
    expect(state(first)).to_contain_text("Paused")
    press(first, "Keep")
    expect(first.locator('[class*="st-key-kept_"]')).to_have_count(1)
    press(second, "Pause")
    expect(state(second)).to_contain_text("Paused")
    press(second, "Reset")
    expect(second.get_by_text("previous run, not kept")).to_be_visible()
    expect(second.locator('[class*="st-key-kept_"]')).to_have_count(0)


def test_a_broken_connection_loses_no_curve(server: str, page: Page) -> None:
    page.add_init_script(
        """const Plain = WebSocket;
        window.WebSocket = class extends Plain {
            constructor(...given) { super(...given); window.connection = this; }
        };"""
    )
    open_page(page, server)
    press(page, "Start")
    wait_for_epoch(page, 10)
    page.evaluate("window.connection.close()")
    expect(page.get_by_text("previous run, not kept")).to_be_visible()
    expect(state(page)).to_contain_text("Ready")
    assert curve(page, dashed=True)
    press(page, "Start")
    wait_for_epoch(page, 2)


def test_one_place_to_train_is_free_again_after_a_reload_and_when_its_browser_is_gone(
    one_core_server: str, contexts: Callable[[], Page]
) -> None:
    first, second = contexts(), contexts()
    open_page(first, one_core_server, **{"lambda": "0.1"})
    press(first, "Start")
    wait_for_epoch(first, 2)
    set_strength(first, "End")
    expect(mark(first, "1000")).to_be_visible()
    first.reload()
    # The configuration is kept, the run is over.
    expect(state(first)).to_contain_text("Ready: 1 method, 4 replicates, 2000 epochs")
    press(first, "Start")
    wait_for_epoch(first, 2)
    expect(mark(first, "1000")).to_be_visible()
    open_page(second, one_core_server)
    press(second, "Start")
    expect(state(second)).to_contain_text("Waiting for a free core: 1 other training goes first")
    first.context.close()
    wait_for_epoch(second, 1)
