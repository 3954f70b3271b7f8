"""Kept runs: lay over, rename, export, take over the settings, delete and undo."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import streamlit as st

from pages.common.errors import for_screen
from pages.common.wording import plain
from pages.prior_parts.cohort import show_cohort
from pages.prior_parts.controls import show_config
from pages.prior_parts.export import reveal_note, run_to_csv, run_to_json
from pages.prior_parts.kept_run import KeptRun
from pages.prior_parts.live import LAST, PREVIOUS, NamedRuns, Run, is_kept, keep
from pages.prior_parts.scales import path_label
from pages.prior_parts.session import TrainingSession
from pages.prior_parts.store import MAX_NAME, RunStore, RunStoreError, UnreadableRunError
from xdnn_core.errors import UserError
from xdnn_core.priors.live_state import Snapshot

_READ = "prior_kept_runs"  # session state: runs that were read, by id; their content never changes
_DELETED = "prior_deleted"
_RETRY_SECONDS = 10.0


@dataclass(frozen=True)
class KeptRuns:
    """The runs of this browser, as far as they can be read."""

    runs: tuple[KeptRun, ...] = ()  # the newest first
    broken: tuple[tuple[str, str], ...] = ()  # id and the sentence of every run that cannot be read
    problem: str = ""  # why there are none at the moment, or empty


def read_kept(store: RunStore) -> KeptRuns:
    """Read the runs, each once; training goes on without those that cannot be read."""
    read: dict[str, KeptRun | str] = st.session_state.setdefault(_READ, {})
    runs, broken = [], []
    try:
        names = store.names()
        for run_id in read.keys() - names.keys():
            del read[run_id]
        for run_id, name in names.items():
            if run_id not in read:
                try:
                    read[run_id] = store.get(run_id)
                except UnreadableRunError as error:
                    read[run_id] = str(error)
            run = read[run_id]
            if isinstance(run, str):
                broken.append((run_id, run))
            else:
                runs.append(replace(run, name=name))
    except RunStoreError as error:
        return KeptRuns(problem=str(error))
    return KeptRuns(tuple(runs), tuple(broken))


def overlays(kept: KeptRuns, session: TrainingSession) -> NamedRuns:
    """The runs that are switched on to be laid over the live one."""
    selected: list[tuple[str, Run]] = []
    previous = _previous(session)
    if previous is not None and st.session_state.get("prior_show_previous", True):
        selected.append(("previous run", previous))
    for run in kept.runs:
        if st.session_state.get(f"prior_show_{run.id}", False):
            selected.append((run.name, run))
    return selected


def draw_kept(store: RunStore, kept: KeptRuns, session: TrainingSession) -> None:
    """Draw the list."""
    previous = _previous(session)
    if kept.problem:
        st.fragment(_draw_problem, run_every=_RETRY_SECONDS)(store, kept)
    elif (
        not kept.runs and not kept.broken and previous is None and _DELETED not in st.session_state
    ):
        st.caption("**Kept runs.** A run that you keep appears here, to be laid over later ones.")
    if kept.runs or previous is not None or _DELETED in st.session_state:
        _draw_runs(store, kept, previous)
    for run_id, sentence in kept.broken:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(for_screen(sentence), width="content")
            st.button("Delete", key=f"prior_drop_{run_id}", on_click=_drop, args=(store, run_id))


def _draw_problem(store: RunStore, kept: KeptRuns) -> None:
    """Why there are no kept runs; looks again by itself."""
    st.caption(f":material/error: {for_screen(kept.problem)}")
    if read_kept(store).problem != kept.problem:
        st.rerun()


def _draw_runs(store: RunStore, kept: KeptRuns, previous: Snapshot | None) -> None:
    """One line a run."""
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
    for run in kept.runs:
        with st.container(horizontal=True, vertical_alignment="center", key=f"kept_{run.id}"):
            st.checkbox(plain(run.name), key=f"prior_show_{run.id}")
            st.caption(_summary(run), width="stretch")
            _draw_actions(store, run)


def _previous(session: TrainingSession) -> Snapshot | None:
    """The run that the last reset, or a broken connection, ended."""
    token, last = st.session_state.get(LAST, (session.token, None))
    if token is not session.token and last.epoch:
        st.session_state[PREVIOUS] = last
    previous = st.session_state.get(PREVIOUS)
    return None if previous is None or is_kept(previous) else previous


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
    with _report_errors():
        store.rename(run_id, st.session_state[f"prior_name_{run_id}"])


def _delete(store: RunStore, run: KeptRun) -> None:
    if st.session_state.get(_DELETED) is run:  # a click that came twice
        return
    with _report_errors():
        store.delete(run.id)
        st.session_state[_DELETED] = run


def _drop(store: RunStore, run_id: str) -> None:
    """Delete a run that cannot be read, for good."""
    with _report_errors():
        store.delete(run_id)


@contextmanager
def _report_errors() -> Iterator[None]:
    """Show what could not be done, and end there."""
    try:
        yield
    except UserError as error:
        st.toast(for_screen(error), icon=":material/error:")


def _draw_undo(store: RunStore) -> None:
    """Bring the last deleted run back."""
    run: KeptRun | None = st.session_state.get(_DELETED)
    if run is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{plain(run.name)} was deleted.", width="content")
        st.button("Undo", key="prior_undo", on_click=_undo, args=(store, run))


def _undo(store: RunStore, run: KeptRun) -> None:
    with _report_errors():
        store.restore(run)
        st.session_state.pop(_DELETED, None)
