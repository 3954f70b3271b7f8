"""Training live in a real browser: commands, λ, sessions, reload, restart."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.driving import query
from tests.browser.prior_page import (
    CHART,
    X_GRADIENT,
    curve,
    epoch,
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


def test_a_deep_link_on_a_fresh_server_restores_the_configuration(
    start_server: Callable[[], str], page: Page
) -> None:
    open_page(page, start_server(), **{"lambda": "off", "epochs": "70", "k": "8", "rate": "0.01"})
    expect(page.get_by_test_id("stHeaderLogo")).to_be_visible()
    expect(state(page)).to_contain_text("1 method, 4 replicates, 70 epochs on NHEFS")
    expect(mark(page, "off")).to_be_visible()
    expect(page.get_by_text("λ is off: trained with cross-entropy alone")).to_be_visible()
    page.get_by_role("button", name="Settings").click()
    expect(page.get_by_role("textbox", name="Hidden layers")).to_have_value("16, 8")
    rate = page.get_by_role("slider", name="Learning rate")
    expect(rate).to_have_attribute("aria-valuetext", "0.01")


def test_moving_the_strength_while_training_leaves_a_mark_and_changes_the_curve(
    server: str, page: Page
) -> None:
    open_page(page, server, **{"lambda": "0.1", "epochs": "80"})
    press(page, "Start")
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


def test_the_chart_is_mounted_once_and_redrawn_often(server: str, page: Page) -> None:
    open_page(page, server)
    press(page, "Start")
    wait_for_epoch(page, 2)
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
    began = time.monotonic()
    page.wait_for_function("() => window.redraws >= 20")
    pace = 20 / (time.monotonic() - began)
    print(f"the chart was redrawn {pace:.1f} times a second")
    assert page.evaluate("selector => document.querySelector(selector) === window.mounted", CHART)


def test_pause_step_and_resume(server: str, page: Page) -> None:
    open_page(page, server)
    expect(page.get_by_role("button", name="Reset", exact=True)).to_be_disabled()
    press(page, "Start")
    wait_for_epoch(page, 3)
    expect(page.get_by_role("button", name="Step", exact=True)).to_be_disabled()
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


def test_the_first_step_needs_no_start(server: str, page: Page) -> None:
    open_page(page, server, methods="No prior")
    press(page, "Step")
    expect(state(page)).to_contain_text("Paused at epoch 1 of")
    expect(page.locator(".features > div")).to_have_count(16)  # 15 and the heading
    expect(page.locator(".tests > div").nth(1)).to_have_text("No prior")


def test_leaving_the_page_and_coming_back_finds_the_run(server: str, page: Page) -> None:
    open_page(page, server, **{"lambda": "0.5"})
    press(page, "Start")
    wait_for_epoch(page, 3)
    set_strength(page, "End")
    expect(mark(page, "1000")).to_be_visible()
    left = epoch(page)
    page.get_by_role("link", name="Compare").click()
    expect(page.get_by_role("button", name="Camera", exact=True)).to_be_visible()
    page.wait_for_timeout(1500)
    page.get_by_role("link", name="Prior training").click()
    wait_for_epoch(page, left + 1)
    expect(mark(page, "1000")).to_be_visible()
    press(page, "Pause")
    expect(state(page)).to_contain_text("Paused")
    assert query(page)["layers"] == "16, 8"


def test_settings_changed_during_a_run_wait_for_reset(server: str, page: Page) -> None:
    open_page(page, server)
    press(page, "Start")
    wait_for_epoch(page, 3)
    page.get_by_role("button", name="RRR", exact=True).click()
    expect(state(page)).to_contain_text("changed settings wait for Reset")
    expect(page.locator(".tests > div").nth(2)).to_have_count(0)
    press(page, "Reset")
    expect(state(page)).to_contain_text("Ready: 2 methods")
    expect(page.get_by_text("previous run, not kept")).to_be_visible()


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


def test_a_reload_keeps_the_configuration_and_ends_the_run(
    one_core_server: str, page: Page
) -> None:
    open_page(page, one_core_server, **{"lambda": "0.1"})
    press(page, "Start")
    wait_for_epoch(page, 2)
    set_strength(page, "End")
    expect(mark(page, "1000")).to_be_visible()
    page.reload()
    expect(state(page)).to_contain_text("Ready: 1 method, 4 replicates, 2000 epochs")
    expect(mark(page, "1000")).to_be_visible()
    press(page, "Start")  # there is one place to train in: the run before must have left it
    wait_for_epoch(page, 2)


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


def test_one_place_to_train_is_given_to_one_session_at_a_time(
    one_core_server: str, contexts: Callable[[], Page]
) -> None:
    first, second = contexts(), contexts()
    open_page(first, one_core_server)
    press(first, "Start")
    wait_for_epoch(first, 2)
    open_page(second, one_core_server)
    press(second, "Start")
    expect(state(second)).to_contain_text("Waiting for a free core: 1 other training goes first")
    began = time.monotonic()
    first.context.close()
    wait_for_epoch(second, 1)
    print(f"another session trained {time.monotonic() - began:.1f} s after the first one ended")


def test_a_kept_run_is_found_after_a_server_restart(
    restart_server: Callable[[], str], page: Page
) -> None:
    open_page(page, restart_server(), epochs="12", seed="7")
    press(page, "Start")
    expect(state(page)).to_contain_text("Finished")
    press(page, "Keep")
    kept = page.locator('[class*="st-key-kept_"]')
    expect(kept).to_have_count(1)
    open_page(page, restart_server(), epochs="12")
    expect(kept).to_contain_text("nhefs, λ 0.1")
    kept.locator("label").first.click()
    expect(
        page.locator(f'{CHART} path[stroke="{X_GRADIENT}"][stroke-dasharray]')
    ).not_to_have_count(0)
    kept.get_by_role("button").last.click()
    page.get_by_role("button", name="Use its settings").click()
    expect(page).to_have_url(re.compile("seed=7"))


def seconds_until(page: Page, act: Callable[[], None], event: str, where: str, text: str) -> float:
    """From an event in the browser until a text is on screen, as the browser itself sees it."""
    page.evaluate(
        """([event, where, text]) => {
            let began;
            window.took = undefined;
            const options = { capture: true, once: true };
            addEventListener(event, () => { began = performance.now(); }, options);
            const look = () => {
                const found = [...document.querySelectorAll(where)];
                if (began !== undefined && found.some((e) => e.textContent.startsWith(text))) {
                    window.took = (performance.now() - began) / 1000;
                } else {
                    requestAnimationFrame(look);
                }
            };
            look();
        }""",
        [event, where, text],
    )
    act()
    page.wait_for_function("() => window.took !== undefined")
    return float(page.evaluate("window.took"))


def test_commands_act_at_once(server: str, page: Page) -> None:
    sentence = '[data-testid="stProgress"] p'
    open_page(page, server, **{"lambda": "0.1", "methods": "No prior"})
    press(page, "Start")
    wait_for_epoch(page, 5)
    page.get_by_role("slider", name=re.compile("^λ")).focus()
    for key, strength in (("End", "1000"), ("Home", "off"), ("ArrowRight", "0.001")):
        took = seconds_until(
            page, lambda key=key: page.keyboard.press(key), "keydown", f"{CHART} text",
            f"λ {strength}",
        )  # fmt: skip
        print(f"λ {strength} on the chart after {took:.2f} s")
        wait_for_epoch(page, epoch(page) + 5)
    for name, after in (("Pause", "Paused"), ("Resume", "Training"), ("Reset", "Ready")):
        took = seconds_until(page, lambda name=name: press(page, name), "click", sentence, after)
        print(f"{name}: {took:.2f} s")
    expect(state(page)).to_contain_text("Ready")


def test_eight_replicates_of_x_gradient_reach_epoch_100(server: str, page: Page) -> None:
    page.goto(f"{server}/prior_training?methods=X-Gradient")
    expect(state(page)).to_contain_text("Ready: 1 method, 8 replicates, 100 epochs")
    began = time.monotonic()
    press(page, "Start")
    expect(state(page)).to_contain_text("Finished: 100 epochs")
    print(f"epoch 100 after {time.monotonic() - began:.1f} s")
