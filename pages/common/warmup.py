"""What runs once a server beside its pages: loading ahead, tidying up, an orderly end."""

from __future__ import annotations

import atexit
import ctypes
import gc
import logging
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit.runtime import get_instance

if TYPE_CHECKING:
    from xdnn_core.models.zoo import PretrainedModel

_COMPUTING = ("warm-up", "live-training", "ScriptRunner.scriptThread")  # names of threads
_PATIENCE = 5.0  # seconds they have to end with the server
_SETTLE = 2.0  # seconds after a session's end until nothing holds on to it
_LOGGER = logging.getLogger(__name__)


def warm_up() -> None:
    """Start loading, once a server; the first page draws its photographs meanwhile."""
    _start()
    _session()


@st.cache_resource(show_spinner=False)
def _start() -> None:
    threading.Thread(target=_end, daemon=False, name="end").start()
    threading.Thread(target=_load, daemon=True, name="warm-up").start()


def _load() -> None:
    from pages.common.networks import store
    from xdnn_core.errors import UserError
    from xdnn_core.models.catalogue import EMBEDDED

    try:
        for name, *_ in EMBEDDED:
            if not threading.main_thread().is_alive():
                return
            _run_once(store().get(name))
    except UserError as error:  # such as a device that is not there; pages say it too
        _LOGGER.error("%s", error)
    # What is loaded now stays: taking it out of the collector's sight makes every later
    # collection short.
    gc.collect()
    gc.freeze()


def _run_once(model: PretrainedModel) -> None:
    """Run a network's methods, gates and all, so that the first user does not pay for it."""
    import torch

    from xdnn_core.experiments.comparison import IntegrationSettings, compare

    size = model.preprocessing.size
    compare(model, torch.ones(1, 3, size, size), 0, IntegrationSettings(steps=2))


def _end() -> None:
    """When the server ends, let threads that compute come to an end first.

    Python takes daemon threads down wherever they are, and one within C++ then aborts the process.
    It waits for this thread, which is none, before it takes anything down.
    """
    threading.main_thread().join()
    deadline = time.monotonic() + _PATIENCE
    computing = [thread for thread in threading.enumerate() if thread.name in _COMPUTING]
    for thread in computing:
        thread.join(max(0.0, deadline - time.monotonic()))
    if any(thread.is_alive() for thread in computing):  # in the middle of something long
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


@st.cache_resource(scope="session", on_release=lambda ended: ended.set(), show_spinner=False)
def _session() -> threading.Event:
    """Set when this session ends."""
    return _tidying()


@st.cache_resource(show_spinner=False)
def _tidying() -> threading.Event:
    """Set when a session ends: its memory is then given back, outside of anybody's run."""
    ended = threading.Event()
    threading.Thread(target=_tidy, args=(ended,), daemon=True, name="tidying").start()
    return ended


def _tidy(ended: threading.Event) -> None:
    """Collect what ended sessions leave: pages, widgets and charts refer to each other in circles.

    With postScriptGC off nothing else does for as long as few objects are made. A second time when
    Streamlit no longer keeps them for a browser that comes back.
    """
    give_back = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc keeps what was freed
    kept_for, wait = st.get_option("server.disconnectedSessionTTL"), None
    while True:
        if ended.wait(wait):
            time.sleep(_SETTLE)
            ended.clear()
            wait = kept_for
        else:
            wait = None
            _forget_sessions()
        gc.collect()
        if give_back is not None:
            give_back(0)


def _forget_sessions() -> None:
    """Let sessions go that may no longer be taken up again: Streamlit does so at the next end."""
    manager: Any = get_instance()._session_mgr
    try:
        with manager._storage_lock:
            manager._session_storage._cache.expire()
    except AttributeError:  # another Streamlit may name them otherwise: then a little later
        _LOGGER.debug("Ended sessions cannot be let go of at once.", exc_info=True)
