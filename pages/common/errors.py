"""The one place where errors become sentences for the screen: without where things lie here."""

from __future__ import annotations

import logging
import os
import re
import sys
from pathlib import Path, PureWindowsPath

import streamlit as st

from pages.common.wording import plain

_LOG = logging.getLogger(__name__)
_VARIABLES = ("XDNN_CACHE", "XDNN_DATA", "XDNN_GALLERY", "XDNN_IMAGE_SETS")
# A path begins where no word, address or fraction goes on: not in https://host/file or in 5/s.
_BEFORE = r"(?<![\w.:/\\~<)\]])"
# A column "/day/kg" is no path: those of this machine begin in a folder that there is.
_ROOTS = "|".join(re.escape(entry.name) for entry in Path(os.sep).iterdir())
_BEGINS = rf"(?:file:/+|~/|/(?:{_ROOTS})/|[A-Za-z]:[/\\]|\\\\)"
_ON = r"[^\s'\"`()<>,;]"


def for_screen(problem: Exception | str) -> str:
    """Return what the screen may say of a problem, as markdown that shows it literally.

    Of every path only the last part is left. The whole, with what caused it, goes to the server's
    log, once a session.
    """
    whole = str(problem)
    shown = _paths().sub(_name, whole)
    if shown != whole:
        logged: set[str] = st.session_state.setdefault("problems_logged", set())
        if whole not in logged:
            logged.add(whole)
            _LOG.warning("%s", whole, exc_info=problem if isinstance(problem, Exception) else None)
    return plain(shown)


def _paths() -> re.Pattern[str]:
    """Absolute paths; folders that are known are named whole, since their names may hold spaces."""
    named = [Path(os.environ[name]).expanduser() for name in _VARIABLES if os.environ.get(name)]
    folders = [*named, Path.cwd(), Path.home(), Path(sys.prefix)]
    known = {str(path) for one in folders for path in (one.absolute(), one.resolve())} - {os.sep}
    # The longest first: one may lie inside another.
    either = "|".join(map(re.escape, sorted(known, key=len, reverse=True)))
    quoted = rf"(?<=['\"]){_BEGINS}[^'\"]+(?=['\"])"
    return re.compile(f"{_BEFORE}(?:{quoted}|(?:{either}){_ON}*|{_BEGINS}{_ON}+)")


def _name(path: re.Match[str]) -> str:
    """The last part of a path; a full stop or colon behind it stays."""
    bare = path[0].rstrip(".:!?")
    return PureWindowsPath(bare).name + path[0][len(bare) :]
