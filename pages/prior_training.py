"""Prior training: train with an attribution prior, and see at once what λ does."""

from __future__ import annotations

import streamlit as st

from pages.common.address import choice
from pages.common.errors import for_screen
from pages.common.page import begin_page

begin_page()
view = st.container(horizontal=True, vertical_alignment="center", gap="small")
loading = st.empty()  # a place of its own: what stands below must not move when it goes
body = st.container()

with loading, st.spinner("Loading …", show_time=True):
    from pages.prior_parts.cohort import choose_cohort
    from pages.prior_parts.controls import choose_config
    from pages.prior_parts.figure1 import draw_figure1
    from pages.prior_parts.kept import draw_kept, overlays, read_kept
    from pages.prior_parts.live import draw_live
    from pages.prior_parts.owner import owner
    from pages.prior_parts.session import training_session
    from pages.prior_parts.store import RunStore
    from xdnn_core.errors import UserError

_LIVE, _FIGURE = "Train live", "Figure 1 of the paper"


def main() -> None:
    """Draw the page."""
    with view:
        shown = st.segmented_control(
            "View",
            default=_LIVE,
            required=True,
            label_visibility="collapsed",
            **choice("view", [_LIVE, _FIGURE]),
        )
    with body:
        if shown == _FIGURE:
            draw_figure1()
        else:
            _train()


def _train() -> None:
    """The live view: settings, charts, kept runs."""
    problems, live, kept = body.container(), body.container(), body.container()
    with view:
        cohort = choose_cohort(problems)
    if cohort is None:
        return
    try:
        with view:
            config = choose_config()
        session = training_session()
        session.request_settings(cohort, config)
    except UserError as error:
        problems.warning(for_screen(error), icon=":material/tune:")
        return
    with kept:
        store = RunStore(owner=owner())
    runs = read_kept(store)
    with live:
        draw_live(session, store, overlays(runs, session))
    with kept:
        draw_kept(store, runs, session)


main()
