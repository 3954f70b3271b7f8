"""The live trainer, driven as a page would drive it."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from pages.common.queue import WorkQueue
from tests.priors.small_cohorts import CPU, cohort_of, make_cohort
from xdnn_core.data.cohorts.splitting import split_cohort
from xdnn_core.errors import UserError
from xdnn_core.priors import memory
from xdnn_core.priors.ensemble import EnsembleConfig, PriorEnsemble
from xdnn_core.priors.live import LiveTrainer
from xdnn_core.priors.live_state import LiveConfig, Snapshot, StrengthMark
from xdnn_core.priors.methods import PriorMethod, parse_method
from xdnn_core.priors.splits import stack_splits

PATIENCE = 60.0  # seconds until a test gives up on a state that never comes
CONFIG = LiveConfig(
    methods=(PriorMethod("none"), PriorMethod("x_gradient")),
    hidden=(8, 4),
    replicates=3,
    epochs=12,
)
Make = Callable[..., LiveTrainer]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[LiveTrainer] = []

    def maker(config: LiveConfig = CONFIG, **options: object) -> LiveTrainer:
        options.setdefault("turn", WorkQueue(trainings=4).training_turn)
        cohort = options.pop("cohort", None) or make_cohort()
        made.append(LiveTrainer(cohort, config, "cpu", **options))  # type: ignore[arg-type]
        return made[-1]

    yield maker
    for trainer in made:
        trainer.stop()
    for trainer in made:
        trainer.join(PATIENCE)
        assert not trainer.alive


def until(trainer: LiveTrainer, reached: Callable[[Snapshot], bool]) -> Snapshot:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        snapshot = trainer.snapshot()
        if reached(snapshot):
            return snapshot
        time.sleep(0.005)
    raise AssertionError(f"never came: {trainer.snapshot()}")


def until_state(trainer: LiveTrainer, state: str) -> Snapshot:
    return until(trainer, lambda snapshot: snapshot.state == state)


def step(trainer: LiveTrainer) -> Snapshot:
    """Press Step and wait for the epoch."""
    epoch = trainer.snapshot().epoch
    trainer.step()
    return until(trainer, lambda s: s.epoch == epoch + 1 and s.state in ("paused", "finished"))


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
        record = ensemble.step()
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


def test_a_new_strength_acts_from_the_next_epoch_and_leaves_a_mark(make: Make) -> None:
    steered, steady = make(), make()
    for trainer in (steered, steady):
        for _ in range(3):
            step(trainer)
    steered.set_strength(100.0)
    told = steered.snapshot()
    assert told.strength == 100.0  # at once, before any training
    assert told.marks == (StrengthMark(3, 100.0),)
    for trainer in (steered, steady):
        for _ in range(3):
            step(trainer)
    changed, same = steered.snapshot().curves[1], steady.snapshot().curves[1]
    assert changed.strengths == (1.0, 1.0, 1.0, 100.0, 100.0, 100.0)
    assert changed.penalty[:4] == same.penalty[:4]
    assert changed.penalty[4:] != same.penalty[4:]
    assert steered.snapshot().curves[0].loss == steady.snapshot().curves[0].loss  # no prior


def test_marks_of_one_epoch_replace_each_other_and_off_is_allowed(make: Make) -> None:
    trainer = make()
    step(trainer)
    for strength in (5.0, 7.0, 7.0, 0.0):
        trainer.set_strength(strength)
    assert trainer.snapshot().marks == (StrengthMark(1, 0.0),)
    with pytest.raises(UserError, match=r"allowed is 0\.001 to 1000"):
        trainer.set_strength(5000.0)
    assert trainer.snapshot().strength == 0.0


def test_a_strength_set_before_the_start_is_no_change(make: Make) -> None:
    trainer = make()
    trainer.set_strength(9.0)
    snapshot = step(trainer)
    assert snapshot.marks == ()
    assert snapshot.config.strength == 9.0
    assert snapshot.curves[0].strengths == (9.0,)


def test_reset_starts_over_with_the_strength_last_set(make: Make) -> None:
    trainer = make()
    first = step(trainer)
    trainer.set_strength(20.0)
    step(trainer)
    trainer.reset()
    blank = trainer.snapshot()
    assert (blank.state, blank.epoch, blank.curves, blank.marks) == ("ready", 0, (), ())
    assert blank.config == replace(CONFIG, strength=20.0)
    again = step(trainer)
    assert again.curves[1].strengths == (20.0,)
    assert again.curves[1].loss == first.curves[1].loss  # the same start
    trainer.reset(replace(CONFIG, seed=5, methods=(PriorMethod("rrr"),)))
    trainer.set_strength(2.0)
    other = step(trainer)
    assert [curve.method for curve in other.curves] == ["rrr"]
    assert other.config.strength == 2.0
    assert other.curves[0].loss != first.curves[1].loss


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


class TestConfig:
    def test_round_trip_through_plain_values(self) -> None:
        config = replace(CONFIG, methods=(parse_method("expected_gradients:4"),), seed=3)
        assert LiveConfig.from_dict(config.to_dict()) == config

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"methods": ()}, "at least one method"),
            ({"methods": (PriorMethod("none"), PriorMethod("none"))}, "each only once"),
            ({"methods": (PriorMethod("expected_gradients", 200),)}, "0 to 128"),
            ({"strength": -1.0}, r"λ; allowed is 0\.001 to 1000"),
            ({"strength": float("nan")}, "nan was given for λ"),
            ({"penalty": "tv"}, "'tv' is not known"),
            ({"hidden": ()}, "hidden layers; allowed is 1 to 4"),
            ({"hidden": (5000,)}, "neurons in a layer; allowed is 1 to 1024"),
            ({"learning_rate": 3.0}, "learning rate; allowed"),
            ({"replicates": 65}, "replicates; allowed is 1 to 64"),
            ({"epochs": 0}, "epochs; allowed is 1 to 2000"),
            ({"seed": -1}, "seed; allowed"),
            ({"epochs_per_second": 0.0}, "epochs per second; allowed"),
        ],
    )
    def test_what_is_out_of_range_is_told(self, changes: dict[str, object], sentence: str) -> None:
        with pytest.raises(UserError, match=sentence):
            replace(CONFIG, **changes)  # type: ignore[arg-type]

    def test_plain_values_of_the_wrong_kind(self) -> None:
        with pytest.raises(ValueError, match="'speed' is not a setting"):
            LiveConfig.from_dict({"speed": 3})
        with pytest.raises(ValueError, match="cannot be read as the setting hidden"):
            LiveConfig.from_dict({"hidden": 5})


def test_more_epochs_let_a_finished_run_go_on(make: Make) -> None:
    trainer = make(replace(CONFIG, epochs=2))
    trainer.start()
    end = until_state(trainer, "finished")
    trainer.adjust(5, None)
    assert trainer.snapshot().state == "paused"
    trainer.start()
    longer = until(trainer, lambda s: s.state == "finished" and s.epoch == 5)
    assert longer.config.epochs == 5
    assert longer.curves[0].auc_mean[:2] == end.curves[0].auc_mean
    straight = make(replace(CONFIG, epochs=5))
    straight.start()
    assert until_state(straight, "finished").curves[1].auc_mean == longer.curves[1].auc_mean


def test_fewer_epochs_end_a_run_where_it_is(make: Make) -> None:
    trainer = make()
    step(trainer)
    step(trainer)
    trainer.adjust(2, None)
    assert trainer.snapshot().state == "finished"
    trainer.start()
    until(trainer, lambda _: not trainer.busy)
    assert trainer.snapshot().epoch == 2


def test_adjusting_before_the_start_is_what_the_run_begins_with(make: Make) -> None:
    trainer = make()
    trainer.adjust(3, 500.0)
    assert trainer.snapshot().state == "ready"
    trainer.start()
    end = until_state(trainer, "finished")
    assert (end.epoch, end.config.epochs_per_second) == (3, 500.0)
    with pytest.raises(UserError, match="epochs"):
        trainer.adjust(0, None)
    assert trainer.snapshot().config.epochs == 3


def test_a_slow_run_speeds_up_at_once(make: Make) -> None:
    trainer = make(replace(CONFIG, epochs=200, epochs_per_second=0.1))
    trainer.start()
    until(trainer, lambda s: s.epoch >= 1)
    trainer.adjust(12, None)  # at the old pace the test would give up first
    assert until_state(trainer, "finished").epoch == 12


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


def scores_of_test_rows(snapshot: Snapshot) -> list[float]:
    return [curve.test_auc for curve in snapshot.curves if not math.isnan(curve.test_auc)]


def test_test_scores_are_hidden_until_they_are_asked_for(make: Make) -> None:
    trainer = make()
    trainer.start()
    hidden = until_state(trainer, "finished")
    until(trainer, lambda _: not trainer.busy)
    assert "test_auc=nan" in repr(hidden)
    assert all(
        (curve.test_replicates, curve.test_is_current) == (0, False)
        and math.isnan(curve.test_auc)
        and math.isnan(curve.test_band)
        for curve in hidden.curves
    )
    assert not hidden.test_revealed
    trainer.reveal_test()
    shown = trainer.snapshot()
    assert shown.version > hidden.version
    assert shown.test_revealed
    assert len(scores_of_test_rows(shown)) == 2
    assert scores_of_test_rows(hidden) == [], "what was taken before holds none"
    assert not shown.moved_after_reveal
    assert [curve.without_test().auc_mean for curve in shown.curves] == [
        curve.auc_mean for curve in hidden.curves
    ]


def test_a_strength_moved_after_the_reveal_is_noted_once_it_trains(make: Make) -> None:
    trainer = make()
    trainer.set_strength(3.0)
    step(trainer)
    trainer.set_strength(5.0)
    trainer.reveal_test()
    assert trainer.revealed_strength == 5.0
    assert not step(trainer).moved_after_reveal, "λ was chosen before"
    trainer.set_strength(7.0)
    assert not trainer.snapshot().moved_after_reveal, "nothing is trained with it yet"
    assert step(trainer).moved_after_reveal
    trainer.set_strength(5.0)
    assert step(trainer).moved_after_reveal, "once moved, always moved"


def test_a_reset_hides_the_test_again_and_remembers_the_reveal(make: Make) -> None:
    trainer = make()
    step(trainer)
    trainer.reveal_test()
    assert scores_of_test_rows(until(trainer, lambda s: bool(scores_of_test_rows(s))))
    trainer.reset()
    again = step(trainer)
    assert not again.test_revealed
    assert scores_of_test_rows(again) == []
    assert not again.moved_after_reveal
    trainer.reset(replace(CONFIG, strength=40.0))
    moved = step(trainer)
    assert moved.moved_after_reveal, "chosen with the earlier test ROC-AUC known"
    assert not moved.test_revealed


def test_an_earlier_trainers_reveal_counts(make: Make) -> None:
    same, other = make(revealed_strength=CONFIG.strength), make(revealed_strength=20.0)
    assert not step(same).moved_after_reveal
    assert step(other).moved_after_reveal
    other.reveal_test()
    assert other.revealed_strength == 20.0, "the first one counts"
