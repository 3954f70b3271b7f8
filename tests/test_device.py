"""Device choice, memory budget, and the gate between users."""

import threading

import pytest
import torch

from xdnn_core import device as devices
from xdnn_core.device import (
    default_device,
    full_float32,
    memory_budget,
    resolve_device,
    synchronise,
)
from xdnn_core.errors import UserError

CPU = torch.device("cpu")


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch):
    """Pretend that the machine has so many GPUs."""

    def pretend(count: int) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    return pretend


def test_the_best_device_at_hand(gpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDNN_DEVICE", raising=False)
    gpus(0)
    assert resolve_device(None) == default_device() == CPU
    gpus(2)
    assert resolve_device(None) == default_device() == torch.device("cuda")


def test_the_environment_overrules(gpus, monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(1)
    monkeypatch.setenv("XDNN_DEVICE", "cpu")
    assert default_device() == CPU
    monkeypatch.setenv("XDNN_DEVICE", "")
    assert default_device() == torch.device("cuda")
    monkeypatch.setenv("XDNN_DEVICE", "toaster")
    with pytest.raises(ValueError, match="'toaster' is not known; use 'cpu' or 'cuda'"):
        default_device()


def test_a_named_device(gpus) -> None:
    gpus(2)
    assert resolve_device("cpu") == resolve_device(CPU) == CPU
    assert resolve_device("cuda:1") == torch.device("cuda", 1)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("toaster", "'toaster' is not known"),
        ("", "is not known"),
        ("meta", "'meta' is not supported"),
        ("cuda", "'cuda' is not present: this machine has 0"),
        ("cuda:3", "'cuda:3' is not present"),
    ],
)
def test_a_device_that_cannot_be_used(name: str, message: str, gpus) -> None:
    """One sentence that the command line prints, so a UserError and no other ValueError."""
    gpus(0)
    with pytest.raises(UserError, match=message):
        resolve_device(name)


def test_memory_budget_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (8 * 2**30, 80 * 2**30))
    assert memory_budget(torch.device("cuda")) == 4 * 2**30


@pytest.mark.parametrize(
    ("available", "budget"),
    [(64 * 2**30, 2 * 2**30), (8 * 2**30, 2 * 2**30), (2**30, 2**28)],
)
def test_memory_budget_on_the_cpu(
    available: int, budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "_available_cpu_memory", lambda: available)
    assert memory_budget(CPU) == budget


def test_memory_budget_of_this_machine() -> None:
    assert 0 < memory_budget(CPU) <= 2 * 2**30


def test_synchronise_waits_for_a_gpu_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "synchronize", waited.append)
    synchronise(CPU)
    synchronise(torch.device("cuda", 0))
    assert waited == [torch.device("cuda", 0)]


def tf32() -> tuple[bool, bool]:
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


@pytest.fixture
def tf32_allowed(gpus):
    """TF32 as a user may have it, on a machine said to have a GPU."""
    before = tf32()
    gpus(1)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def test_two_threads_in_full_float32_leave_tf32_as_it_was(tf32_allowed: None) -> None:
    """The first one in leaves before the second, which must neither lose nor keep the setting."""
    second_is_in, first_is_out = threading.Event(), threading.Event()
    seen: dict[str, tuple[bool, bool]] = {}

    def first() -> None:
        with full_float32():
            other.start()
            assert second_is_in.wait(10)
            seen["both"] = tf32()
        first_is_out.set()

    @full_float32()
    def second() -> None:
        second_is_in.set()
        assert first_is_out.wait(10)
        seen["second"] = tf32()

    other = threading.Thread(target=second)
    first()
    other.join(10)
    assert seen == {"both": (False, False), "second": (False, False)}
    assert tf32() == (True, True)


def test_many_threads_in_full_float32(tf32_allowed: None) -> None:
    allowed = []

    def work() -> None:
        for _ in range(300):
            with full_float32(), full_float32():
                allowed.append(any(tf32()))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(allowed) == 1200
    assert not any(allowed)
    assert tf32() == (True, True)


def test_full_float32_after_an_error(tf32_allowed: None) -> None:
    torch.backends.cudnn.allow_tf32 = False

    @full_float32()
    def work() -> None:
        raise RuntimeError(f"broken with {tf32()}")

    with pytest.raises(RuntimeError, match=r"broken with \(False, False\)"):
        work()
    assert tf32() == (True, False)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_full_float32_switches_a_callers_autocast_off(dtype: torch.dtype) -> None:
    x = torch.randn(3, 3)

    @full_float32()
    def product() -> torch.Tensor:
        return x @ x

    with torch.autocast("cpu", dtype=dtype):
        assert product().dtype == torch.float32
        assert (x @ x).dtype == dtype


def test_full_float32_leaves_a_callers_inference_mode() -> None:
    with torch.inference_mode():
        with full_float32():
            assert not torch.is_inference_mode_enabled()
            assert not torch.is_grad_enabled()
            with torch.enable_grad():
                assert torch.ones(1, requires_grad=True).mul(2).requires_grad
        assert torch.is_inference_mode_enabled()
    with full_float32():
        assert torch.is_grad_enabled()
