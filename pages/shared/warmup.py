"""Load torch and the embedded networks in the background, once a server."""

from __future__ import annotations

import gc
import threading

import streamlit as st


@st.cache_resource(show_spinner=False)
def warm_up() -> None:
    """Start loading; the first page draws its photographs meanwhile."""
    threading.Thread(target=_load, daemon=True, name="warm-up").start()


def _load() -> None:
    from pages.shared.networks import store
    from xdnn_core.comparison import warm_up_network
    from xdnn_core.models.catalogue import EMBEDDED

    for name, *_ in EMBEDDED:
        warm_up_network(store().get(name))
    # What is loaded now stays: taking it out of the collector's sight makes every later
    # collection short.
    gc.collect()
    gc.freeze()
