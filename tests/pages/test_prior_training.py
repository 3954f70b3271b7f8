"""Prior training when something around it is broken: it can be trained all the same."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.shared import prior_owner
from tests.priors.test_runs import SNAPSHOT
from xdnn_core.priors.runs import RunStore

PAGE = Path(__file__).resolve().parents[2] / "pages" / "prior_training.py"
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
    return [b.key for b in page.button if b.key == "prior_run" and not b.disabled] == ["prior_run"]


def captions(page: AppTest) -> str:
    return "\n".join(caption.value for caption in page.caption).replace("\\", "")


def test_it_says_what_it_computes_on(page: AppTest) -> None:
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
