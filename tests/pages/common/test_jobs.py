"""Heavy work of the pages: computed once for all sessions, and never in a newcomer's way."""

from __future__ import annotations

import threading
from collections.abc import Hashable

import pytest

from pages.common import jobs as heavy
from pages.common.progress import Progress, TimedBar
from pages.common.queue import WorkQueue

PATIENCE = 30.0


@pytest.fixture(autouse=True)
def queue(monkeypatch: pytest.MonkeyPatch) -> WorkQueue:
    own = WorkQueue(held_up=PATIENCE)
    monkeypatch.setattr(heavy, "WORK", own)
    return own


def test_what_another_session_computed_meanwhile_is_not_computed_again(queue: WorkQueue) -> None:
    key: Hashable = ("test", object())
    runs: list[int] = []

    def job(progress: Progress) -> str:
        runs.append(1)
        return "maps"

    found: list[object] = []
    both = [
        threading.Thread(target=lambda: found.extend(heavy.compute_missing({key: job}, "", 32)))
        for _ in range(2)
    ]
    with queue.picture_turn(1):
        for one in both:
            one.start()
    for one in both:
        one.join(PATIENCE)
    assert (found, runs) == (["maps", "maps"], [1])
    assert heavy.kept([key]) == ["maps"]


def test_a_newcomer_goes_between_two_chunks_of_a_refinement() -> None:
    order: list[str] = []
    newcomers: list[threading.Thread] = []

    def coarse(progress: Progress) -> str:
        order.append("coarse")
        return "coarse"

    def large(progress: Progress) -> str:
        order.append("chunk 1")
        newcomer = threading.Thread(
            target=heavy.compute_missing, args=({("test", object()): coarse}, "", 32)
        )
        newcomer.start()
        newcomers.append(newcomer)
        while not order.count("coarse"):  # in the queue by now, ahead of the larger work
            progress(1, 2)
        order.append("chunk 2")
        return "large"

    heavy.compute_missing({("test", object()): large}, "", 6000)
    newcomers[0].join(PATIENCE)
    assert order == ["chunk 1", "coarse", "chunk 2"]


def test_the_time_left_does_not_count_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 2.0, 50.0, 52.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    shown: list[str] = []
    bar = TimedBar("Refining")
    monkeypatch.setattr(bar._bar, "progress", lambda share, text: shown.append(text))
    progress = bar.part()
    progress(1, 4)
    bar.waiting(1)
    progress(2, 4)
    assert shown == [
        "Refining · 6 s left",
        "Refining · waiting for 1 other on this machine",
        "Refining · 4 s left",
    ]
