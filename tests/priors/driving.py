"""Driving the live trainer as a page would."""

import time
from collections.abc import Callable

from xdnn_core.priors.live import LiveTrainer
from xdnn_core.priors.live_state import LiveConfig, Snapshot
from xdnn_core.priors.methods import PriorMethod

PATIENCE = 60.0  # seconds until a test gives up on a state that never comes
CONFIG = LiveConfig(
    methods=(PriorMethod("none"), PriorMethod("x_gradient")),
    hidden=(8, 4),
    replicates=3,
    epochs=12,
)
Make = Callable[..., LiveTrainer]


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
