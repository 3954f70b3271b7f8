"""Choose the cohort: the one that comes with the app, the paper's, or an own CSV file."""

from __future__ import annotations

from typing import BinaryIO

import pandas as pd
import streamlit as st

from pages.common.address import choice
from pages.common.errors import for_screen
from pages.common.progress import download_progress
from pages.common.uploads import read_once
from pages.common.wording import plain
from xdnn_core.data.cohorts.cohort import Cohort
from xdnn_core.data.cohorts.csv_cohort import cohort_from_table
from xdnn_core.data.cohorts.csv_table import MAX_MEGABYTES, CsvTable, read_table
from xdnn_core.data.cohorts.nhanes import load_nhanes1, nhanes1_is_cached
from xdnn_core.data.cohorts.nhefs import load_nhefs
from xdnn_core.errors import UserError
from xdnn_core.text import percent

_NHEFS, _NHANES, _OWN = "NHEFS", "NHANES I", "Own CSV file"


def choose_cohort(problems: st.delta_generator.DeltaGenerator) -> Cohort | None:
    """Draw the choice; returns None where there is no cohort to train on, and says why."""
    chosen = st.selectbox(
        "Cohort",
        label_visibility="collapsed",
        width=170,
        **choice("cohort", [_NHEFS, _NHANES, _OWN]),
    )
    try:
        if chosen == _OWN:
            cohort = _own_cohort(problems)
        else:
            cohort = load_nhefs() if chosen == _NHEFS else _nhanes1(problems)
    except UserError as error:
        problems.error(for_screen(error), icon=":material/error:")
        if chosen == _NHANES:
            problems.button("Try again", icon=":material/refresh:", key="try_nhanes")
        return None
    if cohort is not None:
        _draw_about(cohort)
    return cohort


def show_cohort(name: str) -> None:
    """Put a cohort into the controls, by its short name; for callbacks."""
    title = {"nhefs": _NHEFS, "nhanes1": _NHANES, "csv": _OWN}.get(name)
    if title is not None:
        st.session_state["cohort"] = title


@st.cache_resource(show_spinner=False)
def _downloaded() -> dict[str, Cohort]:
    """Cohorts of this server that were read once."""
    return {}


def _nhanes1(problems: st.delta_generator.DeltaGenerator) -> Cohort:
    cohorts = _downloaded()
    if _NHANES not in cohorts:
        messages = problems.empty()
        with messages.container():
            if not nhanes1_is_cached():
                st.markdown("NHANES I is downloaded once, from the authors' repository.")
            progress = download_progress("NHANES I")
            # setdefault: whoever was first, all sessions share one object.
            cohorts.setdefault(_NHANES, load_nhanes1(progress=progress))
        messages.empty()
    return cohorts[_NHANES]


def _own_cohort(problems: st.delta_generator.DeltaGenerator) -> Cohort | None:
    """Upload, choose the outcome, encode; the last file stays until another one comes."""
    with st.popover("Your file", icon=":material/upload_file:"):
        uploaded = st.file_uploader(
            f"A CSV file of up to {MAX_MEGABYTES} MB with a header line, one person a row",
            type=["csv", "tsv", "txt"],
            max_upload_size=MAX_MEGABYTES,
            key="prior_upload",
        )
        new, problem = read_once(uploaded, "prior_upload", _read)
        if new is not None:
            st.session_state["prior_table"] = new
        table: CsvTable | None = st.session_state.get("prior_table")
        choice = None if table is None else _choose_outcome(table)
    if problem:
        problems.warning(for_screen(problem), icon=":material/error:")
    elif table is None:
        problems.info("Choose **Your file** above and upload a CSV file to train on.")
    return None if table is None else _encoded(table, *(choice or (None, None, ())))


def _read(file: BinaryIO) -> CsvTable:
    with st.spinner("Reading the file …", show_time=True):
        return read_table(file)


def _choose_outcome(table: CsvTable) -> tuple[str, str, tuple[str, ...]] | None:
    """Outcome, its value that counts as label 1, and columns of codes; None without a choice."""
    columns = {column.name: column for column in table.binary}
    if not columns:
        return None
    name = st.selectbox("Outcome to predict", list(columns), key="prior_outcome")
    column = columns[name]
    counts = dict(zip(column.values, column.counts, strict=True))
    positive = st.segmented_control(
        "Label 1 is",
        list(reversed(column.values)),
        default=column.values[1],
        required=True,
        format_func=lambda value: f"{plain(value)} ({counts[value]:,} rows)",
        key=f"prior_positive_{name}",
    )
    numeric = [
        str(column) for column in table.frame.select_dtypes("number").columns if str(column) != name
    ]
    codes = st.multiselect(
        "Columns of numbers that are codes",
        numeric,
        key="prior_codes",
        help="They become one feature a value instead of one number.",
    )
    return name, positive, tuple(codes)


def _encoded(
    table: CsvTable, outcome: str | None, positive: str | None, codes: tuple[str, ...]
) -> Cohort:
    """The file as a cohort, encoded once a choice."""
    settings = (outcome, positive, codes)
    of_table, of_settings, cohort = st.session_state.get("prior_own_cohort", (None, None, None))
    if of_table is not table or of_settings != settings:
        with st.spinner("Encoding the columns …", show_time=True):
            cohort = cohort_from_table(table, outcome, positive, codes)
        st.session_state["prior_own_cohort"] = (table, settings, cohort)
    return cohort


def _draw_about(cohort: Cohort) -> None:
    """What the cohort is: size, outcome, notes, data dictionary, what was left out and why."""
    share = percent(cohort.positives / len(cohort))
    with st.popover("About the cohort", icon=":material/info:"):
        st.markdown(
            f"**{plain(cohort.title)}.** {len(cohort):,} people, {len(cohort.columns):,} features. "
            f"Outcome: {plain(cohort.outcome)}, {cohort.positives:,} of them ({share})."
        )
        for note in cohort.notes:
            st.caption(plain(note))
        features, left_out = st.tabs(["Features", f"Left out ({len(cohort.left_out)})"])
        features.dataframe(
            pd.DataFrame(
                {
                    "feature": [column.title for column in cohort.columns],
                    "unit": [column.unit for column in cohort.columns],
                    "kind": [column.kind for column in cohort.columns],
                    "meaning": [column.description for column in cohort.columns],
                }
            ),
            hide_index=True,
            height=300,
        )
        left_out.dataframe(
            pd.DataFrame(
                {
                    "column": [column.name for column in cohort.left_out],
                    "why": [column.reason for column in cohort.left_out],
                }
            ),
            hide_index=True,
        )
        st.caption(plain(cohort.citation))
