"""Live training: a thread that trains, and an immutable snapshot of it at any moment.

Snapshots hold no test score until `reveal_test`: who steers λ by it has trained on the test rows.

The thread knows nothing of the screen. Commands only set flags that it reads between tiles of
replicates, so each returns at once and takes effect within a fraction of an epoch.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace

import torch

from xdnn_core.data.cohorts.cohort import Cohort
from xdnn_core.device import (
    compute_on_one_core,
    device_title,
    resolve_device,
    usable_cores,
)
from xdnn_core.errors import UserError
from xdnn_core.priors.ensemble import ShouldStop
from xdnn_core.priors.live_curve import LiveCurve
from xdnn_core.priors.live_state import (
    LiveConfig,
    MethodCurve,
    Snapshot,
    State,
    StrengthMark,
    check_strength,
)
from xdnn_core.priors.memory import RUN_MEMORY, RunMemory, memory_needed
from xdnn_core.priors.splits import stack_splits

_PUBLISH_SECONDS = 0.05
_TEST_SECONDS = 1.0  # between two test scorings while training,
_TEST_SHARE = 9  # which take at most a tenth of the time
_PACE_EPOCHS = 20  # the recent pace is measured over


Waiting = Callable[[int], None]
"""Told now and then how many are ahead; may raise to leave."""

GiveWay = Callable[[Waiting], None]
"""To be called between two tiles of replicates: waits while others go first."""

Turn = Callable[[Waiting], AbstractContextManager[GiveWay]]
"""Waits for a place to train in, and holds it for a with block."""


@contextmanager
def _at_once(waiting: Waiting) -> Iterator[GiveWay]:
    """The turn of a training that shares its machine with nobody."""
    yield lambda waiting: None


class _Left(Exception):
    """A command came while the thread waited for its turn."""


def _place(device: torch.device) -> str:
    """What a training computes on, in words: the GPU's name, or its share of the CPU."""
    if device.type == "cuda":
        return device_title(device)
    cores = usable_cores()
    return f"the CPU, one of {cores} cores" if cores > 1 else "the CPU, its one core"


