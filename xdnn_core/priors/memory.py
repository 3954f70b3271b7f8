"""What live runs hold in memory: counted over all of them before another one begins."""

from __future__ import annotations

import threading

import torch

from xdnn_core.data.cohorts.splitting import SPLIT_ROWS
from xdnn_core.device import free_memory, memory_budget
from xdnn_core.errors import UserError
from xdnn_core.models.mlp import MLPConfig
from xdnn_core.priors.ensemble import BUFFERS, CPU_TILE_ROWS
from xdnn_core.priors.live_state import LiveConfig

_FLOAT = torch.finfo(torch.float32).bits // 8
_INDEX = torch.iinfo(torch.int64).bits // 8
_PATIENCE = 1.0  # seconds


def memory_needed(config: LiveConfig, rows: int, features: int) -> int:
    """Estimate the bytes a run holds while it trains."""
    shape = MLPConfig(features, config.hidden)
    # Parameters, gradients, the best so far, and Adam's two moments, for every network.
    networks = 5 * shape.multiplications * config.replicates * len(config.methods)
    values = 0  # a row's in every layer; each method has buffers of its own
    for method in config.methods:
        replicate = SPLIT_ROWS * (2 + method.samples)
        # A tile: several replicates where they fit, always one.
        tile = max(replicate, min(replicate * config.replicates, CPU_TILE_ROWS))
        values += BUFFERS * tile * sum(shape.widths)
    # The standardised table, and which of its rows every replicate is tested on.
    data = _FLOAT * rows * features + _INDEX * rows * config.replicates
    return _FLOAT * (networks + values) + data


class RunMemory:
    """Bytes held by the live runs of this process."""

    def __init__(self) -> None:
        self._held: dict[object, tuple[torch.device, int]] = {}
        self._released = threading.Condition()

    def reserve(self, run: object, needed: int, device: torch.device) -> None:
        """Count a run, or refuse it where it would not fit beside the others."""
        with self._released:
            # A run that was just ended may be about to let go.
            if self.held(device) and needed > self._budget(device):
                self._released.wait(_PATIENCE)
            held, budget = self.held(device), self._budget(device)
            if needed > budget:
                others = f"; other trainings hold {held / 1e9:.1f} GB" if held else ""
                until = ", or start again once another training has ended" if held else ""
                raise UserError(
                    f"This run needs about {needed / 1e9:.1f} GB of memory and {budget / 1e9:.1f} "
                    f"GB are free for it{others}; use fewer replicates, methods or references, or "
                    f"narrower layers{until}."
                )
            self._held[run] = (device, needed)

    def release(self, run: object) -> None:
        """Stop counting a run; does nothing if it is not counted."""
        with self._released:
            self._held.pop(run, None)
            self._released.notify_all()

    def _budget(self, device: torch.device) -> int:
        """Bytes a further run may take: half of what there would be without those that are here."""
        held = self.held(device)
        left = max((free_memory(device) + held) // 2 - held, 0)
        return min(memory_budget(device), left)

    def held(self, device: torch.device) -> int:
        """Bytes of all runs on a device."""
        return sum(needed for on, needed in list(self._held.values()) if on == device)


RUN_MEMORY = RunMemory()
"""Of this process, for all its trainers."""
