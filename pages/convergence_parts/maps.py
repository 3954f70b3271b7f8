"""The maps of Convergence on the canvas: Integrated Gradients from more and more gradients."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.common.maps_canvas import MapPanel, MapsScene, draw_canvas
from pages.common.maps_view import MapsView, current_view
from pages.common.theme import current_theme
from pages.common.view import View
from pages.convergence_parts.sentences import default_curve
from xdnn_core.experiments.convergence_result import Convergence
from xdnn_core.figures.description import map_description
from xdnn_core.figures.panels import network_name
from xdnn_core.figures.rendering import light_blur
from xdnn_core.models.zoo import PretrainedModel
from xdnn_core.text import percent

_KEY = "convergence_maps"  # of the canvas, in the session


@st.fragment
def draw_maps(view: View, target: int, measured: Sequence[Convergence]) -> None:
    """Draw the canvas; a fragment, so that its controls run nothing else of the page again."""
    panels = [
        MapPanel(
            "photo", "Photograph", line=view.photo.title, photo=True,
            alt=f"{view.photo.title}, as the networks see it",
        )
    ]  # fmt: skip
    for model, convergence in zip(view.models, measured, strict=True):
        panels += _network_panels(model, convergence)
    scene = MapsScene(
        subject=" ".join([view.photo.digest, *(model.name for model in view.models)]),
        classes=(view.classes[target],),
        panels=tuple(panels),
        photo=view.image,
        fillings={},
        columns=1 + len(default_curve(measured[0]).maps),
        beside=True,
    )
    height, width = view.image.shape[:2]
    settings = current_view(_KEY, MapsView(), [], (height, width), scene.subject)
    draw_canvas(_KEY, scene, settings, current_theme())


def _network_panels(model: PretrainedModel, convergence: Convergence) -> list[MapPanel]:
    """One network's maps by the number of gradients they are made of."""
    curve, name = default_curve(convergence), network_name(model)
    errors = dict(zip(curve.counts, curve.errors, strict=True))
    panels = []
    for calls, values in sorted(curve.maps.items()):
        title = f"{calls} gradient{'s' if calls > 1 else ''}"
        pixels = values.double().numpy()
        panels.append(
            MapPanel(
                key=f"{model.name}.{calls}",
                title=title,
                network=name,
                line=f"error {percent(errors[calls])}",
                alt=f"Integrated Gradients of {name} from {title}. "
                f"{map_description(light_blur(pixels))}",
                values=(pixels,),
                logits=(convergence.output_at_one,),
                complete=True,
            )
        )
    return panels
