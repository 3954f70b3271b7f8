"""Whose kept runs these are: a random name that this browser keeps in a cookie.

There are no accounts. The name cannot be guessed, so nobody else's runs can be asked for; it
outlives the session and the server, so that kept runs are found again.
"""

from __future__ import annotations

import re
import secrets

import streamlit as st

_COOKIE = "xdnn_browser"
_NAME = re.compile(r"[0-9a-f]{32}")
_SESSION_KEY = "prior_owner"

_JS = """
export default function ({ data, setStateValue }) {
  const kept = document.cookie.match(/(?:^|; )xdnn_browser=([0-9a-f]{32})(?:;|$)/);
  const name = kept ? kept[1] : data.proposed;
  // Written again at every visit, so that it expires 400 days after the last one.
  document.cookie = `xdnn_browser=${name}; path=/; max-age=34560000; SameSite=Strict`;
  if (name !== data.proposed) setStateValue("name", name);
}
"""

_cookie = st.components.v2.component("xdnn_browser_name", html="<i></i>", js=_JS)


def owner() -> str:
    """The browser's name, made at its first visit."""
    name = st.session_state.get(_SESSION_KEY)
    if name is None:
        sent = st.context.cookies.get(_COOKIE, "")
        name = sent if _NAME.fullmatch(sent) else secrets.token_hex(16)
    # The browser has the last word: another of its windows may have been first.
    with st.container(height=1, border=False, key="prior_owner_place"):
        answer = _cookie(
            key="prior_owner_cookie", data={"proposed": name}, on_name_change=lambda: None
        )
    if answer.name and _NAME.fullmatch(str(answer.name)):
        name = str(answer.name)
    st.session_state[_SESSION_KEY] = name
    return name
