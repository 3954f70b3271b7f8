"""Prior training when something around it is broken: it can be trained all the same."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.prior_parts import owner as prior_owner
from pages.prior_parts.scales import LEARNING_RATES
from pages.prior_parts.store import RunStore
from tests.pages.prior.test_runs import SNAPSHOT

PAGE = Path(__file__).resolve().parents[3] / "pages" / "prior_training.py"
ME = "0" * 32


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """Not yet drawn; with one kept run."""
    monkeypatch.setenv("XDNN_DATA", str(tmp_path))
    RunStore(owner=ME).keep(SNAPSHOT, "first run")
    monkeypatch.setattr(prior_owner, "owner", lambda: ME)  # no request carries a cookie here
    test = AppTest.from_file(PAGE, default_timeout=120)
    st.cache_resource.clear()  # all tests are one session to it
    return test


def can_start(page: AppTest) -> bool:
    assert not page.exception
    return [b.disabled for b in page.button if b.key == "prior_start"] == [False]


def labels(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def captions(page: AppTest) -> str:
    return "\n".join(caption.value for caption in page.caption).replace("\\", "")


def test_it_says_what_it_computes_on(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDNN_DEVICE", "cpu")
    assert can_start(page.run())
    assert "Computes on the CPU, " in captions(page)
    assert page.checkbox[0].label == "first run"


def test_a_device_that_is_not_there(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDNN_DEVICE", "cuda:99")
    page.run()
    assert not page.exception
    (warning,) = page.warning
    assert "XDNN_DEVICE: Device 'cuda:99' is not present" in warning.value.replace("\\", "")


@pytest.mark.parametrize("trouble", ["corrupt", "locked"])
def test_kept_runs_that_cannot_be_read(page: AppTest, tmp_path: Path, trouble: str) -> None:
    file = tmp_path / "runs.sqlite"
    whole = file.read_bytes()
    with closing(sqlite3.connect(file)) as other:
        if trouble == "locked":
            other.execute("BEGIN EXCLUSIVE")
        else:
            file.write_bytes(b"somebody else's" * 100)
        assert can_start(page.run())
        assert captions(page).count("Kept runs cannot be read at the moment (") == 1
        assert str(tmp_path) not in captions(page)
        assert not page.checkbox
    file.write_bytes(whole)
    page.run()
    assert "cannot be read" not in captions(page)
    assert page.checkbox[0].label == "first run"


def test_settings_of_another_version_become_the_nearest_there_are(page: AppTest) -> None:
    odd = replace(SNAPSHOT.config, learning_rate=0.003, strength=0.123, epochs_per_second=7.0)
    RunStore(owner=ME).keep(replace(SNAPSHOT, config=odd), "odd run")
    page.run()
    run_id = next(id for id, name in RunStore(owner=ME).names().items() if name == "odd run")
    page.button(key=f"prior_use_{run_id}").click().run()
    assert can_start(page)
    assert page.session_state["rate"] in LEARNING_RATES
    assert page.session_state["lambda"] == 0.1


def test_a_click_that_comes_twice_does_no_harm(page: AppTest) -> None:
    page.run()
    (run_id,) = RunStore(owner=ME).names()
    page.button(key=f"prior_delete_{run_id}").click().run()
    undo = page.button(key="prior_undo")
    undo.click().run()
    assert list(RunStore(owner=ME).names()) == [run_id]
    undo.click().run()
    assert not page.exception


def test_a_second_click_on_pause_does_not_resume(page: AppTest) -> None:
    """The browser may send a click with the next redraw once more."""
    page.run()
    page.button(key="prior_start").click().run()
    pause = page.button(key="prior_pause")
    pause.click().run()
    deadline = time.monotonic() + 30
    while "Resume" not in labels(page):
        assert time.monotonic() < deadline
        page.run()
    pause.click().run()
    assert not page.exception
    assert "Resume" in labels(page)


def test_a_row_that_is_no_run_is_named_and_can_be_deleted(page: AppTest, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "runs.sqlite")) as other, other:
        row = ("odd", ME, "odd run", "2099", "nhefs", '{"curves": 7}')
        other.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?)", row)
    assert can_start(page.run())
    assert "The kept run 'odd run' cannot be read and is left out." in captions(page)
    assert [box.label for box in page.checkbox] == ["first run"]
    page.button(key="prior_drop_odd").click().run()
    assert can_start(page)
    assert "left out" not in captions(page)
    assert list(RunStore(owner=ME).names().values()) == ["first run"]


def test_no_network_is_one_sentence(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDNN_CACHE", str(Path(os.environ["XDNN_DATA"]) / "cache"))
    monkeypatch.setenv("XDNN_NHANES_URL", "http://127.0.0.1:9/no-network")
    page.query_params["cohort"] = "NHANES I"
    page.run()
    assert not page.exception
    said = [element.value for element in (*page.error, *page.warning, *page.info)]
    assert any("check the network connection" in text for text in said), said
    assert "Try again" in labels(page)


def test_what_is_this_explains_with_formula_and_source(page: AppTest) -> None:
    assert can_start(page.run())
    assert page.latex
    assert any("Off is λ = 0" in text.value for text in page.markdown)
