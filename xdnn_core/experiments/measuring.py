"""Clocks and memory meters that benchmarks share."""

from __future__ import annotations

import ctypes
import multiprocessing
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import torch

from xdnn_core.device import synchronise
from xdnn_core.errors import UserError

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")


def interleaved_seconds(
    works: Sequence[Callable[[], object]], repeats: int, device: torch.device
) -> list[float]:
    """Time several pieces of work in turns, A B A B ..., and return the median of each, seconds.

    In turns, so that a machine that slows down for a while slows all of them down. Nothing is
    warmed up here.
    """
    seconds: list[list[float]] = [[] for _ in works]
    for _ in range(repeats):
        for work, own in zip(works, seconds, strict=True):
            synchronise(device)
            began = time.perf_counter()
            work()
            synchronise(device)
            own.append(time.perf_counter() - began)
    return [statistics.median(own) for own in seconds]


def peak_extra_bytes(work: Callable[[], object], device: torch.device) -> int:
    """Run `work` and return by how much its peak memory rose above what was held before."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        synchronise(device)
        return torch.cuda.max_memory_allocated(device) - before
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):  # glibc's: new work would hide in what it keeps of the freed
        libc.malloc_trim(0)
    try:
        _RESET.write_text("5")  # sets VmHWM back to VmRSS
        before = _status_bytes("VmRSS")
        work()
        return _status_bytes("VmHWM") - before
    except OSError as error:
        raise UserError(
            "Peak memory on the CPU is read from the kernel's /proc, which is not usable here; "
            "run this on Linux, or with --device cuda."
        ) from error


def _status_bytes(field: str) -> int:
    """One field of /proc/self/status, in bytes."""
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"{_STATUS} has no {field}")


def in_fresh_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a module-level function in a process of its own and return what it returns.

    A process that has worked before holds freed memory, which hides what new work needs.
    """
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(function, *arguments).result()
