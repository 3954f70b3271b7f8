"""Whose turn it is: smaller work first, larger work goes on all the same."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress

import pytest
from hypothesis import given, settings, strategies as st

from pages.common.queue import SHORT, GiveWay, Waiting, WorkQueue

PATIENCE = 30.0
Turn = Callable[[Waiting | None], AbstractContextManager[GiveWay]]


class GaveUp(Exception):
    """Raised by a test while it waits."""


class Worker:
    """A thread that takes a turn, notes it, and holds it until it is told to leave."""

    def __init__(self, turn: Turn, name: object = None, served: list[object] | None = None) -> None:
        self.told: list[int] = []  # how many were ahead, whenever that was said
        self.has_turn, self.leave = threading.Event(), threading.Event()
        self.give_up = threading.Event()
        self._turn, self._name, self._served = turn, name, served
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        with suppress(GaveUp), self._turn(self._waiting) as self.give_way:
            if self._served is not None:
                self._served.append(self._name)
            self.has_turn.set()
            self.leave.wait(PATIENCE)

    def _waiting(self, ahead: int) -> None:
        self.told.append(ahead)
        if self.give_up.is_set():
            raise GaveUp

    def end(self, give_up: bool = False) -> None:
        if give_up:
            self.give_up.set()
        self.leave.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def waits_behind(self, ahead: int) -> bool:
        return until(lambda: self.told[-1:] == [ahead])


def until(reached: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not reached() and time.monotonic() < deadline:
        time.sleep(0.002)
    return reached()


@pytest.fixture
def start() -> Iterator[Callable[..., Worker]]:
    started: list[Worker] = []

    def starter(turn: Turn, *more: object) -> Worker:
        started.append(Worker(turn, *more))  # type: ignore[arg-type]
        return started[-1]

    yield starter
    for worker in started:
        worker.leave.set()
    for worker in started:
        worker.end()


def picture(queue: WorkQueue, evaluations: int) -> Turn:
    return lambda waiting: queue.picture_turn(evaluations, waiting)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.sampled_from([32, 40, 256, 6000]), min_size=1, max_size=6))
def test_smaller_work_goes_first_then_who_asked_first(sizes: list[int]) -> None:
    queue, served = WorkQueue(), []
    workers = [Worker(picture(queue, 1))]
    assert workers[0].has_turn.wait(PATIENCE)
    for number, size in enumerate(sizes):
        workers.append(Worker(picture(queue, size), (max(size, SHORT), number), served))
        ahead = 1 + sum(max(other, SHORT) <= max(size, SHORT) for other in sizes[:number])
        assert workers[-1].waits_behind(ahead)
    for worker in workers:
        worker.leave.set()
    assert until(lambda: len(served) == len(sizes))
    assert served == sorted(served)
    for worker in workers:
        worker.end()


def test_pictures_are_computed_one_at_a_time() -> None:
    queue, inside, most = WorkQueue(), 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(200):
            with queue.picture_turn(32):
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert (inside, most) == (0, 1)


def test_large_work_lets_a_newcomer_in_between_two_chunks(start: Callable[..., Worker]) -> None:
    queue = WorkQueue(held_up=PATIENCE)
    chunks: list[str] = []
    begun, newcomer_is_in = threading.Event(), threading.Event()

    def convergence() -> None:
        with queue.picture_turn(6000) as give_way:
            chunks.append("large")
            begun.set()
            newcomer_is_in.wait(PATIENCE)
            give_way()
            chunks.append("large")

    large = threading.Thread(target=convergence)
    large.start()
    assert begun.wait(PATIENCE)
    newcomer = start(picture(queue, 32), "coarse", chunks)
    assert newcomer.has_turn.wait(PATIENCE), "it does not wait for the large work to end"
    newcomer_is_in.set()
    time.sleep(0.05)
    assert chunks == ["large", "coarse"], "the large work stands still meanwhile"
    newcomer.end()
    large.join(PATIENCE)
    assert chunks == ["large", "coarse", "large"]


def test_one_of_the_larger_works_goes_on_every_so_often(start: Callable[..., Worker]) -> None:
    queue = WorkQueue(held_up=0.3)
    larger = [start(picture(queue, 6000 - number)) for number in range(3)]
    assert all(worker.has_turn.wait(PATIENCE) for worker in larger[:1])
    for worker in larger[1:]:  # smaller than the one before, so they begin too
        assert worker.has_turn.wait(PATIENCE)
    assert start(picture(queue, 32)).has_turn.wait(PATIENCE)  # and never leaves
    went_on: list[float] = []

    def chunks(worker: Worker) -> None:
        for _ in range(2):
            worker.give_way(None)
            went_on.append(time.monotonic())

    threads = [threading.Thread(target=chunks, args=(worker,)) for worker in larger]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(went_on) == 6, "all go on"
    gaps = [after - before for before, after in itertools.pairwise(sorted(went_on))]
    assert min(gaps) >= 0.3 - 0.05, "but one at a time"


def test_small_work_does_not_let_large_work_in(start: Callable[..., Worker]) -> None:
    queue = WorkQueue(held_up=PATIENCE)
    with queue.picture_turn(32) as give_way:
        large = start(picture(queue, 256))
        assert large.waits_behind(1)
        give_way()
        assert not large.has_turn.is_set()
    assert large.has_turn.wait(PATIENCE)


def test_who_gives_up_leaves_the_queue(start: Callable[..., Worker]) -> None:
    queue = WorkQueue()
    with queue.picture_turn(32):
        first = start(picture(queue, 32))
        assert first.waits_behind(1)
        second = start(picture(queue, 32))
        assert second.waits_behind(2)
        first.end(give_up=True)
        assert not first.has_turn.is_set()
        assert second.waits_behind(1)
    assert second.has_turn.wait(PATIENCE)


def test_the_next_is_let_in_after_an_error(start: Callable[..., Worker]) -> None:
    queue = WorkQueue()
    with pytest.raises(RuntimeError, match="broken"), queue.picture_turn(32):
        raise RuntimeError("broken")
    assert start(picture(queue, 32)).has_turn.wait(PATIENCE)


def test_trainings_take_a_core_each_in_the_order_of_asking(start: Callable[..., Worker]) -> None:
    queue = WorkQueue(trainings=2)
    workers = []
    for number in range(4):
        workers.append(start(queue.training_turn))
        if number < 2:
            assert workers[-1].has_turn.wait(PATIENCE)
        else:
            assert workers[-1].waits_behind(number - 1)
    assert queue.trainings == 2
    workers[0].end()
    assert workers[2].has_turn.wait(PATIENCE)
    assert not workers[3].has_turn.is_set()


@pytest.mark.parametrize(("evaluations", "waits"), [(SHORT, True), (SHORT + 1, False)])
def test_trainings_let_short_pictures_in(
    start: Callable[..., Worker], evaluations: int, waits: bool
) -> None:
    queue = WorkQueue(trainings=1, held_up=0.15)
    with queue.training_turn() as give_way:
        assert start(picture(queue, evaluations)).has_turn.wait(PATIENCE)
        told: list[int] = []
        give_way(told.append)
    assert bool(told) == waits
