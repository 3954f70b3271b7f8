"""The Prior training page in a real browser."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlparse

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from xdnn_core.data.cohorts import load_cohort
from xdnn_core.experiments.figure1 import run_figure1
from xdnn_core.experiments.figure1_summary import save_results, summarise
from xdnn_core.priors.sweep import SweepConfig

# Small networks, so that a busy machine keeps up; long runs, so that there is something to steer.
SMALL = {"methods": "X-Gradient", "layers": "16, 8", "replicates": "4", "epochs": "1000"}
X_GRADIENT = "#d55e00"  # its colour
CHART = ".st-key-prior_chart_auc svg[baseProfile]"


def address(server: str, **settings: str) -> str:
    return f"{server}/prior_training?{urlencode(SMALL | settings)}"


def open_page(page: Page, server: str, **settings: str) -> None:
    """Open the page with small networks, and wait until it can be used."""
    page.goto(address(server, **settings))
    expect(page.get_by_text("Ready").first).to_be_visible()
    expect(page.locator(CHART)).to_be_visible()


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
            return (found !== null && Number(found[1]) >= least) || text.startsWith("Finished");
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


def query(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlparse(page.url).query)


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


def test_wrong_parameters_in_the_address_are_ignored_or_explained(server: str, page: Page) -> None:
    page.goto(
        f"{server}/prior_training?methods=magic&lambda=-5&replicates=9999&epochs=x&cohort=%00"
        "&pace=1&penalty=l9&rate=7&seed=-1&view=none&draws=z&k=3"
    )
    expect(state(page)).to_contain_text("2 methods, 8 replicates, 100 epochs on NHEFS")
    page.goto(address(server, layers="512, many"))
    expect(page.get_by_test_id("stAlert")).to_contain_text("such as 512, 128, 32")
    page.goto(address(server, layers="5000"))
    expect(page.get_by_test_id("stAlert")).to_contain_text("allowed is 1 to 1024")


def test_moving_the_strength_while_training_leaves_a_mark_and_changes_the_curve(
    server: str, page: Page
) -> None:
    open_page(page, server, **{"lambda": "0.1", "epochs": "40"})
    press(page, "Start")
    expect(state(page)).to_contain_text("Finished")
    untouched = curve(page)
    assert untouched.count("L") + untouched.count("C") > 5
    press(page, "Run again")
    wait_for_epoch(page, 3)
    set_strength(page, "End")
    expect(mark(page, "1000")).to_be_visible()
    expect(mark(page, "0.1")).to_be_visible()
    assert query(page)["lambda"] == ["1000"]
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
    assert query(page)["layers"] == ["16, 8"]


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
    expect(state(page)).to_contain_text("Ready: 1 method, 4 replicates, 1000 epochs")
    expect(mark(page, "1000")).to_be_visible()
    press(page, "Start")  # there is one place to train in: the run before must have left it
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
    expect(kept).to_contain_text("nhefs: X-Gradient, λ 0.1")
    kept.locator("label").first.click()
    expect(
        page.locator(f'{CHART} path[stroke="{X_GRADIENT}"][stroke-dasharray]')
    ).not_to_have_count(0)
    kept.get_by_role("button").last.click()
    page.get_by_role("button", name="Use its settings").click()
    expect(page).to_have_url(re.compile("seed=7"))


def test_kept_runs_are_renamed_exported_deleted_and_brought_back(server: str, page: Page) -> None:
    open_page(page, server, epochs="8")
    press(page, "Start")
    expect(state(page)).to_contain_text("Finished")
    press(page, "Keep")
    kept = page.locator('[class*="st-key-kept_"]')
    expect(kept).to_have_count(1)
    expect(page.get_by_role("button", name="Keep", exact=True)).to_be_disabled()
    kept.get_by_role("button").last.click()
    name = page.get_by_role("textbox", name="Name")
    name.fill("**mine** <b>&")
    name.press("Enter")
    expect(kept).to_contain_text("**mine** <b>&")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Curves, CSV").click()
    lines = list(csv.DictReader(io.StringIO(Path(waiting.value.path()).read_text())))
    assert [line["epoch"] for line in lines] == [str(number) for number in range(8)]
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Everything, JSON").click()
    values = json.loads(Path(waiting.value.path()).read_text())
    assert values["config"]["hidden"] == [16, 8]
    assert values["config"]["methods"] == ["x_gradient"]
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(kept).to_have_count(0)
    press(page, "Undo")
    expect(kept).to_contain_text("**mine** <b>&")


def test_an_own_csv_file(server: str, page: Page, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    dose = rng.normal(size=200)
    table = pd.DataFrame(
        {
            "dose": dose,
            "*ward* <b>": rng.choice(["north", "south", "west"], 200),
            "smoker": rng.choice(["no", "yes"], 200),
            "died": (dose + rng.normal(size=200) > 0).astype(int),
        }
    )
    good, bad = tmp_path / "study.csv", tmp_path / "short.csv"
    table.to_csv(good, index=False)
    table.head(20).to_csv(bad, index=False)
    page.goto(address(server, cohort="Own CSV file"))
    expect(page.get_by_text("upload a CSV file to train on")).to_be_visible()
    page.get_by_role("button", name="Your file").click()
    chooser = page.locator('input[type="file"]')
    chooser.set_input_files(bad)
    expect(page.get_by_test_id("stAlert")).to_contain_text("20 rows; at least 50")
    chooser.set_input_files(good)
    outcome = page.get_by_role("combobox", name=re.compile("Outcome to predict"))
    expect(outcome).to_be_visible()
    outcome.click()
    page.get_by_role("option", name="died").click()
    page.keyboard.press("Escape")
    expect(state(page)).to_contain_text("on study · outcome: died = 1")
    press(page, "Step")
    expect(page.locator(".features")).to_contain_text("*ward* <b>: north")


def test_no_network_is_one_sentence(server: str, page: Page) -> None:
    page.goto(address(server, cohort="NHANES I"))
    alert = page.get_by_test_id("stAlert")
    expect(alert).to_be_visible()
    assert "Traceback" not in alert.inner_text()
    expect(alert).to_contain_text("check the network connection")
    expect(page.get_by_role("button", name="Try again")).to_be_visible()


def test_figure_1_shows_both_panels_beside_the_paper(
    start_server: Callable[[], str], page: Page, tmp_path: Path
) -> None:
    cohort = load_cohort("nhefs")
    config = SweepConfig(hidden=(8,), epochs=3)
    results = run_figure1(cohort, 3, references=(1, 2, 4), config=config, device="cpu", workers=1)
    figure = summarise(results, cohort)
    save_results(tmp_path / "data" / "results" / "figure1-nhefs.parquet", results, figure)
    own = "Own run: NHEFS: NHANES I follow-up, smokers, 3 replicates"
    page.goto(
        f"{start_server()}/prior_training?"
        + urlencode({"view": "Figure 1 of the paper", "results": own})
    )
    expect(page.get_by_text("over 3 replicates on NHEFS")).to_be_visible()
    expect(page.get_by_text("not on the paper's NHANES I matrix")).to_be_visible()
    expect(page.locator(".js-plotly-plot")).to_have_count(3)
    methods = page.locator(".st-key-figure1_methods")
    expect(methods).to_contain_text("Expected Gradients (k = 1)")
    expect(methods).to_contain_text("the paper")
    expect(page.locator(".st-key-figure1_references")).to_contain_text("X-Gradient, the paper")
    page.get_by_text("Train live").click()
    expect(state(page)).to_contain_text("Ready")


def test_what_is_this_explains_with_formula_and_source(server: str, page: Page) -> None:
    open_page(page, server)
    page.get_by_role("button", name=re.compile("Validation ROC-AUC, mean and 95")).click()
    expect(page.locator(".katex").first).to_be_visible()
    expect(page.get_by_text("Off is λ = 0")).to_be_visible()


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
        wait_for_epoch(page, epoch(page) + 80)  # so that the labels do not crowd
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


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 800])
def test_both_themes_fit_the_window(server: str, browser: Browser, scheme: str, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    open_page(page, server, methods="No prior", epochs="5")
    press(page, "Start")
    expect(state(page)).to_contain_text("Finished")
    overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert overflow <= 0, "nothing sticks out sideways"
    for table in (".features", ".tests"):
        inside = page.locator(table).evaluate(
            "e => e.getBoundingClientRect().right <= "
            "e.closest('[data-testid=\"stVerticalBlock\"]').parentElement"
            ".getBoundingClientRect().right + 1"
        )
        assert inside, f"{table} fits its card"
    ink = {"light": "#1b2330", "dark": "#e8edf4"}[scheme]
    expect(page.locator(f'{CHART} path[stroke="{ink}"]').first).to_be_attached()
    context.close()
