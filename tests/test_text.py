"""Numbers as people read them."""

from __future__ import annotations

import pytest

from xdnn_core.text import compact, duration, percent, signed, times


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.8412, "84 %"),
        (0.0123, "1.2 %"),
        (0.00123, "0.12 %"),
        (3.6e-5, "0.0036 %"),
        (3.1e-7, "3e-5 %"),
        (0.0, "0 %"),
        (-0.25, "-25 %"),
        (1.5, "150 %"),
        (float("inf"), "undefined"),
        (float("nan"), "undefined"),
    ],
)
def test_percent(share: float, text: str) -> None:
    assert percent(share).replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.934, "+1.93"), (-0.016, "−0.02"), (0.0, "+0.00"), (-1e-4, "+0.00"), (12.0, "+12.00")],
)
def test_signed(value: float, text: str) -> None:
    assert signed(value) == text


@pytest.mark.parametrize(("value", "text"), [(2.34e-6, "2e-6"), (0.0, "0"), (9.9e-16, "1e-15")])
def test_compact(value: float, text: str) -> None:
    assert compact(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0412, "41 ms"), (3.214, "3.2 s"), (0.0034, "3.4 ms"), (0.9996, "1.0 s"), (61.0, "61.0 s")],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds).replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(117.3, "120 times"), (8.46, "8.5 times"), (99.4, "99 times"), (1234.0, "1200 times")],
)
def test_times(ratio: float, text: str) -> None:
    assert times(ratio).replace("\u00a0", " ") == text
