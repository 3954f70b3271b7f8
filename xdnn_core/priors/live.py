"""Live training: a thread that trains, and an immutable snapshot of it at any moment.

Snapshots hold no test score until `reveal_test`: who steers λ by it has trained on the test rows.

Commands only set flags that the thread reads between tiles of replicates, so each returns at once
and takes effect within a fraction of an epoch.
"""

from __future__ import annotations

from dataclasses import replace

from xdnn_core.priors.live_state import LiveConfig, Snapshot, Steering
from xdnn_core.priors.live_thread import LiveThread


class LiveTrainer(LiveThread):
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
                self._record.change(state="stopped")
            self._wake.notify_all()

    def reset(self, config: LiveConfig | None = None) -> None:
        """Throw the run away and be ready for a new one.

        Parameters
        ----------
        config
            Of the new run; None keeps the old one, as last steered.
        """
        with self._wake:
            self._running, self._steps, self._reset = False, 0, True
            old = self._record.config.steered(self._record.steering)
            self._record.clear(config or old, "stopped" if self._stopped else "ready")
            self._wake.notify_all()

    def steer(self, steering: Steering) -> None:
        """Change λ from the next epoch on, where the run ends, and its pace.

        Parameters
        ----------
        steering
            Beyond its old end, a finished run is paused and can be started again.
        """
        with self._wake:
            if steering != self._record.steering:
                self._record.steer(steering)
                self._wake.notify_all()

    def set_strength(self, strength: float) -> None:
        """Steer λ alone.

        Parameters
        ----------
        strength
            0 for off, or 0.001 to 1000.

        Raises
        ------
        UserError
            If it is out of range.
        """
        with self._wake:
            self.steer(replace(self._record.steering, strength=strength))

    def reveal_test(self) -> None:
        """Show the test ROC-AUC of this run from now on, and note λ; a reset hides it again."""
        with self._wake:
            self._record.reveal()

    @property
    def revealed_strength(self) -> float | None:
        """λ at which a test ROC-AUC of this cohort was first revealed; None if it never was."""
        return self._record.revealed_strength

    def snapshot(self) -> Snapshot:
        """The run as it is now; never waits for training."""
        return self._record.snapshot

    @property
    def busy(self) -> bool:
        """Whether the snapshot may still change without a further command."""
        return self._busy

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def join(self, timeout: float) -> None:
        """Wait for the thread to end, at most `timeout` seconds."""
        if self._thread is not None:
            self._thread.join(timeout)

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
