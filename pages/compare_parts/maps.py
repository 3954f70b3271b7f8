"""The maps of Compare on the canvas, and what the networks say when a region is erased."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st
import torch
from torch import Tensor

from pages.common.jobs import Job, Part
from pages.common.maps_canvas import MapPanel, MapsScene, draw_canvas, question, region_of
from pages.common.maps_view import MapsView, current_view
from pages.common.progress import Progress
from pages.common.terms import explain
from pages.common.theme import current_theme
from pages.common.view import View
from pages.compare_parts.downloads import draw_downloads
from xdnn_core.experiments.comparison import Comparison, IntegrationSettings
from xdnn_core.figures.description import map_description
from xdnn_core.figures.panels import METHOD_TITLES, attribution_facts, network_name
from xdnn_core.figures.rendering import channel_sum, light_blur
from xdnn_core.metrics.erasing import erased_change, fill
from xdnn_core.metrics.masking import CONFIDENCE_CURVES, masking_curve
from xdnn_core.models.zoo import PretrainedModel
from xdnn_core.text import duration, percent, signed

_KEY = "compare_maps"  # of the canvas, in the session
_TERMS = ("scale", "input_x_gradient", "x_gradient", "integrated_gradients", "difference",
          "biases", "completeness_gap", "distance", "confidence")  # fmt: skip


@st.fragment
def draw_maps(
    view: View,
    targets: Sequence[int],
    integration: IntegrationSettings,
    compared: Sequence[Sequence[Comparison]],
) -> None:
    """Draw the canvas; `compared`: of every class the comparisons of both networks.

    A fragment, so that what the canvas asks runs nothing else of the page again.
    """
    panels = _panels(view, targets, compared)
    orders = [panel.key for panel in panels if panel.ranks]
    height, width = view.image.shape[:2]
    settings = current_view(_KEY, MapsView(), orders, (height, width), _subject(view))
    answers = _answers(view, targets, compared[0])
    scene = MapsScene(
        subject=_subject(view),
        classes=tuple(view.classes[target] for target in targets),
        panels=tuple(panels),
        photo=view.image,
        fillings={
            name: view.models[0].to_display(fill(view.inputs, name)[0]) for name in ("blur", "mean")
        },
        **answers,
    )
    theme = current_theme()
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        explain(*_TERMS, label="What do the maps show?", key="explain_scale")
        draw_downloads(view, targets, integration, compared[0], scene, settings, theme)
    draw_canvas(_KEY, scene, settings, theme)


def _subject(view: View) -> str:
    return " ".join([view.photo.digest, *(model.name for model in view.models)])


def _panels(
    view: View, targets: Sequence[int], compared: Sequence[Sequence[Comparison]]
) -> list[MapPanel]:
    """The photograph, three maps a network, and the regular network's biases."""
    note = view.models[0].preprocessing.seen_of(view.photo.image)
    panels = [MapPanel("photo", "Photograph", line=note or view.photo.title, photo=True,
                       alt=f"{view.photo.title}, as the networks see it")]  # fmt: skip
    for model, *comparisons in zip(view.models, *compared, strict=True):
        panels += _network_panels(model, comparisons, view.classes[targets[0]])
        if not model.is_xdnn:
            panels.append(_biases_panel(model, comparisons))
    return panels


def _network_panels(
    model: PretrainedModel, comparisons: Sequence[Comparison], class_name: str
) -> list[MapPanel]:
    """Single gradient, Integrated Gradients and their difference."""
    name, first = network_name(model), comparisons[0]
    logits = tuple(comparison.target_logit for comparison in comparisons)
    single, integrated = (
        _attribution_panel(model, method, comparisons, class_name)
        for method in ("fast", "integrated")
    )
    difference = MapPanel(
        key=f"{model.name}.difference",
        title="Difference",
        network=name,
        line=f"{percent(first.distance)} of Integrated Gradients",
        facts=(f"Distance to IG: {percent(first.distance)}",),
        alt=_alt("Difference", name, class_name, channel_sum(first.difference[0]), first),
        minus=(single.key, integrated.key),
        logits=logits,
    )
    return [single, integrated, difference]


def _attribution_panel(
    model: PretrainedModel, which: str, comparisons: Sequence[Comparison], class_name: str
) -> MapPanel:
    attributions = [getattr(comparison, which) for comparison in comparisons]
    first = attributions[0]
    name, title = network_name(model), METHOD_TITLES[first.method]
    facts = attribution_facts(first)
    calls = f"{first.gradient_calls} gradient{'s' if first.gradient_calls > 1 else ''}"
    values = tuple(channel_sum(attribution.values[0]) for attribution in attributions)
    return MapPanel(
        key=f"{model.name}.{first.method}",
        title=title,
        network=name,
        line=f"{calls} · {duration(first.seconds)} · gap {facts['Completeness gap']}",
        facts=tuple(f"{label}: {fact}" for label, fact in facts.items()),
        alt=_alt(title, name, class_name, values[0], comparisons[0]),
        values=values,
        logits=tuple(comparison.target_logit for comparison in comparisons),
        complete=which == "integrated" or model.is_xdnn,
        ranks=True,
    )


