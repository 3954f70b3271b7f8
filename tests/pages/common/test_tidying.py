"""Memory of ended sessions is given back outside of anybody's run."""

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from unittest.mock import Mock

import pytest
from streamlit.runtime.memory_session_storage import MemorySessionStorage
from streamlit.runtime.session_manager import SessionInfo
from streamlit.runtime.websocket_session_manager import WebsocketSessionManager

from pages.common import warmup

PATIENCE = 60.0


class Circle:
    """Refers to itself, as pages and their widgets do."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> Iterator[MemorySessionStorage]:
    """Streamlit's own store of ended sessions, where they expire at once."""
    storage = MemorySessionStorage(ttl_seconds=0)
    manager = WebsocketSessionManager(storage, Mock(), Mock(), Mock())
    monkeypatch.setattr(warmup, "get_instance", lambda: Mock(_session_mgr=manager))
    monkeypatch.setattr(warmup, "_SETTLE", 0.0)
    gc.disable()
    yield storage
    gc.enable()


def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_a_session_leaves_is_collected(
    stored: MemorySessionStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warmup.st, "get_option", lambda name: 0.2)
    ended = threading.Event()
    threading.Thread(target=warmup._tidy, args=(ended,), daemon=True).start()
    for _ in range(2):
        left = weakref.ref(Circle())
        assert left() is not None
        session = Mock(id="session")
        kept = weakref.ref(session)
        stored.save(SessionInfo(client=None, session=session, script_run_count=1))
        del session
        ended.set()
        until(lambda left=left: left() is None)
        until(lambda kept=kept: kept() is None)
