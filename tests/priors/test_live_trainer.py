"""The live trainer, driven as a page would drive it."""

import math
import time
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from pages.common.queue import WorkQueue
from tests.priors.driving import CONFIG, PATIENCE, Make, step, until, until_state
from tests.priors.small_cohorts import CPU, cohort_of, make_cohort
from xdnn_core.data.cohorts.splitting import split_cohort
from xdnn_core.priors import memory
from xdnn_core.priors.ensemble import EnsembleConfig, PriorEnsemble
from xdnn_core.priors.methods import parse_method
from xdnn_core.priors.splits import stack_splits


def test_trains_to_the_end_and_measures_what_the_ensemble_does(make: Make) -> None:
    trainer = make()
    trainer.reveal_test()
    first = trainer.snapshot()
    assert (first.state, first.epoch, first.curves) == ("ready", 0, ())
    trainer.start()
    end = until_state(trainer, "finished")
    assert end.epoch == 12
    assert end.marks == ()
    assert [curve.method for curve in end.curves] == ["none", "x_gradient"]
    curve = end.curves[1]
    assert curve.epochs == tuple(range(12))
    config = EnsembleConfig(parse_method("x_gradient"), hidden=(8, 4))
    ensemble = PriorEnsemble(stack_splits(make_cohort(), range(3), CPU), config)
    for epoch in range(12):
        record = ensemble.step(1.0)
        assert record is not None
        assert curve.auc_mean[epoch] == pytest.approx(float(record.validation_auc.mean()), abs=1e-6)
        assert curve.loss[epoch] == pytest.approx(float(record.loss.mean()), abs=1e-6)
        assert curve.penalty[epoch] == pytest.approx(float(record.penalty.mean()), abs=1e-6)
        assert curve.gini[epoch] == pytest.approx(float(record.gini.mean()), abs=1e-6)
    areas = ensemble.test_auc()
    assert areas is not None
    assert curve.test_auc == pytest.approx(float(areas.mean()), abs=1e-6)
    assert curve.test_is_current
    assert curve.test_replicates == 3
    half = 4.302653 * float(areas.std()) / 3**0.5  # Student's t with 2 degrees of freedom
    assert curve.test_band == pytest.approx(half, rel=1e-5)
    assert record is not None
    top = record.profile.mean(dim=0)
    assert curve.top_features[0].value == pytest.approx(float(top.max()), rel=1e-5)
    assert curve.top_features[0].title == f"Feature {int(top.argmax())}"
    assert sum(feature.share for feature in curve.top_features) == pytest.approx(1)


def test_start_after_the_end_does_nothing(make: Make) -> None:
    trainer = make(replace(CONFIG, epochs=2))
    trainer.start()
    until_state(trainer, "finished")
    trainer.start()
    trainer.step()
    trainer.set_strength(3.0)
    assert trainer.snapshot().epoch == 2
    assert trainer.snapshot().state == "finished"


def test_step_pause_and_go_on(make: Make) -> None:
    trainer = make(replace(CONFIG, epochs=1000))
    for epoch in (1, 2, 3):
        snapshot = step(trainer)
        assert snapshot.epoch == epoch
        assert [len(curve.epochs) for curve in snapshot.curves] == [epoch, epoch]
    trainer.start()
    until(trainer, lambda s: s.epoch > 5)
    trainer.pause()
    paused = until_state(trainer, "paused")
    after = step(trainer)  # completes the epoch under way or trains one
    assert after.epoch == paused.epoch + 1
    assert {len(curve.epochs) for curve in after.curves} == {after.epoch}


def test_reset_while_training(make: Make) -> None:
    trainer = make(replace(CONFIG, epochs=1000))
    trainer.start()
    until(trainer, lambda s: s.epoch > 3)
    trainer.reset()
    assert trainer.snapshot().epoch == 0
    assert step(trainer).curves[0].epochs == (0,)


def test_stop_ends_the_thread_for_good(make: Make) -> None:
    trainer = make(replace(CONFIG, epochs=1000))
    trainer.start()
    until(trainer, lambda s: s.epoch > 1)
    trainer.stop()
    trainer.join(PATIENCE)
    assert not trainer.alive
    assert trainer.snapshot().state == "stopped"
    trainer.start()
    trainer.reset()
    assert not trainer.alive
    unused = make()
    unused.stop()
    assert unused.snapshot().state == "stopped"


