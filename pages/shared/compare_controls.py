"""The controls of Compare; every one of them is in the address, so that a view is a link."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from pages.shared.networks import PAIRS
from pages.shared.style import Theme
from pages.shared.terms import explain

if TYPE_CHECKING:
    from xdnn_core.comparison import IntegrationSettings, Prediction
    from xdnn_core.panels import DisplaySettings

_HELP = "What is this?"
_RULE_TITLES = {
    "graded": "graded",
    "gauss_legendre": "Gauss–Legendre",
    "midpoint": "midpoint",
    "trapezoid": "trapezoid",
    "left": "left",
    "right": "right",
}
_BASELINE_TITLES = {
    "zero": "zero (mean image)",
    "blurred": "blurred photograph",
    "black": "black",
    "white": "white",
}


def choose_pair() -> str:
    """Draw the choice of networks; returns a key of PAIRS."""
    return st.selectbox(
        "Networks",
        list(PAIRS),
        format_func=lambda key: PAIRS[key].title,
        key="networks",
        bind="query-params",
        persist_state="session",
        width=250,
    )


def choose_class(classes: Sequence[str], predictions: Sequence[Sequence[Prediction]]) -> int:
    """Draw the choice of the class to explain, likely ones first; returns its index.

    Without a choice it is the regular network's own prediction.
    """
    confidence = {
        name: tuple(next(p.confidence for p in one if p.name == name) for one in predictions)
        for name in classes
    }
    ranked = sorted(classes, key=lambda name: -max(confidence[name]))
    first = predictions[0][0].name

    def label(name: str) -> str:
        shares = " · ".join(f"{share:.0%}" for share in confidence[name])
        return f"{name} ({shares})"

    chosen = st.selectbox(
        "Class to explain",
        ranked,
        index=None,
        format_func=label,
        placeholder=f"Predicted: {first}",
        key="class",
        bind="query-params",
        persist_state="session",
        help="Any class, by search; likely ones first, with the confidence of both networks. "
        "Empty: what AlexNet predicts.",
        width=250,
    )
    return list(classes).index(chosen or first)


def choose_integration() -> IntegrationSettings:
    """Draw rule, steps and baseline of Integrated Gradients."""
    from xdnn_core.attribution.quadrature import RULES
    from xdnn_core.comparison import BASELINES, IntegrationSettings

    with st.popover("Integration", icon=":material/function:"):
        steps = st.select_slider(
            "Gradient calls",
            [8, 16, 32, 64, 128, 256, 512],
            value=128,
            key="steps",
            bind="query-params",
            persist_state="session",
        )
        rule = st.selectbox(
            "Rule",
            sorted(RULES, key=list(_RULE_TITLES).index),
            format_func=_RULE_TITLES.__getitem__,
            key="rule",
            bind="query-params",
            persist_state="session",
        )
        baseline = st.selectbox(
            "Baseline",
            BASELINES,
            format_func=_BASELINE_TITLES.__getitem__,
            key="baseline",
            bind="query-params",
            persist_state="session",
        )
        explain("gradient_calls", "rule", "baseline", label=_HELP, key="explain_integration")
    return IntegrationSettings(rule, steps, baseline)


def choose_display(theme: Theme) -> DisplaySettings:
    """Draw how attributions are to be drawn."""
    from xdnn_core.panels import DisplaySettings

    # Required: a segmented control could otherwise be switched off altogether.
    options = {"bind": "query-params", "persist_state": "session", "required": True}
    with st.popover("Display", icon=":material/palette:"):
        picture = st.segmented_control(
            "Picture", ["heatmap", "overlay"], default="heatmap", key="picture", **options
        )
        unit = st.segmented_control(
            "Values", ["relative to logit", "raw"], default="relative to logit", key="values",
            **options,
        )  # fmt: skip
        scale = st.segmented_control(
            "Scale", ["shared", "per panel"], default="shared", key="scale", **options
        )
        if scale == "per panel":
            st.caption("Panels with scales of their own are not comparable.")
        blur = st.toggle(
            "Light blur", value=True, key="blur", bind="query-params", persist_state="session"
        )
        explain("scale", label=_HELP, key="explain_display")
    return DisplaySettings(
        on_image=picture == "overlay",
        shared=scale == "shared",
        relative=unit != "raw",
        blur=blur,
        theme=theme,
    )
