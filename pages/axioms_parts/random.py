"""Table 1 on random networks: the stored result, or one that was made just now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.axioms_parts.detail import draw_detail, draw_downloads, facts_of
from pages.axioms_parts.table import cell_key, draw_table, how_often
from pages.axioms_parts.work import random_table
from pages.common.address import number
from pages.common.choices import choose
from pages.common.errors import for_screen
from pages.common.jobs import Job, is_requested, request, run_requested
from pages.common.theme import current_theme
from xdnn_core.axioms.axioms import AXIOMS, Cell
from xdnn_core.axioms.perceptrons import AXIOM_METHODS
from xdnn_core.errors import UserError
from xdnn_core.experiments.table1 import STORED, Table1, load_table1

_SHOWN = "axioms_shown"  # the run on screen; none is the stored result
_AS_DEFINED, _WITHOUT = "for all but X-Gradient", "for none"
_TITLES = {name: method.title for name, method in AXIOM_METHODS.items()}


def draw_random_view(view: DeltaGenerator, body: DeltaGenerator) -> None:
    """Draw the answer, the table, the chosen cell, and where the numbers come from."""
    with view:
        networks = choose("axiom_networks", "Networks with biases", [_AS_DEFINED, _WITHOUT])
        without_biases = networks == _WITHOUT
        trials, job = _choose_run(without_biases)
    answer, working, rest = body.container(), body.container(), body.container()
    shown: Job | None = st.session_state.get(_SHOWN)
    cached = shown.cached() if shown is not None and shown.settings == without_biases else None
    table: Table1 | None = cached[0] if cached else None
    try:
        table = table or _stored(without_biases)
    except UserError as error:
        answer.error(for_screen(error), icon=":material/table:")
    if table is not None:
        with view:
            draw_downloads(table, "table1")
        with answer:
            st.markdown(_answer(table))
        with rest:
            _draw(table, is_stored=cached is None)
    if is_requested(job):
        st.session_state[_SHOWN] = job
        with working:
            run_requested(job, f"Trying every cell on {trials:,} random networks")


@st.cache_resource(show_spinner=False)
def _stored(without_biases: bool) -> Table1:
    """The result that comes with the app."""
    return load_table1(STORED[without_biases])


def _choose_run(without_biases: bool) -> tuple[int, Job]:
    """Draw how many networks a cell to try again with, and the button that does it."""
    with st.popover("Try again", icon=":material/replay:"):
        trials = st.number_input(
            "Random networks a cell", value=50, **number("axiom_trials", 2, 1_000)
        )
        seed = st.number_input("Seed", value=1, **number("axiom_seed", 0, 9_999))
        job = random_table(trials, seed, without_biases)
        st.button("Try every cell", type="primary", on_click=request, args=(job,))
    return trials, job


def _answer(table: Table1) -> str:
    """What was refuted for which method, on which networks, and whether the paper says the same."""
    failed = {
        name: [cell.axiom for cell in table.cells if cell.method == name and not cell.holds]
        for name in _TITLES
    }
    parts = [_refuted(failed, [], f"none of the {len(AXIOMS)} axioms")]
    parts += [_refuted(failed, [one], f"{AXIOMS[one].title} alone") for one in AXIOMS]
    several = "several axioms for every method"
    return (
        f"Refuted by {table.cells[0].trials:,} trials a cell: "
        f"{'; '.join(filter(None, parts)) or several}. {_beside_the_paper(table)}  \n"
        + (
            "All methods on the same networks without biases, where Input×Gradient and X-Gradient "
            "are one function."
            if table.without_biases
            else "X-Gradient on networks without biases, the others on networks with biases."
        )
    )


def _refuted(failed: Mapping[str, list[str]], axioms: list[str], what: str) -> str:
    """The methods for which these axioms were refuted and no others; nothing if there are none."""
    names = [f"**{_TITLES[name]}**" for name, own in failed.items() if own == axioms]
    *first, last = names or [""]
    return f"{what} for {', '.join(first)}{' and ' if first else ''}{last}" if names else ""


def _beside_the_paper(table: Table1) -> str:
    """How many cells the paper's table has too, and which of them come out otherwise."""
    differing = ", ".join(f"{_TITLES[c.method]} / {AXIOMS[c.axiom].title}" for c in table.differing)
    cells = f"{len(table.compared)} cells that the paper's Table 1 has too"
    if differing:
        return f"{len(table.differing)} of the {cells} come out otherwise: **{differing}**."
    return f"The {cells} come out as we read its check marks."


def _draw(table: Table1, is_stored: bool) -> None:
    """The table, the chosen cell, the provenance."""
    theme = current_theme()
    notes = {cell_key(cell): _note(table, cell) for cell in table.cells}
    chosen = draw_table(_TITLES, table.cells, notes, theme)
    verdicts = {None: "no such cell", True: "satisfied", False: "not satisfied"}
    paper = verdicts[table.in_paper(chosen)]
    what = "Counter-example, the worst of" if not chosen.holds else "Nearest to a violation of"
    draw_detail(
        chosen,
        _TITLES[chosen.method],
        f"{what} {chosen.trials:,}",
        facts_of(chosen, "Random networks and inputs") | {"The paper, our reading": paper},
        theme,
    )
    _draw_provenance(table, is_stored)


def _note(table: Table1, cell: Cell) -> str:
    """How often it was refuted, and whether the paper says otherwise."""
    return f"{how_often(cell)} ≠ paper" if cell in table.differing else how_often(cell)


def _draw_provenance(table: Table1, is_stored: bool) -> None:
    """Where the numbers come from; from a run of one's own the way back."""
    made = table.provenance
    date = datetime.fromisoformat(made.date)
    networks = f"{table.cells[0].trials:,} random networks a cell, seed {table.seed}"
    whose = "Stored result" if is_stored else "Tried just now"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(
            f"{whose}: {networks}, float64, {date.day} {date:%B %Y}, {made.hardware}. "
            f"`{made.command}`. "
            "The paper has one row for Gradient and Input×Gradient, “(Input×)Gradient”, and none "
            "for homogeneity.",
            width="stretch",
        )
        if not is_stored:
            st.button(
                "Stored result",
                icon=":material/undo:",
                on_click=lambda: st.session_state.pop(_SHOWN, None),
            )
