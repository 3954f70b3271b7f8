"""Kept runs whose file is locked, broken, full, or holds what somebody else wrote."""

import json
import logging
import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from pages.prior_parts.chart_data import chart_data
from pages.prior_parts.export import reveal_note, run_to_csv, run_to_json
from pages.prior_parts.kept_run import read_run, run_values
from pages.prior_parts.scales import path_label
from pages.prior_parts.store import MAX_NAME, RunStore, RunStoreError, UnreadableRunError
from tests.pages.prior.test_runs import SNAPSHOT


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    """With one run in it."""
    made = RunStore(tmp_path / "data" / "runs.sqlite", "me")
    made.keep(SNAPSHOT, "mine")
    return made


def refused(store: RunStore, caplog: pytest.LogCaptureFixture) -> dict[str, str]:
    """What reading and keeping say; both are to fail."""
    said = {}
    with caplog.at_level(logging.WARNING):
        for what, act in (("read", store.names), ("written", lambda: store.keep(SNAPSHOT))):
            with pytest.raises(RunStoreError) as error:
                act()
            said[what] = str(error.value)
            pattern = (
                rf"Kept runs cannot be {what} at the moment \(.+\); training works without them"
            )
            assert re.match(pattern, said[what])
            assert str(store.path) not in said[what], "the browser does not see the path"
            assert str(store.path) in caplog.messages[-1], "the log does"
    return said


def test_a_locked_file(
    store: RunStore, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pages.prior_parts.store._WRITE_SECONDS", 0.1)
    with closing(sqlite3.connect(store.path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert "database is locked" in refused(store, caplog)["read"]
    assert list(store.names().values()) == ["mine"], "it is there again by itself"


@pytest.mark.parametrize("kept", [0, 100, 5000])
def test_a_file_that_is_no_database(
    store: RunStore, caplog: pytest.LogCaptureFixture, kept: int
) -> None:
    broken = store.path.read_bytes()[:kept] + b"somebody else's" * 400
    store.path.write_bytes(broken)
    said = refused(store, caplog)
    assert "not a database" in said["read"] or "malformed" in said["read"]
    assert store.path.read_bytes() == broken, "left alone"


def test_another_table_of_that_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "runs.sqlite"
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("CREATE TABLE runs (speed REAL)")
    refused(RunStore(path), caplog)


def test_a_folder_that_cannot_be_made(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("no folder")
    store = RunStore(tmp_path / "file" / "runs.sqlite")
    assert store.names() == {}, "nothing is there"
    with pytest.raises(RunStoreError, match="cannot be written") as error:
        store.keep(SNAPSHOT)
    assert str(tmp_path) not in str(error.value)


def test_a_full_disk(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = sqlite3.connect

    def full(*given: Any, **options: Any) -> sqlite3.Connection:
        connection = plain(*given, **options)
        connection.execute("PRAGMA max_page_count = 1")  # as many as there are
        return connection

    monkeypatch.setattr(sqlite3, "connect", full)
    long = replace(SNAPSHOT, cohort_title="x" * 100_000)
    with pytest.raises(RunStoreError, match=r"cannot be written .*disk is full"):
        store.keep(long)
    assert list(store.names().values()) == ["mine"], "what is there can be read"


def put(store: RunStore, content: object, run_id: object = "odd", name: object = "odd one") -> None:
    with closing(sqlite3.connect(store.path)) as other, other:
        row = (run_id, "me", name, "2020", "nhefs", content)
        other.execute("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?)", row)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", "null", "7", b"\xff\x00", "[" * 100_000, '{"curves": 3}']
)
def test_a_row_that_is_no_run_is_named_and_the_others_stay(
    store: RunStore, content: object, caplog: pytest.LogCaptureFixture
) -> None:
    put(store, content)
    assert list(store.names().values()) == ["mine", "odd one"]
    mine, odd = store.names()
    assert store.get(mine).name == "mine"
    with pytest.raises(UnreadableRunError, match="'odd one' cannot be read and is left out"):
        store.get(odd)
    assert str(store.path) in caplog.text
    store.delete(odd)
    assert list(store.names().values()) == ["mine"]


def test_odd_names(store: RunStore) -> None:
    content = json.dumps(run_values(store.get(next(iter(store.names())))))
    put(store, content, "long", "x" * 10**6)
    put(store, content, "bytes", b"\xff\xfe")
    with closing(sqlite3.connect(store.path)) as other, other:
        other.execute("UPDATE runs SET name = CAST(x'ff41' AS TEXT) WHERE name = 'mine'")
    names = list(store.names().values())
    assert max(map(len, names)) == MAX_NAME
    assert "\N{REPLACEMENT CHARACTER}A" in names
    assert all(store.get(run_id) for run_id in store.names())


ODD = st.sampled_from(
    [None, True, -1, 0, 10**400, 0.5, 1e308, float("inf"), "", "x", [], [None], [1], {}, {"a": 1}]
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_foreign_content_is_refused_or_can_be_shown(store: RunStore, data: st.DataObject) -> None:
    """One value somewhere in a run is replaced, removed or added."""
    values = run_values(store.get(next(iter(store.names()))))
    place: Any = values
    key = data.draw(st.sampled_from(list(values)))
    while isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans()):
        place = place[key]
        key = data.draw(st.sampled_from(list(place) if isinstance(place, dict) else [0]))
    if data.draw(st.booleans()):
        place[key] = data.draw(ODD)
    elif isinstance(place, dict):
        place[data.draw(st.text(max_size=3))] = place.pop(key)
    else:
        place.append(place[key])
    try:
        run = read_run(json.dumps(values), id="a", name="b")
    except ValueError:
        return
    for quantity in ("auc", "loss", "penalty", "gini"):
        chart_data(SNAPSHOT, [run], quantity)
    assert path_label(run.curves[0].strengths)
    assert reveal_note(run)
    assert len(run_to_csv(run).splitlines()) > len(run.curves[0].epochs)
    assert json.loads(run_to_json(run))["id"] == "a"
