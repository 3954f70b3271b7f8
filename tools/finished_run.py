"""Train the run that Prior training shows until the user starts one, and store it with the app.

    python -m tools.finished_run

It is the run that the page's settings begin with, on the CPU; takes about half a minute.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict
from typing import Any, Final

import torch

from xdnn_core.data.cohorts.nhefs import load_nhefs
from xdnn_core.experiments.provenance import provenance
from xdnn_core.io import ASSETS, atomic_write
from xdnn_core.priors.live import LiveTrainer
from xdnn_core.priors.live_state import LiveConfig, Snapshot

FILE: Final = ASSETS / "finished_run.json"
CONFIG: Final = LiveConfig(strength=0.1)
_DIGITS: Final = 6  # significant ones; float32 has seven
# Of the run, as the page's kept runs name them.
_FIELDS: Final = (
    "cohort", "cohort_title", "outcome", "epoch", "test_revealed", "moved_after_reveal",
)  # fmt: skip


def train(config: LiveConfig = CONFIG) -> Snapshot:
    """Train on NHEFS to the end."""
    trainer = LiveTrainer(load_nhefs(), config, "cpu")
    trainer.start()
    while trainer.busy:
        time.sleep(0.1)
    trainer.stop()
    snapshot = trainer.snapshot()
    if snapshot.epoch < config.epochs:
        raise RuntimeError(snapshot.error or f"ended at epoch {snapshot.epoch}")
    return snapshot


def _rounded(value: Any) -> Any:
    """With the digits that mean something; None for NaN, which JSON does not have."""
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    return [_rounded(part) for part in value] if isinstance(value, list | tuple) else value


def main() -> None:
    """Write the file."""
    snapshot = train()
    made = provenance(snapshot.cohort, 0, torch.device("cpu"))
    run = {name: getattr(snapshot, name) for name in _FIELDS}
    values = {
        "command": "python -m tools.finished_run",
        "created": made.date,
        "hardware": made.hardware,
        "run": run
        | {
            "config": snapshot.config.to_dict(),
            "curves": [_rounded(asdict(curve)) for curve in snapshot.curves],
        },
    }
    with atomic_write(FILE) as temporary:
        text = json.dumps(values, allow_nan=False, ensure_ascii=False)
        temporary.write_text(f"{text}\n", encoding="utf-8")
    print(f"{FILE.name}: {FILE.stat().st_size / 1000:.1f} kB")


if __name__ == "__main__":
    main()
