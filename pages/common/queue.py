"""Whose turn it is to compute, where many users share one machine.

Two integrations on the same cores both finish late and need twice the memory; one after the other,
the first is done in half the time. First pictures go first, in the order of asking; then who asks
for the fewest gradient evaluations. Larger work that is under way lets smaller work in between two
chunks.
"""

from __future__ import annotations

import itertools
import threading
import time
from bisect import insort
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from xdnn_core.device import usable_cores

Waiting = Callable[[int], None]
"""Told ten times a second how many are ahead; may raise to leave the queue."""

SHORT = 64  # gradient evaluations up to which none is smaller; first pictures take 32 to 40
_POLL_SECONDS = 0.1
# However many first pictures are asked for, so often one of those who are held up by them goes on
# for a chunk.
_HELD_UP_SECONDS = 2.0


class GiveWay(Protocol):
    """To be called between two chunks: waits while others go first."""

    def __call__(self, waiting: Waiting | None = None) -> None: ...


class WorkQueue:
    """Turns at computing: pictures one at a time, trainings one on each core.

    `held_up` is in seconds: so often one of the larger works that wait goes on for a chunk.
    """

    def __init__(self, trainings: int | None = None, held_up: float = _HELD_UP_SECONDS) -> None:
        self._places, self._held_up = trainings or usable_cores(), held_up
        # Who works or waits, in order: (gradient evaluations, number of the ticket).
        self._pictures: list[tuple[int, int]] = []
        self._trainings: list[tuple[int, int]] = []
        self._numbers = itertools.count()
        self._went_on = {id(self._pictures): 0.0, id(self._trainings): 0.0}  # when one last did
        self._changed = threading.Condition()

    @property
    def trainings(self) -> int:
        """Trainings that have their turn."""
        return min(len(self._trainings), self._places)

    @contextmanager
    def picture_turn(self, evaluations: int, waiting: Waiting | None = None) -> Iterator[GiveWay]:
        """Wait for a turn at so many gradient evaluations, and hold it for a with block.

        What is yielded lets smaller work in.
        """
        ticket = (max(evaluations, SHORT), next(self._numbers))

        def ahead() -> int:
            return self._pictures.index(ticket)

        with self._turn(self._pictures, ticket, ahead, ahead, waiting) as give_way:
            yield give_way

    @contextmanager
    def training_turn(self, waiting: Waiting | None = None) -> Iterator[GiveWay]:
        """Wait for a core to train on, in the order of asking; see `picture_turn`.

        What is yielded lets short pictures in, of up to `SHORT` gradient evaluations.
        """
        ticket = (0, next(self._numbers))

        def ahead() -> int:
            return max(0, self._trainings.index(ticket) + 1 - self._places)

        def short() -> int:
            return sum(evaluations <= SHORT for evaluations, _ in self._pictures)

        with self._turn(self._trainings, ticket, ahead, short, waiting) as give_way:
            yield give_way

    @contextmanager
    def _turn(
        self,
        line: list[tuple[int, int]],
        ticket: tuple[int, int],
        ahead: Callable[[], int],
        smaller: Callable[[], int],
        waiting: Waiting | None,
    ) -> Iterator[GiveWay]:
        """Stand in a line until nobody is ahead; later, let those in who are smaller."""

        def give_way(waiting: Waiting | None = waiting) -> None:
            self._wait(smaller, waiting, went_on=id(line))

        with self._changed:
            insort(line, ticket)
        try:
            self._wait(ahead, waiting)
            yield give_way
        finally:
            with self._changed:
                line.remove(ticket)
                self._changed.notify_all()

    def _wait(
        self, ahead: Callable[[], int], waiting: Waiting | None, went_on: int | None = None
    ) -> None:
        """Wait until nobody is ahead any more; in a line where one may go on, until it is this."""
        began = time.monotonic()
        while True:
            with self._changed:
                if ahead():
                    self._changed.wait(_POLL_SECONDS)
                count = ahead()
                if not count:
                    return
                now = time.monotonic()
                if went_on and now - max(began, self._went_on[went_on]) > self._held_up:
                    self._went_on[went_on] = now
                    return
            if waiting is not None:
                waiting(count)  # outside the lock: it may take another


WORK = WorkQueue()
"""The queue of this process, shared by all browser sessions."""
