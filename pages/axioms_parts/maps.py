"""The attributions that a cell's witness speaks of, on the canvas: side by side, and their
difference."""

from __future__ import annotations

import numpy as np
import streamlit as st

from pages.common.maps_canvas import MapPanel, MapsScene, draw_canvas
from pages.common.maps_view import MapsView, current_view
from pages.common.theme import current_theme
from pages.common.view import View
from xdnn_core.axioms.axioms import AXIOMS, Cell
from xdnn_core.axioms.loaded import WitnessMaps
from xdnn_core.experiments.table1_network import NetworkTable1
from xdnn_core.figures.description import map_description
from xdnn_core.figures.panels import network_name
from xdnn_core.figures.rendering import light_blur
from xdnn_core.models.zoo import PretrainedModel
from xdnn_core.text import percent, signed

_KEY = "axioms_maps"  # of the canvas, in the session
# What the axiom's network or image differs in from the photograph beside the maps.
_NOTES = {
    "sensitivity_a": "One region at a time, the rest is the mean image",
    "sensitivity_b": "Its middle is put on the mean image",
    "symmetry_preserving": "The right of two regions gets the left one's pixels",
}


@st.fragment
def draw_maps(
    view: View, model: PretrainedModel, table: NetworkTable1, cell: Cell, witness: WitnessMaps
) -> None:
    """Draw the canvas; a fragment, so that its controls run nothing else of the page again."""
    photo = MapPanel(
        "photo", "Photograph", line=_NOTES.get(cell.axiom, view.photo.title), photo=True,
        alt=f"{view.photo.title}, as the networks see it",
    )  # fmt: skip
    height, width = view.image.shape[:2]
    scene = MapsScene(
        subject=f"{view.photo.digest} {model.name}",
        classes=("a·F + b·G" if cell.axiom == "linearity" else table.class_name,),
        panels=(photo, *_panels(model, table, cell, witness)),
        photo=view.image,
        fillings={},
    )
    settings = current_view(_KEY, MapsView(unit="raw"), [], (height, width), scene.subject)
    draw_canvas(_KEY, scene, settings, current_theme())


def _panels(
    model: PretrainedModel, table: NetworkTable1, cell: Cell, witness: WitnessMaps
) -> list[MapPanel]:
    """The maps of the witness, and the difference of two that should be equal."""
    axiom = AXIOMS[cell.axiom]
    of = f"{table.titles[cell.method]}, {network_name(model)}"
    largest = max(float(np.abs(values).max()) for values in witness.maps)
    # A gradient is no share of a logit; regions one at a time do not share one out.
    is_gradient = cell.method == "gradient"
    complete = table.cell(cell.method, "completeness").holds and cell.axiom != "sensitivity_a"
    logits = () if is_gradient else (witness.output,)
    unit = "logits per unit of the input" if is_gradient else "logits"
    panels = [
        MapPanel(
            key=f"axioms.{number}",
            title=title,
            line=f"sum {signed(float(values.sum()))} {unit}",
            alt=_alt(f"{title}: {of}", values, largest),
            values=(values,),
            logits=logits,
            complete=complete,
        )
        for number, (title, values) in enumerate(zip(axiom.maps, witness.maps, strict=True))
    ]
    if axiom.asks_equal:
        panels.append(
            MapPanel(
                key="axioms.difference",
                title="Difference",
                line=f"violation {percent(cell.worst)}, allowed {percent(cell.tolerance)}",
                alt=_alt(f"Difference of the two: {of}", witness.difference, largest),
                minus=(panels[0].key, panels[1].key),
                logits=logits,
            )
        )
    return panels


def _alt(title: str, values: np.ndarray, largest: float) -> str:
    """What a screen reader says of a map; one of rounding errors is not described."""
    if float(np.abs(values).max()) <= 1e-3 * largest:
        return f"{title}: zero everywhere."
    return f"{title}. {map_description(light_blur(values))}"
