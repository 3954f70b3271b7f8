"""The thread of a live training.

It knows nothing of the screen: it reads flags that commands set, trains, and makes snapshots.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

import torch

from xdnn_core.data.cohorts.cohort import Cohort
from xdnn_core.device import compute_on_one_core, device_title, resolve_device, usable_cores
from xdnn_core.errors import UserError
from xdnn_core.priors.live_record import LiveRecord
from xdnn_core.priors.live_run import LiveRun
from xdnn_core.priors.live_state import LiveConfig, State
from xdnn_core.priors.memory import RUN_MEMORY, RunMemory, memory_needed

_PUBLISH_SECONDS = 0.05

Waiting = Callable[[int], None]
"""Told now and then how many are ahead; may raise to leave."""

GiveWay = Callable[[Waiting], None]
"""To be called between two tiles of replicates: waits while others go first."""

Turn = Callable[[Waiting], AbstractContextManager[GiveWay]]
"""Waits for a place to train in, and holds it for a with block."""


@contextmanager
def train_at_once(waiting: Waiting) -> Iterator[GiveWay]:
    """The turn of a training that shares its machine with nobody."""
    yield lambda waiting: None


class _Interrupted(Exception):
    """A command came while the thread waited for its turn."""


def _device_words(device: torch.device) -> str:
    """What a training computes on: the GPU's name, or its share of the CPU."""
    if device.type == "cuda":
        return device_title(device)
    cores = usable_cores()
    return f"the CPU, one of {cores} cores" if cores > 1 else "the CPU, its one core"


