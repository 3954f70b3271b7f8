"""Kept runs in SQLite."""

import csv
import io
import json
import math
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from pages.common.folders import data_folder
from pages.prior_parts.export import reveal_note, run_to_csv, run_to_json
from pages.prior_parts.kept_run import KeptRun
from pages.prior_parts.store import RunStore, RunStoreError
from xdnn_core.priors.live_state import LiveConfig, Snapshot, StrengthMark
from xdnn_core.priors.method_curve import MethodCurve, TopFeature
from xdnn_core.priors.methods import PriorMethod

NAN = float("nan")
CURVE = MethodCurve(
    method="x_gradient",
    title="X-Gradient",
    epochs=(0, 1),
    strengths=(1.0, 10.0),
    auc_mean=(0.5, 0.625),
    auc_low=(NAN, 0.5),
    auc_high=(NAN, 0.75),
    loss=(0.7, 0.6),
    penalty=(-0.3, -0.4),
    gini=(0.3, 0.4),
    top_features=(TopFeature("age", "Age", 0.25, 0.5),),
    best_epoch=1.0,
    best_validation_auc=0.625,
    test_auc=0.6,
    test_band=0.05,
    test_replicates=2,
    test_is_current=True,
    zero_attributions=3,
)
SNAPSHOT = Snapshot(
    version=9,
    state="paused",
    epoch=2,
    config=LiveConfig(methods=(PriorMethod("x_gradient"),), seed=4),
    cohort="nhefs",
    cohort_title="NHEFS",
    outcome="died by 1992",
    strength=10.0,
    marks=(StrengthMark(1, 10.0),),
    curves=(CURVE,),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "runs.sqlite"


def runs(store: RunStore) -> list[KeptRun]:
    return [store.get(run_id) for run_id in store.names()]


def test_a_kept_run_survives_a_restart_with_everything(path: Path) -> None:
    kept = RunStore(path).keep(SNAPSHOT, "first")
    (found,) = runs(RunStore(path))
    assert found.name == "first"
    assert found.config == SNAPSHOT.config
    assert found.marks == SNAPSHOT.marks
    assert found.curves[0].top_features == CURVE.top_features
    assert math.isnan(found.curves[0].auc_low[0])
    assert replace(found.curves[0], auc_low=(), auc_high=()) == replace(
        CURVE, auc_low=(), auc_high=()
    )
    assert run_to_json(found) == run_to_json(kept)
    assert run_to_json(RunStore(path).get(kept.id)) == run_to_json(kept)


def test_newest_first_rename_and_delete(path: Path) -> None:
    store = RunStore(path)
    ids = [store.keep(SNAPSHOT, name).id for name in ("a", "b", "c")]
    assert [run.name for run in runs(store)] == ["c", "b", "a"]
    store.rename(ids[1], "  better ")
    assert store.get(ids[1]).name == "better"
    store.delete(ids[0])
    assert [run.name for run in runs(store)] == ["c", "better"]
    for action in (store.delete, store.get, lambda i: store.rename(i, "x")):
        with pytest.raises(RunStoreError, match="no such kept run"):
            action(ids[0])


def test_a_deleted_run_comes_back_as_it_was(path: Path) -> None:
    store = RunStore(path, "me")
    first, second = store.keep(SNAPSHOT, "first"), store.keep(SNAPSHOT, "second")
    store.rename(first.id, "renamed")
    lost = store.get(first.id)
    store.delete(first.id)
    store.restore(lost)
    store.restore(second)  # is there: stays the only one
    assert store.names() == {first.id: "renamed", second.id: "second"}
    assert run_to_json(store.get(first.id)) == run_to_json(lost)
    assert RunStore(path, "you").names() == {}


def test_owners_see_only_their_own(path: Path) -> None:
    mine, theirs = RunStore(path, "me"), RunStore(path, "you")
    run = mine.keep(SNAPSHOT)
    assert runs(theirs) == []
    with pytest.raises(RunStoreError):
        theirs.get(run.id)
    with pytest.raises(RunStoreError):
        theirs.delete(run.id)
    assert len(runs(mine)) == 1


def test_names(path: Path) -> None:
    store = RunStore(path)
    assert store.keep(SNAPSHOT).name == "nhefs, λ 1 → 10"
    with pytest.raises(RunStoreError, match="81 characters; allowed are 1 to 80"):
        store.keep(SNAPSHOT, "x" * 81)
    odd = "'; DROP TABLE runs; --"
    store.keep(SNAPSHOT, odd)
    assert runs(store)[0].name == odd


def test_a_strength_set_after_the_last_epoch_is_not_kept(path: Path) -> None:
    later = (*SNAPSHOT.marks, StrengthMark(2, 100.0))
    kept = RunStore(path).keep(replace(SNAPSHOT, marks=later, strength=100.0))
    assert kept.strength == 10.0
    assert kept.marks == SNAPSHOT.marks


def test_nothing_trained_is_nothing_to_keep(path: Path) -> None:
    with pytest.raises(RunStoreError, match="has not trained an epoch"):
        RunStore(path).keep(replace(SNAPSHOT, epoch=0))


def test_json_export_is_strict_and_whole(path: Path) -> None:
    text = run_to_json(RunStore(path).keep(SNAPSHOT))

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    values = json.loads(text, parse_constant=refuse)
    assert values["config"]["methods"] == ["x_gradient"]
    assert values["config"]["seed"] == 4
    assert values["curves"][0]["auc_low"] == [None, 0.5]
    assert values["marks"] == [{"epoch": 1, "strength": 10.0}]


def test_csv_export_has_a_line_an_epoch_and_no_formulas(path: Path) -> None:
    run = RunStore(path).keep(SNAPSHOT, "=HYPERLINK(1)")
    lines = list(csv.DictReader(io.StringIO(run_to_csv(run))))
    assert [line["epoch"] for line in lines] == ["0", "1"]
    assert lines[0]["validation_auc_low"] == ""
    assert float(lines[1]["validation_auc_mean"]) == 0.625
    assert float(lines[1]["strength"]) == 10.0
    assert lines[0]["run"] == "'=HYPERLINK(1)"


def test_the_folder_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDNN_DATA", str(tmp_path / "mine"))
    assert data_folder() == tmp_path / "mine"
    assert RunStore().names() == {}
    assert not (tmp_path / "mine").exists(), "looking makes nothing"
    RunStore().keep(SNAPSHOT)
    assert (tmp_path / "mine" / "runs.sqlite").is_file()


@pytest.mark.parametrize(
    ("revealed", "moved", "note"),
    [
        (False, False, "test ROC-AUC not revealed"),
        (False, True, "test ROC-AUC not revealed, but λ moved after that of an earlier run was"),
        (True, False, "λ did not move after the test ROC-AUC was revealed"),
        (True, True, "λ moved after the test ROC-AUC was revealed"),
    ],
)
def test_a_kept_run_says_whether_the_strength_moved_after_the_reveal(
    path: Path, revealed: bool, moved: bool, note: str
) -> None:
    snapshot = replace(SNAPSHOT, test_revealed=revealed, moved_after_reveal=moved)
    if not revealed:
        snapshot = replace(snapshot, curves=(CURVE.without_test(),))
    run = RunStore(path).get(RunStore(path).keep(snapshot).id)
    assert (run.test_revealed, run.moved_after_reveal) == (revealed, moved)
    assert reveal_note(run) == reveal_note(snapshot) == note
    values = json.loads(run_to_json(run))
    assert values["test_note"] == note
    assert values["curves"][0]["test_auc"] == (0.6 if revealed else None)
    lines = list(csv.DictReader(io.StringIO(run_to_csv(run))))
    assert {line["test_note"] for line in lines} == {note}
    assert {line["test_auc"] for line in lines} == {"0.6" if revealed else ""}


def test_a_run_of_an_earlier_version_opens_and_says_so(path: Path) -> None:
    store = RunStore(path)
    run_id = store.keep(SNAPSHOT).id
    with sqlite3.connect(path) as connection:
        (content,) = connection.execute("SELECT content FROM runs").fetchone()
        old = {k: v for k, v in json.loads(content).items() if "reveal" not in k}
        connection.execute("UPDATE runs SET content = ?", (json.dumps(old),))
    run = store.get(run_id)
    assert run.curves[0].test_auc == 0.6
    assert reveal_note(run) == "kept by an earlier version, which always showed the test ROC-AUC"
    assert json.loads(run_to_json(run))["moved_after_reveal"] is None
