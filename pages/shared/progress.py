"""Progress that says how long it will take; moving it is also where a rerun can cut in."""

from __future__ import annotations

import time
from collections.abc import Callable

import streamlit as st

Progress = Callable[[int, int], None]


class TimedBar:
    """A progress bar over several parts, with the time left.

    Parameters
    ----------
    label
        What is being done.
    parts
        How many times the work counts up from nothing.
    """

    def __init__(self, label: str, parts: int = 1) -> None:
        self._label, self._parts, self._part = label, parts, 0
        self._began = time.monotonic()
        self._bar = st.progress(0.0, text=label)

    def part(self) -> Progress:
        """Begin the next part; returns the callback that counts it."""
        number = self._part
        self._part += 1
        return lambda done, total: self._show((number + done / total) / self._parts)

    def waiting(self) -> None:
        """Say that someone else's computation goes first."""
        self._bar.progress(0.0, text="Waiting for another computation on this machine to finish …")
        self._began = time.monotonic()

    def clear(self) -> None:
        """Take the bar away."""
        self._bar.empty()

    def _show(self, share: float) -> None:
        spent = time.monotonic() - self._began
        left = spent / share - spent if share > 0 else 0.0
        text = f"{self._label} · {left:.0f} s left" if left >= 1 else self._label
        self._bar.progress(min(share, 1.0), text=text)


def download_progress(name: str) -> Callable[[int, int | None], None]:
    """A callback that shows a download of `name`; leaving the page ends it, to be resumed.

    The bar appears with the first bytes: what is installed loads without one.
    """
    place = st.empty()
    began = time.monotonic()

    def show(done: int, total: int | None) -> None:
        if total is None:
            place.progress(0.0, text=f"Downloading {name}: {done / 1e6:.0f} MB")
            return
        speed = done / max(time.monotonic() - began, 1e-9)
        left = (total - done) / speed if speed else 0.0
        text = f"Downloading {name}: {done / 1e6:.0f} of {total / 1e6:.0f} MB · {left:.0f} s left"
        place.progress(min(done / total, 1.0), text=text)

    return show
