"""The parameters of a page's address: one reader, which takes out what no link of ours has.

Streamlit gives a widget the value that the address has for it, whether it may be or not. So what
is bound to the address gets its type, range and options from here: they are the widget's, and what
the address has beside them is gone before the widget is made, which leaves its default.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?(e-?[0-9]+)?")
_BOUND = {"bind": "query-params", "persist_state": "session"}


def read(key: str, accepts: Callable[[str], bool]) -> str | None:
    """Return what the address has for a parameter; None where it has nothing that may be."""
    values = _read(key, lambda given: len(given) == 1 and accepts(given[0]))
    return values[0] if values else None


def number(key: str, low: int, high: int) -> dict[str, Any]:
    """Arguments of a `number_input` or `slider` of whole numbers that is bound to the address."""
    read(key, lambda text: is_between(text, low, high))
    return {"key": key, "min_value": low, "max_value": high, **_BOUND}


def choice(key: str, options: Sequence[Any], label: Callable[[Any], str] = str) -> dict[str, Any]:
    """Arguments of a widget that chooses one of some options; its label is in the address."""
    labels = {label(option) for option in options}
    read(key, labels.__contains__)
    return {"key": key, "options": options, "format_func": label, **_BOUND}


def choices(key: str, options: Sequence[str]) -> dict[str, Any]:
    """Arguments of a widget that chooses any of some options, or none."""
    _read(key, lambda given: given == [""] or set(given) <= set(options))
    return {"key": key, "options": options, **_BOUND}


def switch(key: str) -> dict[str, Any]:
    """Arguments of a widget that is on or off."""
    read(key, lambda text: text in ("true", "false"))
    return {"key": key, **_BOUND}


def text(key: str, longest: int, accepts: Callable[[str], bool]) -> dict[str, Any]:
    """Arguments of a `text_input`; what is typed may be anything, what the address has may not."""
    read(key, lambda given: len(given) <= longest and accepts(given))
    return {"key": key, "max_chars": longest, **_BOUND}


def _read(key: str, accepts: Callable[[list[str]], bool]) -> list[str]:
    """The values of a parameter, repeated or not; none where they are not accepted."""
    values = st.query_params.get_all(key)
    if not values or accepts(values):
        return values
    context = get_script_run_ctx()
    if context is not None:
        # st.query_params refuses to change what a widget has, and Streamlit fills widgets from a
        # copy that it made when the run began.
        with context.session_state.query_params() as address:
            address.remove_param(key)
            address.set_initial_query_params_from_current()
    return []


def is_between(text: str, low: float, high: float, kind: type[int] | type[float] = int) -> bool:
    """Whether a text is a number within limits, a whole one unless `kind` says otherwise."""
    if not _NUMBER.fullmatch(text):  # Python takes more: " 5", "1_000", digits of any script
        return False
    try:
        return low <= kind(text) <= high
    except ValueError:
        return False
