"""What live runs hold in memory: counted over all of them, and let go when one ends."""

import gc
import threading
import weakref
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from pages.common.queue import WorkQueue
from tests.priors.driving import CONFIG, PATIENCE, step, until, until_state
from tests.priors.small_cohorts import CPU, make_cohort
from xdnn_core.errors import UserError
from xdnn_core.priors import memory
from xdnn_core.priors.ensemble import PriorEnsemble
from xdnn_core.priors.live import LiveTrainer
from xdnn_core.priors.live_run import LiveCurve
from xdnn_core.priors.live_state import LiveConfig, Snapshot
from xdnn_core.priors.memory import RunMemory, memory_needed
from xdnn_core.priors.methods import parse_method
from xdnn_core.priors.splits import stack_splits

GIGABYTE = 10**9


@pytest.fixture
def networks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[weakref.ref[PriorEnsemble]]]:
    """Every stack of networks made meanwhile; nothing is collected but by reference counts."""
    made: list[weakref.ref[PriorEnsemble]] = []
    plain = PriorEnsemble.__init__

    def noted(self: PriorEnsemble, *given: object) -> None:
        made.append(weakref.ref(self))
        plain(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(PriorEnsemble, "__init__", noted)
    gc.disable()
    yield made
    gc.enable()


def trainer(config: LiveConfig = CONFIG, count: RunMemory | None = None) -> LiveTrainer:
    return LiveTrainer(
        make_cohort(),
        config,
        "cpu",
        turn=WorkQueue(trainings=4).training_turn,
        memory=count or RunMemory(),
    )


def end(one: LiveTrainer) -> None:
    one.stop()
    one.join(PATIENCE)
    assert not one.alive


def test_a_stopped_trainer_holds_no_networks(
    networks: list[weakref.ref[PriorEnsemble]],
) -> None:
    count = RunMemory()
    one = trainer(replace(CONFIG, epochs=1000), count)
    one.start()
    until(one, lambda s: s.epoch >= 2)
    assert count.held(CPU) > 0
    assert [ref() is not None for ref in networks] == [True, True]
    end(one)
    assert [ref() for ref in networks] == [None, None]
    assert count.held(CPU) == 0
    last = one.snapshot()
    assert last.state == "stopped"
    assert last.epoch >= 2
    assert len(last.curves[1].auc_mean) >= last.epoch, "what came of it is still there"


def test_a_reset_lets_the_run_before_go(networks: list[weakref.ref[PriorEnsemble]]) -> None:
    count = RunMemory()
    one = trainer(count=count)
    step(one)
    before = count.held(CPU)
    one.reset(replace(CONFIG, methods=(parse_method("none"),)))
    step(one)
    assert [ref() is not None for ref in networks] == [False, False, True]
    assert 0 < count.held(CPU) < before
    end(one)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_run_that_broke_off_is_let_go_and_starts_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    count = RunMemory()
    one = trainer(count=count)
    step(one)
    one.set_strength(20.0)
    with monkeypatch.context() as patch:
        patch.setattr(LiveCurve, "step", lambda *_: 1 / 0)
        one.start()
        assert "ZeroDivisionError" in until_state(one, "failed").error
    one.join(PATIENCE)
    assert count.held(CPU) == 0
    again = step_anew(one)
    assert again.marks == ()
    assert again.curves[0].epochs == (0,)
    end(one)


def step_anew(one: LiveTrainer) -> Snapshot:
    one.step()
    return until(one, lambda s: s.state == "paused" and s.epoch == 1)


def test_what_others_hold_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    count = RunMemory()
    free = 10 * GIGABYTE
    monkeypatch.setattr(memory, "memory_budget", lambda device: 2 * GIGABYTE)
    monkeypatch.setattr(memory, "free_memory", lambda device: free - count.held(device))
    for run in "abc":
        count.reserve(run, 16 * GIGABYTE // 10, CPU)
    with pytest.raises(UserError) as refused:
        count.reserve("d", 16 * GIGABYTE // 10, CPU)
    assert str(refused.value) == (
        "This run needs about 1.6 GB of memory and 0.2 GB are free for it; other trainings hold "
        "4.8 GB; use fewer replicates, methods or references, or narrower layers, or start again "
        "once another training has ended."
    )
    count.reserve("small", GIGABYTE // 10, CPU)
    count.release("b")
    count.release("b")
    count.reserve("d", 16 * GIGABYTE // 10, CPU)
    with pytest.raises(UserError, match=r"needs about 3\.0 GB of memory and \d"):
        RunMemory().reserve("alone", 3 * GIGABYTE, CPU)


def test_a_run_that_is_about_to_let_go_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    count = RunMemory()
    monkeypatch.setattr(memory, "memory_budget", lambda device: GIGABYTE)
    monkeypatch.setattr(memory, "free_memory", lambda device: 2 * GIGABYTE - count.held(device))
    count.reserve("old", GIGABYTE, CPU)
    threading.Timer(0.2, count.release, ["old"]).start()
    count.reserve("new", GIGABYTE, CPU)
    assert count.held(CPU) == GIGABYTE


def test_trainers_count_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    count = RunMemory()
    needed = memory_needed(CONFIG, *make_cohort().features.shape)
    monkeypatch.setattr(memory, "free_memory", lambda device: 3 * needed - count.held(device))
    first, second = trainer(count=count), trainer(count=count)
    step(first)
    second.start()
    assert "other trainings hold" in until_state(second, "failed").error
    end(first)
    assert step_anew(second).epoch == 1
    end(second)


def _bytes_of(thing: object, seen: dict[int, int]) -> None:
    """Storages of all tensors that an object leads to."""
    if isinstance(thing, torch.Tensor):
        storage = thing.untyped_storage()
        seen[storage.data_ptr()] = storage.nbytes()
    elif isinstance(thing, list | tuple):
        for each in thing:
            _bytes_of(each, seen)
    elif isinstance(thing, dict):
        _bytes_of(list(thing.values()), seen)
    elif hasattr(thing, "__dict__") and type(thing).__module__.startswith("xdnn_core.priors"):
        _bytes_of(vars(thing), seen)


@pytest.mark.parametrize(
    ("methods", "hidden", "replicates"),
    [
        (("none", "x_gradient"), (256, 128), 32),
        (("expected_gradients:16",), (64, 32), 4),
        (("expected_gradients:64", "integrated_gradients:64"), (128, 128), 2),
    ],
)
def test_the_need_is_about_what_a_run_holds(
    methods: tuple[str, ...], hidden: tuple[int, ...], replicates: int
) -> None:
    cohort = make_cohort(features=40)
    config = LiveConfig(tuple(map(parse_method, methods)), hidden=hidden, replicates=replicates)
    splits = stack_splits(cohort, range(replicates), CPU)
    curves = [LiveCurve(method, splits, config, cohort.columns) for method in config.methods]
    for curve in curves:
        curve.step(1.0, lambda: False)
        curve.score(lambda: False)
    seen: dict[int, int] = {}
    _bytes_of(curves, seen)
    held, needed = sum(seen.values()), memory_needed(config, *cohort.features.shape)
    assert 0.8 * held < needed < 2 * held, f"{held / 1e6:.1f} MB are held"
