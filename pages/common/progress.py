"""Progress that says how long it will take; moving it is also where a rerun can cut in."""

from __future__ import annotations

import time
from collections.abc import Callable

import streamlit as st

Progress = Callable[[int, int], None]


class TimedBar:
    """A progress bar over several parts, with the time left."""

    def __init__(self, label: str, parts: int = 1) -> None:
        self._label, self._parts, self._part = label, parts, 0
        self._share = 0.0
        self._began = self._touched = time.monotonic()
        self._bar = st.progress(0.0, text=label)

    def part(self) -> Progress:
        """Begin the next part; returns the callback that counts it."""
        number = self._part
        self._part += 1
        return lambda done, total: self._show((number + done / total) / self._parts)

    def waiting(self, ahead: int) -> None:
        """Say how many others go first; the time until then does not count."""
        now = time.monotonic()
        self._began += now - self._touched
        self._touched = now
        queue = f"waiting for {ahead} other{'s' if ahead > 1 else ''} on this machine"
        self._bar.progress(self._share, text=f"{self._label} · {queue}")

    def clear(self) -> None:
        """Take the bar away."""
        self._bar.empty()

    def _show(self, share: float) -> None:
        self._share, self._touched = min(share, 1.0), time.monotonic()
        spent = self._touched - self._began
        left = spent / share - spent if share > 0 else 0.0
        text = f"{self._label} · {left:.0f} s left" if left >= 1 else self._label
        self._bar.progress(self._share, text=text)


def download_progress(name: str) -> Callable[[int, int | None], None]:
    """A callback that shows a download of `name`; leaving the page ends it, to be resumed.

    The bar appears with the first bytes: what is installed loads without one.
    """
    bar = st.empty()
    began = time.monotonic()

    def show(done: int, total: int | None) -> None:
        if total is None:
            bar.progress(0.0, text=f"Downloading {name}: {done / 1e6:.0f} MB")
            return
        speed = done / max(time.monotonic() - began, 1e-9)
        left = (total - done) / speed if speed else 0.0
        text = f"Downloading {name}: {done / 1e6:.0f} of {total / 1e6:.0f} MB · {left:.0f} s left"
        bar.progress(min(done / total, 1.0), text=text)

    return show