class LiveThread:
    """Trains as the flags say, which commands set under the lock `_wake`."""

    def __init__(
        self,
        cohort: Cohort,
        config: LiveConfig | None = None,
        device: torch.device | str | None = None,
        turn: Turn = train_at_once,
        revealed_strength: float | None = None,
        memory: RunMemory = RUN_MEMORY,
    ) -> None:
        self._cohort, self._device = cohort, resolve_device(device)
        self._turn, self._memory = turn, memory
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        # Commands, written under the lock, read by the thread.
        self._running = False
        self._steps = 0
        self._stopped = False
        self._reset = False  # the record is of a new run; the thread has yet to drop the old one
        self._busy = False
        self._working = False  # there is a thread that will look at commands
        self._record = LiveRecord(
            cohort, config or LiveConfig(), _device_words(self._device), revealed_strength
        )
        # Owned by the thread.
        self._run: LiveRun | None = None
        self._published = 0.0

    def _ensure_thread(self) -> None:
        """Begin anew: a thread that ended, because it failed, has left no run."""
        if self._working:
            return
        self._working = True
        self._record.strengths.clear()
        self._thread = threading.Thread(target=self._run_thread, name="live-training", daemon=True)
        self._thread.start()

    def _is_interrupted(self) -> bool:
        """Whether the thread should leave what it is at."""
        return self._stopped or self._reset or (not self._running and self._steps == 0)

    def _run_thread(self) -> None:
        compute_on_one_core()
        state: State = "failed"
        reason = ""
        try:
            while self._wait_for_command():
                self._train()
            state = "stopped"
        except UserError as error:  # a cohort that cannot be split
            reason = str(error)
        finally:  # a mistake of ours is shown too, and goes on to be seen
            if state == "failed" and not reason:
                reason = f"Training broke off: {sys.exc_info()[1]!r}"
            with self._wake:  # so that a command comes before the end or starts a new thread
                self._publish(state, error=reason)
                self._release_run()
                self._running, self._steps, self._busy, self._working = False, 0, False, False

    def _release_run(self) -> None:
        """Let go of the networks and their data; what came of them stays in the snapshot."""
        self._run = None
        self._memory.release(self)

    def _wait_for_command(self) -> bool:
        """Sleep until there is something to do; False to end."""
        with self._wake:
            while not self._stopped:
                if self._reset:
                    self._reset = False
                    self._release_run()
                if not self._is_interrupted() and not self._finished:
                    return True
                self._running, self._steps = False, 0  # finished: nothing left to run
                self._busy = False
                self._wake.wait()
            return False

    def _train(self) -> None:
        """Train until interrupted or finished, in a place of its own."""
        with suppress(_Interrupted), self._turn(self._publish_waiting) as give_way:
            if not self._is_interrupted():
                self._train_epochs(self._run or self._prepare(), give_way)
        with self._wake:
            if self._stopped or self._reset:
                return
            if self._finished:
                self._running, self._steps = False, 0
        self._publish("training" if self._finished else self._idle_state)
        if self._run is not None:
            self._run.score(lambda: self._stopped or self._reset or self._running)
        self._publish(self._idle_state)

    @property
    def _finished(self) -> bool:
        return self._run is not None and self._run.epoch >= self._record.steering.epochs

    @property
    def _idle_state(self) -> State:
        if self._finished:
            return "finished"
        return "ready" if self._run is None else "paused"

    def _prepare(self) -> LiveRun:
        """Split the cohort and make the networks."""
        self._publish("preparing")
        config = self._record.config
        needed = memory_needed(config, *self._cohort.features.shape)
        self._memory.reserve(self, needed, self._device)
        self._run = LiveRun(self._cohort, config, self._device)
        return self._run

    def _train_epochs(self, run: LiveRun, give_way: GiveWay) -> None:
        def stop_or_go_on() -> bool:
            """Between two tiles of replicates, let short pictures in."""
            with suppress(_Interrupted):
                give_way(self._leave_if_interrupted)
            return self._is_interrupted()

        self._publish("training")
        run.forget_pace()
        while not self._finished and not self._is_interrupted():
            began = time.monotonic()
            with self._wake:
                if self._reset:  # the record is the new run's
                    break
                strengths = self._record.strengths
                under_way = len(strengths) > run.epoch
                strength = strengths[-1] if under_way else self._record.begin_epoch()
                epochs = len(strengths)
            if not run.train(epochs, strength, stop_or_go_on):
                break
            with self._wake:
                if not self._reset:  # else the steps are the new run's
                    self._steps = max(0, self._steps - 1)
            if run.is_score_due:
                run.score(self._is_interrupted)
            if time.monotonic() - self._published > _PUBLISH_SECONDS:
                self._publish("training")
            self._keep_pace(began)
        run.forget_pace()

    def _keep_pace(self, began: float) -> None:
        """Sleep until the epoch that began then has had its share of time, or a command comes."""
        while not self._is_interrupted() and self._seconds_early(began) > 0:
            if self._published < began:  # the epoch is to be seen during the sleep, not after it
                self._publish("training")
            with self._wake:
                # Looked at anew: the pace may have been changed meanwhile.
                if not self._is_interrupted() and (early := self._seconds_early(began)) > 0:
                    self._wake.wait(early)

    def _seconds_early(self, began: float) -> float:
        """Seconds until the next epoch is due, 0 at full speed."""
        pace = self._record.steering.epochs_per_second
        return 0.0 if pace is None else began + 1 / pace - time.monotonic()

    def _publish_waiting(self, ahead: int) -> None:
        self._leave_if_interrupted(ahead)
        snapshot = self._record.snapshot
        if (snapshot.state, snapshot.waiting_behind) != ("waiting", ahead):
            self._publish("waiting", waiting_behind=ahead)

    def _leave_if_interrupted(self, ahead: int) -> None:
        if self._is_interrupted():
            raise _Interrupted

    def _publish(self, state: State, waiting_behind: int = 0, error: str = "") -> None:
        run = self._run
        curves = () if run is None else run.method_curves(self._record.strengths)
        with self._wake:
            if self._reset:  # a run that was thrown away
                if state not in ("stopped", "failed"):
                    return
                run, curves = None, ()
            self._record.publish(
                state,
                curves,
                waiting_behind=waiting_behind,
                error=error,
                **({} if run is None else run.measures()),
            )
            self._published = time.monotonic()
