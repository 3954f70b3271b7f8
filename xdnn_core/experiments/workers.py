"""Several processes that share one piece of work, started by torchrun; or one that stands alone."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist

from xdnn_core.device import resolve_device

# A process that is done first waits for the others for as long as a whole run may take.
_PATIENCE = timedelta(days=14)


@dataclass(frozen=True)
class Worker:
    """This process's place among those of a torchrun."""

    # rank, world_size: its number, from 0, and how many there are
    rank: int
    world_size: int
    device: torch.device  # where it computes

    @property
    def is_main(self) -> bool:
        """Whether this process reports and writes the results."""
        return self.rank == 0

    def barrier(self) -> None:
        """Go on when every process is here."""
        if self.world_size > 1:
            dist.barrier()


def join_workers(device: str | None = None) -> Worker:
    """Join the group that torchrun made, or stand alone."""
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    chosen = resolve_device(device)
    if world_size == 1:
        return Worker(0, 1, chosen)
    if chosen.type == "cuda":
        chosen = resolve_device(f"cuda:{os.environ['LOCAL_RANK']}")
        torch.cuda.set_device(chosen)
    if not dist.is_initialized():
        backend = "nccl" if chosen.type == "cuda" else "gloo"
        dist.init_process_group(backend, timeout=_PATIENCE)
    return Worker(dist.get_rank(), world_size, chosen)


def is_main() -> bool:
    """Whether this process reports: the first of a torchrun, or the only one."""
    return int(os.environ.get("RANK", "0")) == 0


def barrier() -> None:
    """Go on when every process that has joined is here."""
    if dist.is_initialized():
        dist.barrier()
