"""Sweeps: blocks, resuming, and the choice of λ."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.priors.small_cohorts import cohort_of, double_splits, make_cohort
from xdnn_core.data.cohorts.splitting import split_cohort
from xdnn_core.errors import UserError
from xdnn_core.priors.ensemble import EnsembleConfig, PriorEnsemble
from xdnn_core.priors.methods import parse_method
from xdnn_core.priors.sweep import (
    choose_strengths,
    plan_cells,
    run_sweep,
    sweep_cost,
)
from xdnn_core.priors.sweep_cells import SweepConfig

CONFIG = SweepConfig(hidden=(8, 4), epochs=6)
METHODS = ("none", "x_gradient", "expected_gradients:2")


def small_sweep(folder: Path | None = None, replicates: int = 5, **options: object) -> pd.DataFrame:
    options = {"config": CONFIG, "device": "cpu", "block": 2, "workers": 2} | options
    return run_sweep(
        make_cohort(), METHODS, (0.1, 10.0), replicates, folder=folder, **options  # type: ignore[arg-type]
    )  # fmt: skip


def test_a_row_for_every_training_and_what_it_says() -> None:
    frame = small_sweep()
    assert len(frame) == 5 + 2 * 5 + 2 * 5
    assert sorted(frame["method"].unique()) == ["expected_gradients", "none", "x_gradient"]
    assert set(frame.loc[frame["method"] == "none", "strength"]) == {0.0}
    at = (frame["method"] == "x_gradient") & (frame["strength"] == 10.0)
    row = frame[at & (frame["replicate"] == 3)].iloc[0]
    config = EnsembleConfig(parse_method("x_gradient"), hidden=(8, 4))
    ensemble = PriorEnsemble(double_splits(make_cohort(), 1, seed=3), config, seed=3)
    for _ in range(6):
        ensemble.step(10.0)
    areas = ensemble.test_auc()
    assert areas is not None
    assert row["seed"] == 3
    assert row["best_epoch"] == int(ensemble.best_epoch[0])
    assert row["validation_auc"] == pytest.approx(float(ensemble.best_auc[0]), abs=1e-6)
    assert row["test_auc"] == pytest.approx(float(areas[0]), abs=1e-4)
    assert row["gini"] == pytest.approx(float(ensemble.best_gini[0]), abs=1e-5)
    assert (frame["problem"] == "").all()


def test_blocks_workers_and_storage_change_nothing(tmp_path: Path) -> None:
    frame = small_sweep()
    other = small_sweep(tmp_path, block=5, workers=1)
    pd.testing.assert_frame_equal(frame, other, rtol=1e-5)
    pd.testing.assert_frame_equal(small_sweep(tmp_path, block=5), other)


def test_blocks_of_the_first_replicates_come_first() -> None:
    cells = plan_cells(METHODS, (0.1, 10.0), 5, 2)
    assert [cell.first for cell in cells] == [0] * 5 + [2] * 5 + [4] * 5
    assert {cell.last for cell in cells} == {2, 4, 5}
    assert len({cell.file_name for cell in cells}) == 15


class Cancelled(RuntimeError):
    pass


def test_a_cancelled_sweep_goes_on_where_it_was(tmp_path: Path) -> None:
    def cancel_after_three(done: float, total: float, what: str) -> None:
        if len(list(tmp_path.glob("*.parquet"))) >= 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        small_sweep(tmp_path, progress=cancel_after_three)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.parquet")}
    assert 3 <= len(kept) < 15
    seen: list[tuple[float, float]] = []
    resumed = small_sweep(tmp_path, progress=lambda done, total, _: seen.append((done, total)))
    assert {path: path.stat().st_mtime_ns for path in kept} == kept  # none trained twice
    pd.testing.assert_frame_equal(resumed, small_sweep())
    assert len(seen) == 1 + 15 - len(kept)  # the found blocks, then every other one
    assert seen[-1][0] == pytest.approx(seen[-1][1])
    assert seen[0][1] == sweep_cost(make_cohort(), METHODS, (0.1, 10.0), 5, CONFIG)


def test_more_replicates_can_be_added_later(tmp_path: Path) -> None:
    small_sweep(tmp_path, replicates=2)
    frame = small_sweep(tmp_path, replicates=4)
    pd.testing.assert_frame_equal(frame, small_sweep(replicates=4))


def test_what_an_earlier_result_has_is_not_trained_again() -> None:
    known = small_sweep(replicates=4).assign(test_auc=0.125)  # told by it
    frame = small_sweep(replicates=6, known=known)
    assert (frame["test_auc"] == 0.125).equals(frame["replicate"] < 4)
    expected = small_sweep(replicates=6)
    pd.testing.assert_frame_equal(frame.drop(columns="test_auc"), expected.drop(columns="test_auc"))
    for other in (SweepConfig(hidden=(8, 4), epochs=7), SweepConfig(hidden=(8, 4), seed=1)):
        again = small_sweep(replicates=4, config=other, known=known)
        assert not (again["test_auc"] == 0.125).any(), "other epochs, other seeds"


def test_a_kill_loses_no_finished_block(tmp_path: Path) -> None:
    script = (
        "from pathlib import Path\n"
        "from tests.priors.test_sweep import small_sweep\n"
        f"small_sweep(Path({str(tmp_path)!r}), replicates=2000)\n"
    )
    running = subprocess.Popen([sys.executable, "-c", script])
    try:
        deadline = time.monotonic() + 300
        while len(list(tmp_path.glob("*.parquet"))) < 4 and time.monotonic() < deadline:
            assert running.poll() is None
            time.sleep(0.02)
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.parquet")}
    assert len(kept) >= 4
    frame = small_sweep(tmp_path, replicates=4)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    pd.testing.assert_frame_equal(frame, small_sweep(replicates=4))


def test_a_folder_belongs_to_one_sweep(tmp_path: Path) -> None:
    small_sweep(tmp_path, replicates=2)
    with pytest.raises(UserError, match=r"another run \(it differs in epochs\)"):
        small_sweep(tmp_path, config=SweepConfig(hidden=(8, 4), epochs=7))
    with pytest.raises(UserError, match="differs in cohort"):
        run_sweep(make_cohort(seed=1), METHODS, (1.0,), 2, folder=tmp_path, config=CONFIG)


def test_nothing_asked_for() -> None:
    for methods, strengths, replicates in (
        ((), (1.0,), 1),
        (("x_gradient",), (), 1),
        (("x_gradient",), (0.0,), 1),
        (("x_gradient",), (1.0,), 0),
    ):
        with pytest.raises(UserError):
            plan_cells(methods, strengths, replicates, 8)


def test_single_class_splits_are_named_and_have_no_number() -> None:
    cohort = make_cohort()
    labels = np.zeros(len(cohort))
    labels[0] = 1.0
    changed = cohort_of(cohort.features, labels)
    frame = run_sweep(changed, ["none"], (), 4, config=CONFIG, device="cpu", block=4)
    for row in frame.itertuples():
        if 0 in split_cohort(changed, row.seed).validation:
            assert row.problem == "test rows have one class"
        else:
            assert row.problem == "validation rows have one class"
            assert np.isnan(row.validation_auc)
        assert np.isnan(row.test_auc)


def scores(validation: dict[float, list[float]], test: dict[float, float]) -> pd.DataFrame:
    rows = [
        ("x_gradient", 0, strength, replicate, value, test[strength])
        for strength, values in validation.items()
        for replicate, value in enumerate(values)
    ]
    names = ["method", "samples", "strength", "replicate", "validation_auc", "test_auc"]
    return pd.DataFrame(rows, columns=names)


def test_strengths_are_chosen_on_validation_scores_only() -> None:
    validation = {0.1: [0.6, 0.7], 1.0: [0.7, 0.8], 10.0: [0.5, 0.5]}
    for test in ({0.1: 0.9, 1.0: 0.1, 10.0: 0.5}, {0.1: 0.1, 1.0: 0.9, 10.0: 0.99}):
        assert choose_strengths(scores(validation, test)) == {"x_gradient": 1.0}


def test_equal_scores_choose_the_smaller_and_gaps_do_not_count() -> None:
    test = {0.1: 0.5, 1.0: 0.5}
    assert choose_strengths(scores({1.0: [0.7], 0.1: [0.7]}, test)) == {"x_gradient": 0.1}
    gaps = scores({0.1: [0.6, np.nan], 1.0: [0.5, 0.99]}, test)
    assert choose_strengths(gaps) == {"x_gradient": 0.1}
    none = scores({0.1: [np.nan], 1.0: [np.nan]}, test)
    assert np.isnan(choose_strengths(none)["x_gradient"])
