"""Table 1 on random networks: the stored result, or one that was made just now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.shared.axioms_detail import draw_detail, facts_of
from pages.shared.axioms_downloads import draw_downloads
from pages.shared.axioms_table import cell_key, draw_table, how_often
from pages.shared.axioms_work import RandomWork, ask, is_asked
from pages.shared.page import current_theme
from xdnn_core.axioms.experiments import AXIOMS
from xdnn_core.axioms.methods import AXIOM_METHODS
from xdnn_core.axioms.table import Cell
from xdnn_core.errors import UserError
from xdnn_core.experiments.table1 import PAPER, Table1, in_paper, load_table1

_SHOWN = "axioms_shown"  # the run on screen; none is the stored result
_TITLES = {name: method.title for name, method in AXIOM_METHODS.items()}


def draw_random_view(view: DeltaGenerator, body: DeltaGenerator) -> None:
    """Draw the answer, the table, the chosen cell, and where the numbers come from.

    Parameters
    ----------
    view
        The row of controls.
    body
        All below.
    """
    with view:
        work = _choose_run()
    answer, working, rest = body.container(), body.container(), body.container()
    shown: RandomWork | None = st.session_state.get(_SHOWN)
    fresh = None if shown is None else shown.found()
    table = fresh
    try:
        table = fresh or _stored()
    except UserError as error:
        answer.error(str(error), icon=":material/table:")
    if table is not None:
        with view:
            draw_downloads(table, table.cells, "table1")
        with answer:
            st.markdown(_answer(table))
        with rest:
            _draw(table, is_stored=fresh is None)
    if is_asked(work.key):
        st.session_state[_SHOWN] = work
        with working:
            work.run()


@st.cache_resource(show_spinner=False)
def _stored() -> Table1:
    """The result that comes with the app."""
    return load_table1()


def _choose_run() -> RandomWork:
    """Draw what to try again with, and the button that does it."""
    kept = {"bind": "query-params", "persist_state": "session"}
    with st.popover("Try again", icon=":material/replay:"):
        trials = st.number_input("Random networks a cell", 2, 1_000, 50, key="axiom_trials", **kept)
        seed = st.number_input("Seed", 0, 9_999, 1, key="axiom_seed", **kept)
        work = RandomWork(int(trials), int(seed))
        st.button("Try every cell", type="primary", on_click=ask, args=(work.key,))
    return work


def _answer(table: Table1) -> str:
    """What came out, and whether the paper says the same."""
    trials = table.cells[0].trials
    failed = {
        name: [cell.axiom for cell in table.cells if cell.method == name and not cell.holds]
        for name in _TITLES
    }
    said = [_satisfied(failed, [], f"all {len(AXIOMS)} axioms")]
    said += [_satisfied(failed, [one], f"all but {AXIOMS[one].title}") for one in AXIOMS]
    printed = sum(len(row) for row in PAPER.values())
    differing = ", ".join(f"{_TITLES[c.method]} / {AXIOMS[c.axiom].title}" for c in table.differing)
    paper = (
        f"{len(table.differing)} of the {printed} cells that the paper prints come out otherwise: "
        f"**{differing}**."
        if differing
        else f"All {printed} cells that the paper prints come out as it says."
    )
    return (
        f"{'; '.join(filter(None, said)) or 'Every method fails several axioms'}. Each was tried "
        f"on {trials:,} random networks. {paper}"
    )


def _satisfied(failed: Mapping[str, list[str]], axioms: list[str], what: str) -> str:
    """The methods that fail these axioms and no others; nothing if there are none."""
    names = [f"**{_TITLES[name]}**" for name, own in failed.items() if own == axioms]
    if not names:
        return ""
    return f"{' and '.join(names)} {'satisfy' if len(names) > 1 else 'satisfies'} {what}"


def _draw(table: Table1, is_stored: bool) -> None:
    """The table, the chosen cell, the provenance."""
    theme = current_theme()
    chosen = draw_table(
        _TITLES, table.cells, {cell_key(cell): _note(cell) for cell in table.cells}, theme
    )
    said = _said(chosen)
    paper = "has no such cell" if said is None else "holds" if said else "violated"
    what = "Counter-example, the worst of" if not chosen.holds else "Nearest to a violation of"
    draw_detail(
        chosen,
        _TITLES[chosen.method],
        f"{what} {chosen.trials:,}",
        facts_of(chosen, "Random networks and inputs", {"The paper": paper}),
        theme,
    )
    _draw_provenance(table, is_stored)


def _said(cell: Cell) -> bool | None:
    """What the paper says of a cell."""
    return in_paper(cell.method, list(AXIOMS).index(cell.axiom))


def _note(cell: Cell) -> str:
    """How often it was violated, and whether the paper says otherwise."""
    often = how_often(cell)
    said = _said(cell)
    return often if said is None or said == cell.holds else f"{often} ≠ paper"


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
            "The paper has no row for the gradient alone and no column for homogeneity.",
            width="stretch",
        )
        if not is_stored:
            st.button(
                "Stored result",
                icon=":material/undo:",
                on_click=lambda: st.session_state.pop(_SHOWN, None),
            )