def test_no_more_train_at_once_than_there_are_places(make: Make) -> None:
    queue = WorkQueue(trainings=1)
    endless = replace(CONFIG, epochs=2000, epochs_per_second=20.0)
    first, second, third = (make(endless, turn=queue.training_turn) for _ in range(3))
    first.start()
    until(first, lambda s: s.epoch > 0)
    second.start()
    assert until_state(second, "waiting").waiting_behind == 1
    third.start()
    assert until_state(third, "waiting").waiting_behind == 2
    assert queue.trainings == 1
    second.pause()  # leaves the line
    until_state(second, "ready")
    until(third, lambda s: s.waiting_behind == 1)
    assert third.snapshot().epoch == 0
    first.pause()
    until(third, lambda s: s.epoch > 0)
    assert queue.trainings == 1
    third.stop()
    third.join(PATIENCE)
    assert queue.trainings == 0


def test_training_stands_still_while_a_first_picture_is_computed(make: Make) -> None:
    queue = WorkQueue(trainings=1, held_up=PATIENCE)
    trainer = make(replace(CONFIG, epochs=2000), turn=queue.training_turn)
    trainer.start()
    until(trainer, lambda s: s.epoch > 0)
    with queue.picture_turn(32):
        time.sleep(0.1)  # the tile at work is finished
        before = trainer.snapshot().epoch
        time.sleep(0.2)
        assert trainer.snapshot().epoch <= before + 1
        assert trainer.snapshot().state == "training"
        trainer.pause()  # commands act at once all the same
        until_state(trainer, "paused")
        trainer.start()
    until(trainer, lambda s: s.epoch > before + 1)


def test_trainers_do_not_see_each_other(make: Make) -> None:
    one, two = make(), make(replace(CONFIG, strength=50.0))
    step(one)
    step(two)
    one.set_strength(3.0)
    assert two.snapshot().strength == 50.0
    assert two.snapshot().marks == ()


def test_a_snapshot_never_changes(make: Make) -> None:
    trainer = make()
    before = step(trainer)
    kept = (before.curves[1].loss, before.version)
    after = step(trainer)
    assert (before.curves[1].loss, before.version) == kept
    assert after.version > before.version
    with pytest.raises(FrozenInstanceError):
        before.epoch = 7  # type: ignore[misc]


def test_a_cohort_that_cannot_be_split_is_told(make: Make) -> None:
    trainer = make(cohort=make_cohort(rows=30))
    trainer.start()
    failed = until_state(trainer, "failed")
    assert failed.error == (
        "The cohort has 30 rows; at least 50 are needed to train, validate and test."
    )


def test_a_run_that_does_not_fit_is_refused(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "memory_budget", lambda device: 10**6)
    trainer = make(replace(CONFIG, hidden=(1024, 1024), replicates=64))
    trainer.start()
    assert "use fewer replicates, methods" in until_state(trainer, "failed").error
    trainer.reset(CONFIG)
    assert step(trainer).epoch == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_mistake_of_ours_is_shown_and_seen(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("out of memory")

    trainer = make()
    monkeypatch.setattr(PriorEnsemble, "step", broken)
    trainer.start()
    assert "out of memory" in until_state(trainer, "failed").error


def test_single_class_validation_is_reported_not_hidden(make: Make) -> None:
    cohort = make_cohort()
    labels = np.zeros(len(cohort))
    labels[0] = 1.0  # in one of the three parts of every split
    changed = cohort_of(cohort.features, labels)
    seen = sum(0 in split_cohort(changed, seed).validation for seed in range(3))
    assert 0 < seen < 3
    trainer = make(cohort=changed)
    trainer.reveal_test()
    curve = step(trainer).curves[0]
    assert curve.without_validation == 3 - seen
    assert curve.test_replicates == 0  # where validation sees it, the test rows do not
    assert math.isnan(curve.test_auc)


def test_busy_until_the_picture_stands_still(make: Make) -> None:
    trainer = make(replace(CONFIG, epochs=3))
    assert not trainer.busy
    trainer.start()
    assert trainer.busy
    until(trainer, lambda _: not trainer.busy)
    trainer.reveal_test()
    last = trainer.snapshot()
    assert last.state == "finished"
    assert all(curve.test_is_current for curve in last.curves)
    trainer.start()  # nothing left to do
    until(trainer, lambda _: not trainer.busy)
    assert trainer.snapshot().version == last.version


def test_time_left_is_what_the_pace_says(make: Make) -> None:
    snapshot = make().snapshot()
    assert math.isnan(snapshot.seconds_left)
    assert replace(snapshot, epoch=2, epochs_per_second=5.0).seconds_left == 2.0