def _biases_panel(model: PretrainedModel, comparisons: Sequence[Comparison]) -> MapPanel:
    size = model.preprocessing.size
    maps = tuple(
        comparison.ledger.biases_map((size, size))[0].cpu().numpy() for comparison in comparisons
    )
    ledger, sum_ = comparisons[0].ledger, float(maps[0].sum())
    facts = {
        "Sum of the map": sum_,
        "Layers without a map": float(ledger.biases[0]) - sum_,
        "Pixels": float(ledger.pixels[0]),
        "Together, the logit": float(ledger.outputs[0]),
    }
    return MapPanel(
        key=f"{model.name}.biases",
        title="Biases",
        network=network_name(model),
        line=f"sum {signed(sum_)} of {signed(facts['Together, the logit'])} logits",
        facts=tuple(f"{label}: {signed(value)}" for label, value in facts.items()),
        alt=f"Map of the biases of {network_name(model)}. {map_description(maps[0])}",
        values=maps,
        logits=tuple(comparison.target_logit for comparison in comparisons),
    )


def _alt(
    title: str, network: str, class_name: str, values: np.ndarray, comparison: Comparison
) -> str:
    """What a screen reader says of a map."""
    text = f"{title} of {network} for {class_name}"
    largest = max(
        float(np.abs(channel_sum(each.values[0])).max())
        for each in (comparison.fast, comparison.integrated)
    )
    if float(np.abs(values).max()) <= 1e-3 * largest:
        return f"{text}: zero everywhere."
    return f"{text}. {map_description(light_blur(values))}"


# ---- what only the networks can say


def _answers(view: View, targets: Sequence[int], compared: Sequence[Comparison]) -> dict[str, Any]:
    """What was asked for this photograph: computed now, or kept from before."""
    asked, subject = question(_KEY), _subject(view)
    key = ("maps_answers", subject, tuple(targets))
    if st.session_state.get("maps_answers", (None, {}))[0] != key:
        st.session_state["maps_answers"] = key, {}
    answers: dict[str, Any] = st.session_state["maps_answers"][1]
    if asked and asked.get("subject") == subject:
        if asked["what"] == "erase":
            answers["erased"] = _erase(view, targets, compared, asked)
        elif asked["what"] == "curves":
            answers["curves"] = _measure_curves(view, targets[0], compared)
    return answers


def _erase(
    view: View, targets: Sequence[int], compared: Sequence[Comparison], asked: Mapping[str, Any]
) -> dict[str, Any]:
    """Ask the networks without the region: one forward pass of two images each."""
    filling = "mean" if asked.get("fill") == "mean" else "blur"
    region = region_of(asked.get("runs"), view.image.shape[:2])
    on = torch.from_numpy(region)

    def compute(model: PretrainedModel) -> Tensor:
        return erased_change(model.network, _inputs(model, view), targets, on, filling)

    key = ("erased", view.photo.digest, tuple(targets), filling, region.tobytes())
    changes = _computed(view, key, compute, 1, "Asking the networks again")
    return {
        "runs": asked.get("runs"),
        "fill": filling,
        "networks": [
            {
                "name": network_name(model),
                "measured": change.tolist(),
                "keys": [f"{model.name}.{one.method}" for one in (each.fast, each.integrated)],
            }
            for model, each, change in zip(view.models, compared, changes, strict=True)
        ],
    }


def _measure_curves(view: View, target: int, compared: Sequence[Comparison]) -> dict[str, Any]:
    """Confidence as pixels are kept or removed, 16 shares, by each method's order and at random."""
    by_model = dict(zip((model.name for model in view.models), compared, strict=True))

    def compute(model: PretrainedModel) -> dict[str, list[dict[str, Any]]]:
        comparison = by_model[model.name]
        x = _inputs(model, view)
        noise = torch.rand(x.shape, generator=torch.Generator().manual_seed(0)).to(x)
        orders = {
            "single": (METHOD_TITLES[comparison.fast.method], comparison.fast.values),
            "integrated": (METHOD_TITLES["integrated_gradients"], comparison.integrated.values),
            "random": ("Random order", noise[:, :1].expand_as(x)),
        }
        classes = torch.tensor([target], device=x.device)
        return {
            which: [
                {
                    "kind": kind,
                    "title": title,
                    "values": masking_curve(model.network, x, classes, values, metric)[0].tolist(),
                }
                for kind, (title, values) in orders.items()
            ]
            for which, metric in CONFIDENCE_CURVES.items()
        }

    settings = [(each.integrated.steps, each.integrated.gradient_calls) for each in compared]
    key = ("curves", view.photo.digest, target, tuple(settings))
    lines = _computed(view, key, compute, 32, "Measuring along the order of the pixels")
    return {
        "fractions": CONFIDENCE_CURVES["keep"].fractions,
        "class": view.classes[target],
        "networks": [
            {"name": network_name(model), **each}
            for model, each in zip(view.models, lines, strict=True)
        ],
    }


def _inputs(model: PretrainedModel, view: View) -> Tensor:
    return view.inputs.to(next(model.network.parameters()))


def _computed(
    view: View, key: tuple[Any, ...], compute: Any, evaluations: int, label: str
) -> list[Any]:
    """One value a network, in turn with all other heavy work."""

    def part(model: PretrainedModel) -> Part:
        def run(progress: Progress) -> Any:
            value = compute(model)
            progress(1, 1)
            return value

        return Part((*key, model.name), run, evaluations)

    return Job(key, tuple(part(model) for model in view.models)).compute(label)
