"""Kept runs: lay over, rename, export, take over the settings, delete and undo."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from pages.shared.prior_cohort import show_cohort
from pages.shared.prior_controls import show_config
from pages.shared.prior_desk import Desk
from pages.shared.prior_live import LAST, PREVIOUS, NamedRuns, Run, is_kept, keep
from pages.shared.prior_text import plain
from xdnn_core.errors import UserError
from xdnn_core.priors.live_controls import path_label
from xdnn_core.priors.live_state import Snapshot
from xdnn_core.priors.run_export import reveal_note, run_to_csv, run_to_json
from xdnn_core.priors.runs import MAX_NAME, KeptRun, RunStore

_READ = "prior_kept_runs"  # session state: runs that were read, by id; their content never changes
_DELETED = "prior_deleted"


def overlays(store: RunStore, place: Desk) -> NamedRuns:
    """The runs that are switched on to be laid over the live one."""
    shown: list[tuple[str, Run]] = []
    previous = _previous(place)
    if previous is not None and st.session_state.get("prior_show_previous", True):
        shown.append(("previous run", previous))
    for run in _kept(store):
        if st.session_state.get(f"prior_show_{run.id}", False):
            shown.append((run.name, run))
    return shown


def draw_kept(store: RunStore, place: Desk) -> None:
    """Draw the list."""
    runs = _kept(store)
    previous = _previous(place)
    if not runs and previous is None and _DELETED not in st.session_state:
        st.caption("**Kept runs.** A run that you keep appears here, to be laid over later ones.")
        return
    st.markdown("**Kept runs**, laid over with dashes. Only this browser sees them.")
    _draw_undo(store)
    if previous is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.checkbox("**previous run**, not kept", value=True, key="prior_show_previous")
            st.caption(_summary(previous), width="stretch")
            st.button(
                "Keep",
                key="prior_keep_previous",
                icon=":material/bookmark_add:",
                on_click=_keep_previous,
                args=(previous, store),
            )
    for run in runs:
        with st.container(horizontal=True, vertical_alignment="center", key=f"kept_{run.id}"):
            st.checkbox(plain(run.name), key=f"prior_show_{run.id}")
            st.caption(_summary(run), width="stretch")
            _draw_actions(store, run)


def _previous(place: Desk) -> Snapshot | None:
    """The run that the last reset, or a broken connection, ended."""
    token, last = st.session_state.get(LAST, (place.token, None))
    if token is not place.token and last.epoch:
        st.session_state[PREVIOUS] = last
    previous = st.session_state.get(PREVIOUS)
    return None if previous is None or is_kept(previous) else previous


def _kept(store: RunStore) -> list[KeptRun]:
    """The runs of this browser, newest first; each is read once."""
    read: dict[str, KeptRun] = st.session_state.setdefault(_READ, {})
    found = []
    for run_id, name in store.names().items():
        if run_id not in read:
            read[run_id] = store.get(run_id)
        found.append(replace(read[run_id], name=name))
    return found


def _keep_previous(previous: Snapshot, store: RunStore) -> None:
    keep(previous, store)
    st.session_state.pop(PREVIOUS, None)


def _summary(run: Run) -> str:
    """What was trained, and what came of it."""
    path = path_label(run.curves[0].strengths)
    scores = ", ".join(
        f"{curve.title} {curve.test_auc:.3f}"
        for curve in run.curves
        if curve.test_auc == curve.test_auc
    )
    return (
        f"{plain(run.cohort_title)} · {run.epoch} epochs · {run.config.replicates} replicates · "
        f"λ {path}{' · test ' + plain(scores) if scores else ''} · {reveal_note(run)}"
    )


def _draw_actions(store: RunStore, run: KeptRun) -> None:
    options = {"on_click": "ignore", "width": "stretch"}
    with st.popover("", icon=":material/more_vert:", help="Rename, export, delete"):
        st.text_input(
            "Name",
            run.name,
            max_chars=MAX_NAME,
            key=f"prior_name_{run.id}",
            on_change=_rename,
            args=(store, run.id),
        )
        stem = f"run-{run.id[:8]}"
        st.download_button(
            "Curves, CSV", lambda: run_to_csv(run), f"{stem}.csv", "text/csv",
            key=f"prior_csv_{run.id}", **options,
        )  # fmt: skip
        st.download_button(
            "Everything, JSON", lambda: run_to_json(run), f"{stem}.json", "application/json",
            key=f"prior_json_{run.id}", **options,
        )  # fmt: skip
        st.button(
            "Use its settings",
            key=f"prior_use_{run.id}",
            icon=":material/tune:",
            width="stretch",
            on_click=_use,
            args=(run,),
        )
        st.button(
            "Delete",
            key=f"prior_delete_{run.id}",
            icon=":material/delete:",
            width="stretch",
            on_click=_delete,
            args=(store, run),
        )


def _use(run: KeptRun) -> None:
    """Put the run's settings into the controls."""
    show_config(run.config)
    show_cohort(run.cohort)


def _rename(store: RunStore, run_id: str) -> None:
    try:
        store.rename(run_id, st.session_state[f"prior_name_{run_id}"])
    except UserError as error:
        st.toast(plain(str(error)), icon=":material/error:")


def _delete(store: RunStore, run: KeptRun) -> None:
    try:
        store.delete(run.id)
    except UserError as error:
        st.toast(plain(str(error)), icon=":material/error:")
        return
    st.session_state[_DELETED] = run


def _draw_undo(store: RunStore) -> None:
    """Bring the last deleted run back."""
    run: KeptRun | None = st.session_state.get(_DELETED)
    if run is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{plain(run.name)} was deleted.", width="content")
        st.button("Undo", key="prior_undo", on_click=_undo, args=(store, run))


def _undo(store: RunStore, run: KeptRun) -> None:
    store.restore(run)
    del st.session_state[_DELETED]
