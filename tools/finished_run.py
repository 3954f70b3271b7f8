"""Train the run that Prior training shows until the user starts one, and store it with the app.

    python -m tools.finished_run

It is the run that the page's settings begin with, on the CPU; takes about half a minute.
"""

from __future__ import annotations

import json
import time
from typing import Any

import torch

from pages.prior_parts.finished import FILE
from pages.prior_parts.kept_run import run_of, run_values
from xdnn_core.data.cohorts.nhefs import load_nhefs
from xdnn_core.experiments.provenance import provenance
from xdnn_core.io import atomic_write
from xdnn_core.priors.live import LiveTrainer
from xdnn_core.priors.live_state import LiveConfig, Snapshot

CONFIG = LiveConfig(strength=0.1)
_DIGITS = 6  # significant ones; float32 has seven


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
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}")
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    return [_rounded(part) for part in value] if isinstance(value, list) else value


def main() -> None:
    """Write the file."""
    run = run_of(train(), "finished run")
    values = {
        "command": "python -m tools.finished_run",
        "hardware": provenance("", 0, torch.device("cpu")).hardware,
        "run": _rounded(run_values(run)),
    }
    with atomic_write(FILE) as temporary:
        text = json.dumps(values, allow_nan=False, ensure_ascii=False)
        temporary.write_text(f"{text}\n", encoding="utf-8")
    print(f"{FILE.name}: {FILE.stat().st_size / 1000:.1f} kB")


if __name__ == "__main__":
    main()
