"""Numbers as people read them: units, and no more digits than mean something."""

from __future__ import annotations

import math

# A unit must not be left alone on the next line.
_NBSP = "\u00a0"


def percent(share: float) -> str:
    """Write a share in per cent, 0.84 as "84 %"; tiny ones in powers of ten, 3e-7 as "3e-5 %"."""
    if not math.isfinite(share):
        return "undefined"
    value = 100 * share
    if value == 0:
        return f"0{_NBSP}%"
    if abs(value) < 0.001:
        return f"{compact(value)}{_NBSP}%"
    return f"{value:.2g}{_NBSP}%" if abs(value) < 10 else f"{value:.0f}{_NBSP}%"


def compact(value: float) -> str:
    """Write a small number with one digit and a power of ten, 2.3e-6 as "2e-6"."""
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.0e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def signed(value: float, digits: int = 2) -> str:
    """Write a number with its sign and so many decimals: "+1.93", "−0.02"."""
    text = f"{abs(value):.{digits}f}"
    return ("−" if value < 0 and float(text) else "+") + text


def duration(seconds: float) -> str:
    """Write a time in ms below a second, else in s: "41 ms", "3.2 s"."""
    if seconds < 0.0095:
        return f"{1000 * seconds:.1f}{_NBSP}ms"
    if seconds < 0.9995:
        return f"{1000 * seconds:.0f}{_NBSP}ms"
    return f"{seconds:.1f}{_NBSP}s"


def times(ratio: float) -> str:
    """Write a ratio with two digits: "120 times", "8.5 times"."""
    if ratio >= 100:
        digits = int(math.log10(ratio)) - 1
        return f"{round(ratio, -digits):.0f}{_NBSP}times"
    return f"{ratio:.2g}{_NBSP}times"
