"""Table 1 on one network and one photograph: chosen as on Compare, tried when asked for."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.axioms_parts.detail import draw_detail, draw_downloads, facts_of
from pages.axioms_parts.maps import draw_maps
from pages.axioms_parts.table import cell_key, draw_table, how_often
from pages.axioms_parts.work import Tried, network_table
from pages.common.address import choice
from pages.common.choices import choose, choose_class
from pages.common.jobs import is_requested, request, run_requested
from pages.common.photo import choose_photo
from pages.common.theme import current_theme
from pages.common.view import View, load_view
from xdnn_core.axioms.axioms import AXIOMS, Cell
from xdnn_core.axioms.network import ROUNDING, NetworkSettings
from xdnn_core.experiments.comparison import fast_method
from xdnn_core.experiments.table1_network import NetworkTable1
from xdnn_core.figures.panels import network_name
from xdnn_core.models.zoo import PretrainedModel
from xdnn_core.text import percent

_WITHOUT = "without biases"
_WITH = "with biases"


def draw_network_view(body: DeltaGenerator) -> None:
    """Draw the choice, the answer, the table and the chosen cell into a place."""
    with body:
        photo = choose_photo()
        toolbar = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
    answer, working, rest = body.container(), body.container(), body.container()
    view = load_view(photo, toolbar, answer, working)
    if view is None:
        return
    with toolbar:
        biases = [_WITH, _WITHOUT]  # of the regular network, of the other
        model = view.models[biases.index(choose("biases", "Network", biases))]
        target = choose_class(view.classes, view.predictions)
        job = network_table(model, photo, target, _choose_settings())
        cached = job.cached()
        st.button(
            "Try the axioms",
            icon=":material/play_arrow:",
            type="primary",
            disabled=cached is not None or is_requested(job),
            on_click=request,
            args=(job,),
        )
    if cached is not None:
        (tried,) = cached
        table = tried.table
        with toolbar:
            draw_downloads(table, f"table1-{model.name}")
        with answer:
            st.markdown(_answer(model, table))
        with rest:
            _draw(view, model, tried)
        return
    answer.markdown(
        f"Not tried yet on **{network_name(model)}** with this photograph: every method and "
        f"axiom, in float64, takes {job.evaluations:,} gradient calls."
    )
    with working:
        run_requested(job, f"Trying the axioms on {network_name(model)} in float64")


def _choose_settings() -> NetworkSettings:
    """Draw how many gradient calls the methods that take several get."""
    with st.popover("Calls", icon=":material/tune:"):
        steps = st.select_slider(
            "Calls of Integrated Gradients",
            value=NetworkSettings.steps,
            **choice("axiom_steps", [2, 4, 8, 16, 32, 64, 128]),
        )
        samples = st.select_slider(
            "Samples of Expected Gradients",
            value=NetworkSettings.samples,
            **choice("axiom_samples", [1, 2, 4, 8, 16, 32]),
        )
    return NetworkSettings(steps=steps, samples=samples)


def _answer(model: PretrainedModel, table: NetworkTable1) -> str:
    """The sentence that matters: what one gradient does on this network, and what many do."""
    methods = (fast_method(model), "integrated_gradients")
    sentences = ". ".join(_violations(table, method) for method in methods)
    return f"**{network_name(model)}.** {sentences}."


def _violations(table: NetworkTable1, method: str) -> str:
    """Which axioms a method violates on this network."""
    own = [table.cell(method, axiom) for axiom in AXIOMS]
    failed = [f"**{AXIOMS[cell.axiom].title}**" for cell in own if not cell.holds]
    if failed:
        return f"{table.titles[method]}: refuted are {' and '.join(failed)}"
    return f"{table.titles[method]}: **none** of the {len(own)} axioms is refuted"


def _draw(view: View, model: PretrainedModel, tried: Tried) -> None:
    """The table, the chosen cell with its maps, how it was tried."""
    table, theme = tried.table, current_theme()
    notes = {cell_key(cell): _note(cell) for cell in table.cells}
    chosen = draw_table(table.titles, table.cells, notes, theme)
    allowed = percent(chosen.tolerance) if chosen.tolerance else "none"
    what = "Counter-example" if not chosen.holds else "Nearest to a violation"
    draw_detail(
        chosen,
        table.titles[chosen.method],
        f"{what}, the worst of {chosen.trials}" if chosen.trials > 1 else what,
        facts_of(chosen, _TRIED.get(chosen.axiom, "Tried")) | {"Allowed": allowed},
        theme,
    )
    if witness := tried.witnesses.get((chosen.method, chosen.axiom)):
        draw_maps(view, model, table, chosen, witness)
    st.caption(
        f"Tried on {table.provenance.hardware}: class {table.class_name}, float64. "
        f"`{table.provenance.command}`. Below a verdict: how far the axiom is off, relative to the "
        f"sum of all |attributions|. Allowed is rounding, {percent(ROUNDING)}; for completeness "
        "and homogeneity of Integrated Gradients its estimated error. One photograph can refute "
        "an axiom, not prove it. Its pixels are moved by a thousandth of their contrast, so that "
        "no two tie in max pooling, where F has no gradient. Expected Gradients draws anew in "
        "every run."
    )


_TRIED = {"sensitivity_a": "Regions", "homogeneity": "Factors α"}


def _note(cell: Cell) -> str:
    """How far it is off; Sensitivity (a) is violated or not, so in how many regions."""
    if cell.axiom == "sensitivity_a":
        return how_often(cell)
    return f"{'within' if cell.holds else 'by'} {percent(cell.worst)}"