class LiveTrainer:
    """Train a cohort with several priors side by side, steered while it goes on.

    Parameters
    ----------
    cohort
        What to train on.
    config
        Of the first run.
    device
        Where to train; None for the best at hand.
    turn
        Waits for a place to train in, where others share the machine.
    revealed_strength
        λ at which a test ROC-AUC of this cohort was first revealed by an earlier trainer; None
        if it never was.
    memory
        Counts what all runs hold, shared with other trainers.

    Raises
    ------
    UserError
        If the device is not there.

    Examples
    --------
    >>> import numpy as np
    >>> from xdnn_core.data.cohorts.cohort import Cohort, Column
    >>> cohort = Cohort(
    ...     name="small", title="Small", outcome="Died", features=np.arange(100.0)[:, None],
    ...     labels=np.arange(100) % 2, columns=(Column("age", "Age", "age", "numeric"),),
    ... )
    >>> from xdnn_core import LiveConfig
    >>> trainer = LiveTrainer(cohort, LiveConfig(replicates=2, epochs=1), "cpu")
    >>> trainer.snapshot().epoch
    0
    >>> trainer.stop()
    """

    def __init__(
        self,
        cohort: Cohort,
        config: LiveConfig | None = None,
        device: torch.device | str | None = None,
        turn: Turn = _at_once,
        revealed_strength: float | None = None,
        memory: RunMemory = RUN_MEMORY,
    ) -> None:
        config = config or LiveConfig()
        self._cohort = cohort
        self._device = resolve_device(device)
        self._turn = turn
        self._memory = memory
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        # Commands, written under the lock, read by the thread.
        self._running = False
        self._steps = 0
        self._stopped = False
        self._busy = False
        self._working = False  # there is a thread that will look at commands
        self._new_config: LiveConfig | None = None
        self._strength = config.strength
        self._marks: list[StrengthMark] = []
        self._revealed = False  # in this run
        self._revealed_strength = revealed_strength
        self._tested_curves: tuple[MethodCurve, ...] = ()  # with their test scores
        # The run, owned by the thread.
        self._config = config
        self._curves: list[LiveCurve] = []
        self._round_strength: float | None = None  # λ of the epoch under way
        self._moved = False  # an epoch had another λ than the one the test was revealed at
        self._next_epoch = 0  # the first one a new λ acts on
        self._seconds = 0.0
        self._ticks: list[float] = []
        self._published = self._tested = self._test_cost = 0.0
        self._snapshot = self._blank("ready", version=0)

    def start(self) -> None:
        """Train until paused or finished; does nothing when finished or stopped."""
        self._command(running=True)

    def pause(self) -> None:
        """Stop training after the tile at work; `start` or `step` go on from there."""
        self._command(running=False)

    def step(self) -> None:
        """Train one epoch and pause."""
        self._command(running=False, steps=1)

    def stop(self) -> None:
        """End the thread for good. Only sets a flag: it may be called from anywhere."""
        with self._wake:
            self._stopped = True
            if not self._working:
                self._snapshot = replace(
                    self._snapshot, state="stopped", version=self._snapshot.version + 1
                )
            self._wake.notify_all()

    def reset(self, config: LiveConfig | None = None) -> None:
        """Throw the run away and be ready for a new one.

        Parameters
        ----------
        config
            Of the new run; None keeps the old one, with λ as last set.
        """
        with self._wake:
            self._running, self._steps = False, 0
            base = self._new_config or self._config
            self._new_config = config or replace(base, strength=self._strength)
            self._config_changed()

    def set_strength(self, strength: float) -> None:
        """Change λ from the next epoch on, and mark the change.

        Parameters
        ----------
        strength
            0 for off, or 0.001 to 1000.

        Raises
        ------
        UserError
            If it is out of range.
        """
        check_strength(strength)
        with self._wake:
            if strength == self._strength:
                return
            self._strength = strength
            config = self._snapshot.config
            if self._next_epoch:
                self._marks = [m for m in self._marks if m.epoch != self._next_epoch]
                self._marks.append(StrengthMark(self._next_epoch, strength))
            else:  # nothing is trained yet: it is what the run starts with
                config = replace(config, strength=strength)
                if self._new_config is None:
                    self._config = config
                else:
                    self._new_config = config
            self._snapshot = replace(
                self._snapshot,
                version=self._snapshot.version + 1,
                config=config,
                strength=strength,
                marks=tuple(self._marks),
            )
            self._wake.notify_all()

    def reveal_test(self) -> None:
        """Show the test ROC-AUC of this run from now on, and note λ; a reset hides it again."""
        with self._wake:
            if self._revealed:
                return
            self._revealed = True
            if self._revealed_strength is None:
                self._revealed_strength = self._strength
            self._snapshot = replace(
                self._snapshot,
                version=self._snapshot.version + 1,
                curves=self._tested_curves,
                test_revealed=True,
            )

    @property
    def revealed_strength(self) -> float | None:
        """λ at which a test ROC-AUC of this cohort was first revealed; None if it never was."""
        return self._revealed_strength

    def adjust(self, epochs: int, epochs_per_second: float | None) -> None:
        """Change how long and how fast the run goes on; what is trained stays as it is.

        Parameters
        ----------
        epochs
            New end. Beyond the old one, a finished run is paused and can be started again.
        epochs_per_second
            New upper bound on the pace; None for full speed.

        Raises
        ------
        UserError
            If one is out of range.
        """
        with self._wake:
            config = replace(
                self._snapshot.config, epochs=epochs, epochs_per_second=epochs_per_second
            )
            if config == self._snapshot.config:
                return
            if self._new_config is None:
                self._config = config
            else:
                self._new_config = config
            state = self._snapshot.state
            if state in ("paused", "finished") and self._snapshot.epoch:
                state = "finished" if self._snapshot.epoch >= epochs else "paused"
            self._snapshot = replace(
                self._snapshot, version=self._snapshot.version + 1, config=config, state=state
            )
            self._wake.notify_all()

    def snapshot(self) -> Snapshot:
        """The latest picture of the run; never waits for training."""
        return self._snapshot

    @property
    def busy(self) -> bool:
        """Whether the picture may still change without a further command."""
        return self._busy

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def join(self, timeout: float) -> None:
        """Wait for the thread to end, at most `timeout` seconds."""
        if self._thread is not None:
            self._thread.join(timeout)

    # Commands

    def _command(self, running: bool, steps: int = 0) -> None:
        with self._wake:
            if self._stopped:
                return
            self._running = running
            self._steps = self._steps + steps if steps else 0
            if running or steps:
                self._busy = True
                self._ensure_thread()
            self._wake.notify_all()

    def _config_changed(self) -> None:
        """Show the blank run at once; the thread clears the old one when it gets to it."""
        assert self._new_config is not None
        self._strength = self._new_config.strength
        self._marks = []
        self._next_epoch = 0
        self._revealed, self._moved, self._tested_curves = False, False, ()
        version = self._snapshot.version + 1
        state: State = "stopped" if self._stopped else "ready"
        self._snapshot = self._blank(state, version, self._new_config)
        self._wake.notify_all()

    def _ensure_thread(self) -> None:
        """Begin anew: a thread that ended, because it failed, has left no run."""
        if self._working:
            return
        self._working = True
        self._marks = []
        self._round_strength, self._next_epoch, self._seconds = None, 0, 0.0
        self._thread = threading.Thread(target=self._work, name="live-training", daemon=True)
        self._thread.start()

    def _interrupted(self) -> bool:
        """Whether the thread should leave what it is at."""
        idle = not self._running and self._steps == 0
        return self._stopped or self._new_config is not None or idle

    # The thread

    def _work(self) -> None:
        compute_on_one_core()
        state: State = "failed"
        reason = ""
        try:
            while self._await_orders():
                self._train()
            state = "stopped"
        except UserError as error:  # a cohort that cannot be split
            reason = str(error)
        finally:  # a mistake of ours is shown too, and goes on to be seen
            if state == "failed" and not reason:
                reason = f"Training broke off: {sys.exc_info()[1]!r}"
            with self._wake:  # so that a command comes before the end or starts a new thread
                self._publish(state, error=reason)
                self._drop_run()
                self._running, self._steps, self._busy, self._working = False, 0, False, False

    def _drop_run(self) -> None:
        """Let go of the networks and their data; what came of them stays in the snapshot."""
        self._curves, self._ticks = [], []
        self._memory.release(self)

    def _await_orders(self) -> bool:
        """Sleep until there is something to do; False to end."""
        with self._wake:
            while True:
                if self._stopped:
                    return False
                if self._new_config is not None:
                    self._config, self._new_config = self._new_config, None
                    self._drop_run()
                    self._round_strength, self._next_epoch, self._seconds = None, 0, 0.0
                if not self._interrupted() and not self._finished:
                    return True
                self._running, self._steps = False, 0  # finished: nothing left to run
                self._busy = False
                self._wake.wait()

    def _train(self) -> None:
        """Train until interrupted or finished, in a place of its own."""
        with suppress(_Left), self._turn(self._tell_waiting) as give_way:
            if not self._interrupted():
                self._prepare()
                self._train_epochs(give_way)
        with self._wake:
            if self._stopped or self._new_config is not None:
                return
            if self._finished:
                self._running, self._steps = False, 0
        self._publish("training" if self._finished else self._idle_state)
        self._score(lambda: self._stopped or self._new_config is not None or self._running)
        self._publish(self._idle_state)

    @property
    def _finished(self) -> bool:
        return bool(self._curves) and self._epoch >= self._config.epochs

    @property
    def _idle_state(self) -> State:
        if self._finished:
            return "finished"
        return "paused" if self._curves else "ready"

    @property
    def _epoch(self) -> int:
        """Epochs that every method has finished."""
        return min((curve.ensemble.epoch for curve in self._curves), default=0)

    def _prepare(self) -> None:
        """Split the cohort and make the networks, unless the run exists."""
        if self._curves:
            return
        self._publish("preparing")
        config = self._config
        self._memory.reserve(
            self, memory_needed(config, *self._cohort.features.shape), self._device
        )
        seeds = range(config.seed, config.seed + config.replicates)
        splits = stack_splits(self._cohort, seeds, self._device)
        self._curves = [
            LiveCurve(method, splits, config, self._cohort.columns) for method in config.methods
        ]

    def _train_epochs(self, give_way: GiveWay) -> None:
        def stop_or_go_on() -> bool:
            """Between two tiles of replicates, let short pictures in."""
            with suppress(_Left):
                give_way(self._leave_if_interrupted)
            return self._interrupted()

        self._publish("training")
        self._tested = time.monotonic()
        while not self._finished and not self._interrupted():
            began = time.monotonic()
            if not self._train_one_epoch(stop_or_go_on):
                break
            now = time.monotonic()
            self._seconds += now - began
            self._ticks = [*self._ticks[-_PACE_EPOCHS:], now]
            with self._wake:
                if self._new_config is None:  # else the steps are the new run's
                    self._steps = max(0, self._steps - 1)
            if now - self._tested > max(_TEST_SECONDS, _TEST_SHARE * self._test_cost):
                self._score(self._interrupted)
            if now - self._published > _PUBLISH_SECONDS:
                self._publish("training")
            self._keep_pace(began)
        self._ticks = []

    def _train_one_epoch(self, should_stop: ShouldStop) -> bool:
        """One epoch of every method; False if interrupted, to be completed by the next call."""
        with self._wake:
            if self._new_config is not None:
                return False
            if self._round_strength is None:
                self._round_strength = self._strength
                self._next_epoch = self._epoch + 1
                if self._revealed_strength not in (None, self._round_strength):
                    self._moved = True
        while (curve := self._behind()) is not None:
            curve.ensemble.strength = self._round_strength
            if not curve.step(should_stop):
                return False
        self._round_strength = None
        return True

    def _behind(self) -> LiveCurve | None:
        """The first method that has not finished the epoch under way."""
        waiting = (curve for curve in self._curves if curve.ensemble.epoch < self._next_epoch)
        return next(waiting, None)

    def _keep_pace(self, began: float) -> None:
        """Sleep until the epoch that began then has had its share of time, or a command comes."""
        while not self._interrupted() and self._time_left(began) > 0:
            if self._published < began:  # the epoch is to be seen during the sleep, not after it
                self._publish("training")
            with self._wake:
                # Looked at anew: the pace may have been changed meanwhile.
                if not self._interrupted() and (left := self._time_left(began)) > 0:
                    self._wake.wait(left)

    def _time_left(self, began: float) -> float:
        """Seconds until the next epoch is due, 0 at full speed."""
        pace = self._config.epochs_per_second
        return 0.0 if pace is None else began + 1 / pace - time.monotonic()

    def _score(self, should_stop: ShouldStop) -> None:
        """Test ROC-AUC where a new best epoch has come up."""
        began = time.monotonic()
        for curve in self._curves:
            if not curve.score(should_stop):
                break
        self._tested = time.monotonic()
        self._test_cost = self._tested - began

    # Pictures

    def _blank(self, state: State, version: int, config: LiveConfig | None = None) -> Snapshot:
        config = config or self._config
        return Snapshot(
            version=version,
            state=state,
            epoch=0,
            config=config,
            cohort=self._cohort.name,
            cohort_title=self._cohort.title,
            outcome=self._cohort.outcome,
            strength=self._strength,
            test_revealed=self._revealed,
            moved_after_reveal=self._moved,
            place=_place(self._device),
        )

    def _tell_waiting(self, ahead: int) -> None:
        self._leave_if_interrupted(ahead)
        if (self._snapshot.state, self._snapshot.waiting_behind) != ("waiting", ahead):
            self._publish("waiting", waiting_behind=ahead)

    def _leave_if_interrupted(self, ahead: int) -> None:
        if self._interrupted():
            raise _Left

    def _publish(self, state: State, waiting_behind: int = 0, error: str = "") -> None:
        curves = tuple(curve.picture() for curve in self._curves)
        with self._wake:
            if self._new_config is not None:  # a run that was thrown away
                if state not in ("stopped", "failed"):
                    return
                curves = ()
            self._tested_curves = curves
            if not self._revealed:
                curves = tuple(curve.without_test() for curve in curves)
            span = self._ticks[-1] - self._ticks[0] if len(self._ticks) > 1 else 0.0
            self._snapshot = replace(
                self._blank(state, self._snapshot.version + 1, self._new_config),
                epoch=self._epoch if curves else 0,
                marks=tuple(self._marks),
                curves=curves,
                waiting_behind=waiting_behind,
                seconds=self._seconds,
                epochs_per_second=(len(self._ticks) - 1) / span if span else 0.0,
                error=error,
            )
            self._published = time.monotonic()
