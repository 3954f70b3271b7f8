"""Whose kept runs these are: a random name that this browser keeps in a cookie.

There are no accounts. The name cannot be guessed, so nobody else's runs can be asked for; it
outlives the session and the server, so that kept runs are found again. Only what a server with
this data folder made is taken for a name: it is signed, and the key lies in the folder.
"""

from __future__ import annotations

import hmac
import os
import secrets
import shutil
import tempfile
from pathlib import Path

import streamlit as st

from pages.common.folders import data_folder

_COOKIE = "xdnn_browser"
_WIDGET = "prior_owner_cookie"
_SESSION_KEY = "prior_owner"
_KEY_BYTES = 32
_UNKEPT = secrets.token_bytes(_KEY_BYTES)

_JS = """
export default function ({ data, setStateValue }) {
  const kept = document.cookie.match(/(?:^|; )xdnn_browser=([^;]*)/)?.[1];
  // Another window of this browser may have been first; whether a server made that value, it knows.
  if (kept && kept !== data.value && !data.refused.includes(kept)) {
    setStateValue("kept", kept);
    return;
  }
  const secure = location.protocol === "https:" ? "; Secure" : "";
  // Written again at every visit, so that it expires 400 days after the last one.
  document.cookie =
    `xdnn_browser=${data.value}; path=/; max-age=34560000; SameSite=Strict${secure}`;
}
"""

_cookie = st.components.v2.component("xdnn_browser_name", html="<i></i>", js=_JS)


def owner() -> str:
    """The browser's name, made at its first visit."""
    from_script = (st.session_state.get(_WIDGET) or {}).get("kept")
    sent = [from_script, st.session_state.get(_SESSION_KEY), st.context.cookies.get(_COOKIE)]
    names = [str(name) for name in sent if name]
    value = next(filter(is_ours, names), None) or signed(secrets.token_hex(16))
    st.session_state[_SESSION_KEY] = value
    refused = [name for name in names if not is_ours(name)]
    with st.container(height=1, border=False, key="prior_owner_place"):
        _cookie(key=_WIDGET, data={"value": value, "refused": refused}, on_kept_change=lambda: None)
    return value.partition(".")[0]


def signed(name: str) -> str:
    """A name with its signature, as the cookie has it."""
    return f"{name}.{hmac.digest(_key(), name.encode(), 'sha256').hex()}"


def is_ours(value: str) -> bool:
    """Whether a server with this data folder made a cookie's value."""
    name = value.partition(".")[0]
    return value.isascii() and hmac.compare_digest(value, signed(name))


def _key() -> bytes:
    """The key of the data folder; of this server alone while the folder cannot be written."""
    try:
        return _kept_key(data_folder())
    except OSError:
        return _UNKEPT


@st.cache_resource(show_spinner=False)
def _kept_key(folder: Path) -> bytes:
    """The key in a folder, made by the first server that comes."""
    file = folder / "browser.key"
    folder.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        with tempfile.NamedTemporaryFile(dir=folder) as made:  # only its owner may read it
            made.write(secrets.token_bytes(_KEY_BYTES))
            made.flush()
            try:
                os.link(made.name, file)
            except FileExistsError:  # another server was first
                pass
            except OSError:  # no file system for links; two servers at once have no business there
                shutil.copy(made.name, file)
    return file.read_bytes()
