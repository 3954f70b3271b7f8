"""Results of heavy work, kept for every session of the server, the least recently used let go."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable, Hashable
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
import streamlit as st
import torch
from cachetools import LRUCache

# One comparison of two networks holds about 4 MB.
_BYTES = 128 * 2**20


class Results:
    """A thread-safe cache of `limit` bytes; what a key names never depends on who asks."""

    def __init__(self, limit: int = _BYTES) -> None:
        self._kept: LRUCache[Hashable, Any] = LRUCache(
            limit, getsizeof=lambda value: min(bytes_held(value), limit)
        )
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Any | None:
        """Return what is kept under the key, or None."""
        with self._lock:
            return self._kept.get(key)

    def get_or_compute(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        """Return what is kept under the key; where nothing is, compute and keep it."""
        value = self.get(key)
        if value is None:
            value = compute()
            self.put(key, value)
        return value

    def put(self, key: Hashable, value: Any) -> None:
        """Keep a result."""
        with self._lock:
            self._kept[key] = value


def bytes_held(value: Any) -> int:
    """Memory of everything that a value leads to, each part once; classes and code left out."""
    seen: set[int] = set()
    storages: dict[int, int] = {}  # of tensors: views share theirs
    total, stack = 0, [value]
    while stack:
        part = stack.pop()
        if id(part) in seen or isinstance(part, type | ModuleType | FunctionType):
            continue
        seen.add(id(part))
        if isinstance(part, torch.Tensor):
            storage = part.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
        elif isinstance(part, np.ndarray):
            total += part.nbytes if part.base is None else 0
            stack.append(part.base)
        else:
            total += sys.getsizeof(part)
            stack.extend(gc.get_referents(part))
    return total + sum(storages.values())


@st.cache_resource(show_spinner=False)
def results() -> Results:
    """The server's one cache of results."""
    return Results()
