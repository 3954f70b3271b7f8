"""The controls of Compare; every one of them is in the address, so that a view is a link."""

from __future__ import annotations

import streamlit as st

from pages.common.address import choice, switch
from pages.common.choices import choose
from pages.common.terms import explain
from pages.common.theme import Theme
from xdnn_core.attribution.quadrature import RULES
from xdnn_core.experiments.comparison import BASELINES, IntegrationSettings
from xdnn_core.figures.panels import DisplaySettings

_CALLS, _ERROR = "gradient calls", "estimated error"
_TOLERANCES = {"5 %": 0.05, "2.5 %": 0.025, "1 %": 0.01}


def choose_integration() -> IntegrationSettings:
    """Draw rule, steps and baseline of Integrated Gradients."""
    with st.popover("Integration", icon=":material/function:"):
        tolerance = None
        if choose("until", "Stop at", [_CALLS, _ERROR]) == _ERROR:
            chosen = choose("tolerance", "Estimated error", list(_TOLERANCES), default="2.5 %")
            tolerance = _TOLERANCES[chosen]
            steps = st.select_slider(
                "Gradient calls at most", value=512, **choice("cap", [32, 64, 128, 256, 512, 1024])
            )
        else:
            steps = st.select_slider(
                "Gradient calls", value=128, **choice("steps", [8, 16, 32, 64, 128, 256, 512])
            )
        rules = sorted(RULES, key=lambda rule: rule != IntegrationSettings.rule)
        rule = st.selectbox("Rule", **choice("rule", rules))
        baseline = st.selectbox("Baseline", **choice("baseline", BASELINES))
        explain(
            "gradient_calls", "estimated_error", "rule", "baseline",
            label="What is this?", key="explain_integration",
        )  # fmt: skip
    return IntegrationSettings(rule, steps, baseline, tolerance)


def choose_display(theme: Theme) -> DisplaySettings:
    """Draw how attributions are to be drawn."""
    with st.popover("Display", icon=":material/palette:"):
        picture = choose("picture", "Picture", ["heatmap", "overlay"])
        unit = choose("values", "Values", ["relative to logit", "raw"])
        scale = choose("scale", "Scale", ["shared", "per panel"])
        if scale == "per panel":
            st.caption("Panels with scales of their own are not comparable.")
        blur = st.toggle("Light blur", value=True, **switch("blur"))
        explain("scale", label="What is this?", key="explain_display")
    return DisplaySettings(
        on_image=picture == "overlay",
        shared=scale == "shared",
        relative=unit != "raw",
        blur=blur,
        theme=theme,
    )
