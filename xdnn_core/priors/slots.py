"""Places to train: as many at once as the machine has cores, the others wait in line."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

_POLL_SECONDS = 0.05


def usable_cores() -> int:
    """Cores this process may use."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    return count or os.cpu_count() or 1


def compute_on_one_core() -> None:
    """Make this thread compute without helper threads, and leave all other threads as they are.

    A stack's products are small: side by side on one core each, trainings do not wait at each
    other's barriers. torch keeps the number a thread for itself, and one for threads to come;
    only the second is put back.
    """
    others = torch.get_num_threads()
    torch.set_num_threads(1)
    restore = threading.Thread(target=torch.set_num_threads, args=(others,))
    restore.start()
    restore.join()


class TrainingSlots:
    """A bounded number of places, given in the order they were asked for.

    Parameters
    ----------
    count
        Places; None for the number of cores this process may use.
    """

    def __init__(self, count: int | None = None) -> None:
        self.count = count or usable_cores()
        self._free = self.count
        self._line: list[object] = []
        self._changed = threading.Condition()

    @property
    def training(self) -> int:
        """Places taken now."""
        with self._changed:
            return self.count - self._free

    @contextmanager
    def claim(self, give_up: Callable[[], bool], waiting: Callable[[int], None]) -> Iterator[bool]:
        """Hold a place for the length of a with block.

        Parameters
        ----------
        give_up
            Asked while waiting; yes leaves the line.
        waiting
            Told how many are ahead, 1 or more, whenever that changes.

        Yields
        ------
        bool
            Whether a place was had.
        """
        got = self._wait(give_up, waiting)
        try:
            yield got
        finally:
            if got:
                with self._changed:
                    self._free += 1
                    self._changed.notify_all()

    def _wait(self, give_up: Callable[[], bool], waiting: Callable[[int], None]) -> bool:
        ticket = object()
        told = 0
        with self._changed:
            self._line.append(ticket)
        while True:
            with self._changed:
                ahead = self._line.index(ticket) + 1 - self._free
                if ahead <= 0 or give_up():
                    self._line.remove(ticket)
                    self._free -= ahead <= 0
                    self._changed.notify_all()
                    return ahead <= 0
                if ahead == told:
                    self._changed.wait(_POLL_SECONDS)
                    continue
            waiting(ahead)  # outside the lock: it may take another
            told = ahead


SLOTS = TrainingSlots()
"""The places of this process, shared by all browser sessions."""
