"""Results of heavy work, kept for every session of the server, the oldest dropped first."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Any

import streamlit as st
from cachetools import LRUCache

# One comparison of two networks holds about 4 MB.
_ENTRIES = 64


class Results:
    """A thread-safe cache; what is asked for under a key never depends on who asks."""

    def __init__(self) -> None:
        self._kept: LRUCache[Hashable, Any] = LRUCache(_ENTRIES)
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Any | None:
        """Return what is kept under the key, or None."""
        with self._lock:
            return self._kept.get(key)

    def put(self, key: Hashable, value: Any) -> None:
        """Keep a result."""
        with self._lock:
            self._kept[key] = value


@st.cache_resource(show_spinner=False)
def results() -> Results:
    """The server's one cache of results."""
    return Results()
