"""A file that somebody gives: read once, however often the page is drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from xdnn_core.errors import UserError

Read = TypeVar("Read")


def read_once(
    file: UploadedFile | None, widget: str, read: Callable[[UploadedFile], Read]
) -> tuple[Read | None, str]:
    """Read a widget's file when it is new.

    Returns what was read, None where nothing is new, and what is wrong with the file, for as long
    as it is there.
    """
    state = f"read_{widget}"
    last, problem = st.session_state.get(state, (None, ""))
    identity = None if file is None else file.file_id
    if identity == last:
        return None, problem
    value, problem = None, ""
    if file is not None:
        try:
            value = read(file)
        except UserError as error:
            problem = str(error)
    st.session_state[state] = identity, problem
    return value, problem
