"""Scales and texts of a live run's settings, as a person sets them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from typing import Final

from xdnn_core.errors import UserError

OFF: Final = "off"


def _scale(mantissas: tuple[str, ...], first: int, last: int) -> tuple[float, ...]:
    """Mantissas times 10^first, ..., then 10^last itself; exact decimals."""
    powers = range(first, last)
    return (*(float(f"{m}e{p}") for p in powers for m in mantissas), float(f"1e{last}"))


STRENGTHS: Final = (0.0, *_scale(("1", "1.5", "2", "3", "5", "7"), -3, 3))
"""λ to choose from: off, then 0.001 to 1000, six a decade."""

LEARNING_RATES: Final = _scale(("1", "2", "5"), -5, -1)
"""0.00001 to 0.1, three a decade."""

SAMPLES: Final = (1, 2, 4, 8, 16, 32, 64, 128)
"""References k, or steps n."""


def strength_label(strength: float) -> str:
    """λ as text: ``"off"`` for 0, else ``"0.015"``, ``"10"``."""
    return decimal_label(strength) if strength else OFF


def path_label(strengths: Sequence[float]) -> str:
    """λ of successive epochs as text, only where it changes: ``"1 → 10 → off"``.

    More than four values are shown as the last four.
    """
    path = [strength_label(strength) for strength, _ in groupby(strengths)]
    return " → ".join(path if len(path) <= 4 else ["…", *path[-4:]])


def decimal_label(value: float) -> str:
    """A number without exponent and without needless zeros: 1e-05 as "0.00001"."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def parse_hidden(text: str) -> tuple[int, ...]:
    """Read the widths of hidden layers, ``"512, 128, 32"`` or ``"512-128-32"``."""
    if not re.fullmatch(r"\s*[0-9]{1,6}([\s,;–-]+[0-9]{1,6})*[\s,;]*", text):
        raise UserError(
            f"{text[:40]!r} was given for the hidden layers; write the number of neurons of each, "
            "such as 512, 128, 32."
        )
    return tuple(int(part) for part in re.findall(r"[0-9]+", text))
