"""Steering a live run: λ, its length and pace, and what is known of test scores meanwhile."""

import math
from dataclasses import replace
from typing import Any

import pytest

from tests.priors.driving import CONFIG, Make, step, until, until_state
from xdnn_core.errors import UserError
from xdnn_core.priors.live_run import LiveCurve
from xdnn_core.priors.live_state import Snapshot, Steering, StrengthMark
from xdnn_core.priors.methods import PriorMethod


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


def test_more_epochs_let_a_finished_run_go_on(make: Make) -> None:
    trainer = make(replace(CONFIG, epochs=2))
    trainer.start()
    end = until_state(trainer, "finished")
    trainer.steer(Steering(epochs=5))
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
    trainer.steer(Steering(epochs=2))
    assert trainer.snapshot().state == "finished"
    trainer.start()
    until(trainer, lambda _: not trainer.busy)
    assert trainer.snapshot().epoch == 2


def test_adjusting_before_the_start_is_what_the_run_begins_with(make: Make) -> None:
    trainer = make()
    trainer.steer(Steering(epochs=3, epochs_per_second=500.0))
    assert trainer.snapshot().state == "ready"
    trainer.start()
    end = until_state(trainer, "finished")
    assert (end.epoch, end.config.epochs_per_second) == (3, 500.0)
    with pytest.raises(UserError, match="epochs"):
        Steering(epochs=0)
    assert trainer.snapshot().config.epochs == 3


def test_a_slow_run_speeds_up_at_once(make: Make) -> None:
    trainer = make(replace(CONFIG, epochs=200, epochs_per_second=0.1))
    trainer.start()
    until(trainer, lambda s: s.epoch >= 1)
    trainer.steer(Steering(epochs=12))  # at the old pace the test would give up first
    assert until_state(trainer, "finished").epoch == 12


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


def test_a_strength_set_within_an_epoch_acts_after_it(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first method has finished the epoch, the second is at work: both get the same λ."""
    trainer = make()
    step(trainer)
    plain = LiveCurve.step

    def steered(curve: LiveCurve, *options: Any) -> bool:
        if curve.method.name == "x_gradient":
            trainer.set_strength(30.0)
            assert trainer.snapshot().marks == (StrengthMark(2, 30.0),)
        return plain(curve, *options)

    with monkeypatch.context() as patch:
        patch.setattr(LiveCurve, "step", steered)
        assert step(trainer).marks == (StrengthMark(2, 30.0),)
    assert {curve.strengths for curve in step(trainer).curves} == {(1.0, 1.0, 30.0)}


def test_steering_is_what_was_set_last_and_the_config_what_it_began_with(make: Make) -> None:
    trainer = make()
    step(trainer)
    steering = Steering(strength=4.0, epochs=20, epochs_per_second=50.0)
    trainer.steer(steering)
    told = trainer.snapshot()
    assert told.steering == steering
    assert told.config == replace(CONFIG, epochs=20, epochs_per_second=50.0)
    trainer.reset()
    assert trainer.snapshot().config.steering == steering
