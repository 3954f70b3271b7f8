"""Where the work runs: choice of device, cores, memory budget, float32 as it is."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch

from xdnn_core.errors import UserError

_CPU_BUDGET_BYTES = 2 * 1024**3
_GPU_FREE_SHARE = 0.5


def default_device() -> torch.device:
    """Return what ``XDNN_DEVICE`` names, else CUDA when a GPU is usable, else the CPU."""
    named = os.environ.get("XDNN_DEVICE")
    if not named:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return resolve_device(named)
    except UserError as error:
        raise UserError(f"XDNN_DEVICE: {error}") from error


def resolve_device(device: torch.device | str | None) -> torch.device:
    """Turn a user's choice of device into a usable one."""
    if device is None:
        return default_device()
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise UserError(f"Device {device!r} is not known; use 'cpu' or 'cuda'.") from error
    if chosen.type not in ("cpu", "cuda"):
        raise UserError(f"Device {device!r} is not supported; use 'cpu' or 'cuda'.")
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise UserError(
            f"Device {device!r} is not present: this machine has {torch.cuda.device_count()} "
            "CUDA device(s); use 'cpu' or one that is there."
        )
    return chosen


def device_title(device: torch.device) -> str:
    """What computes, in words: the GPU's name, or CPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


def memory_budget(device: torch.device) -> int:
    """Bytes that one attribution may hold in activations on this device."""
    if device.type == "cuda":
        return int(free_memory(device) * _GPU_FREE_SHARE)
    return min(_CPU_BUDGET_BYTES, free_memory(device) // 4)


def free_memory(device: torch.device) -> int:
    """Bytes of this device that nobody uses."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free)
    return _available_cpu_memory()


def _available_cpu_memory() -> int:
    """Bytes the kernel says it could hand out; the budget's own size where it says nothing."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return _CPU_BUDGET_BYTES * 4
    for line in lines:
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return _CPU_BUDGET_BYTES * 4


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


# TF32 is a setting of the whole process, so the first user saves it and the last puts it back.
_TF32 = threading.Lock()
_tf32_users = 0
_tf32_before = (False, False)


@contextmanager
def full_float32() -> Iterator[None]:
    """Keep float32 products in float32: TF32, bfloat16 and float16 flip ReLU gates.

    Also a decorator. Inside, TF32 and the caller's autocast are off, and so is an inference mode,
    in which no gradient can be taken. TF32 is a setting of the whole process: it is off from when
    the first thread enters until the last one leaves, then as it was; without a GPU it is not
    touched.
    """
    with ExitStack() as stack:
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
            # Leaving inference mode switches gradients on, which the caller's mode had off.
            stack.enter_context(torch.no_grad())
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.cuda.is_available():
            stack.enter_context(_without_tf32())
        yield


@contextmanager
def _without_tf32() -> Iterator[None]:
    global _tf32_users, _tf32_before
    matmul, convolution = torch.backends.cuda.matmul, torch.backends.cudnn
    with _TF32:
        if _tf32_users == 0:
            _tf32_before = matmul.allow_tf32, convolution.allow_tf32
            matmul.allow_tf32 = convolution.allow_tf32 = False
        _tf32_users += 1
    try:
        yield
    finally:
        with _TF32:
            _tf32_users -= 1
            if _tf32_users == 0:
                matmul.allow_tf32, convolution.allow_tf32 = _tf32_before


def synchronise(device: torch.device) -> None:
    """Wait until queued GPU work has finished, so that a clock read after it is honest."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
