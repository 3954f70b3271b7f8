"""What the words mean: one sentence, formula, source."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

_IG_SOURCE = "Sundararajan et al. 2017, *Axiomatic Attribution for Deep Networks*"
_X_SOURCE = "Hesse et al. 2021, *Fast Axiomatic Attribution for Neural Networks*"


@dataclass(frozen=True)
class Term:
    """A word of the screen explained."""

    name: str
    meaning: str
    formula: str
    source: str


TERMS = {
    "input_x_gradient": Term(
        "Input×Gradient",
        "Each pixel times the slope of the target logit at the image. One gradient; it misses "
        "what the network does on the way from the baseline to the image.",
        r"\mathrm{I{\times}G}_i = x_i \,\frac{\partial F(x)}{\partial x_i}",
        "Shrikumar et al. 2016, *Not Just a Black Box*",
    ),
    "x_gradient": Term(
        "X-Gradient",
        "The same formula on a network without biases. There the slope is constant along the "
        "path, so one gradient is exact Integrated Gradients with the zero baseline.",
        r"F(\alpha x)=\alpha F(x)\ \Rightarrow\ "
        r"\mathrm{IG}_i(x) = x_i \,\frac{\partial F(x)}{\partial x_i}",
        _X_SOURCE + ", Equation 5",
    ),
    "integrated_gradients": Term(
        "Integrated Gradients",
        "The slope averaged along the straight path from the baseline to the image, times how "
        "far each pixel moves. The values sum to F(x) − F(x′).",
        r"\mathrm{IG}_i = (x_i-x'_i)\int_0^1 "
        r"\frac{\partial F(x'+t(x-x'))}{\partial x_i}\,dt",
        _IG_SOURCE + ", Equation 1",
    ),
    "difference": Term(
        "Difference",
        "The single-gradient attribution minus Integrated Gradients, on the same colour scale.",
        r"\Delta_i = x_i\,\frac{\partial F(x)}{\partial x_i} - \mathrm{IG}_i",
        _X_SOURCE + ", Section 4.1",
    ),
    "gradient_calls": Term(
        "Gradient calls",
        "How often the network was run forwards and backwards.",
        r"n",
        _IG_SOURCE + ", Section 5",
    ),
    "completeness_gap": Term(
        "Completeness gap",
        "How far the sum of all values is from the change of the logit. It is no measure of "
        "convergence: errors of opposite sign cancel in the sum.",
        r"\frac{\left|\sum_i A_i-(F(x)-F(x'))\right|}{\left|F(x)-F(x')\right|}",
        _IG_SOURCE + ", Completeness",
    ),
    "distance": Term(
        "Distance to IG",
        "Sum of absolute differences to Integrated Gradients, relative to its size.",
        r"\frac{\lVert A-\mathrm{IG}\rVert_1}{\lVert \mathrm{IG}\rVert_1}",
        _X_SOURCE + ", Section 4.1 (mean absolute relative difference), image by image",
    ),
    "estimated_error": Term(
        "Estimated error",
        "How far the rule is from the same rule with half of its points: what a further doubling "
        "might still change. It needs no further gradient.",
        r"\frac{\lVert I_n-I_{n/2}\rVert_1}{\lVert I_n\rVert_1}",
        "the usual estimate of numerical integration",
    ),
    "bias_share": Term(
        "Share of the biases",
        "How much of the logit's first-order make-up goes through biases instead of pixels.",
        r"\frac{\sum|b\,\partial F/\partial b|}"
        r"{\sum|b\,\partial F/\partial b|+\sum|x\,\partial F/\partial x|}",
        "follows from F(x) = Σ x·∂F/∂x + Σ b·∂F/∂b, which holds for ReLU networks",
    ),
    "captum": Term(
        "Agrees with Captum",
        "Largest difference to the same attribution by the Captum library, same rule and steps, "
        "both in float64, relative to the largest value. Computed when you ask for it.",
        r"\frac{\max_i|A_i-C_i|}{\max_i|C_i|}",
        "Kokhlikyan et al. 2020, *Captum*",
    ),
    "confidence": Term(
        "Confidence",
        "Softmax of the logits. Attributions explain the logit F, not the confidence.",
        r"\frac{e^{F_c(x)}}{\sum_k e^{F_k(x)}}",
        "standard",
    ),
    "baseline": Term(
        "Baseline",
        "Where the path begins. Zero is the mean image, since inputs are normalised; X-Gradient "
        "is exact for this one only.",
        r"x'",
        _IG_SOURCE + ", Section 2",
    ),
    "rule": Term(
        "Rule",
        "Which points of the path are taken. Gradients of a ReLU network jump along the path, so "
        "every rule converges like 1/n; graded puts more points near the baseline, where they "
        "jump most.",
        r"\int_0^1 g(t)\,dt \approx \sum_{i=1}^n w_i\,g(t_i)",
        _IG_SOURCE + ", Section 5; graded: cell edges (i/n)^1.5",
    ),
    "scale": Term(
        "Colour scale",
        "Symmetric around zero, orange for, blue against the class; its ends are the 99th "
        "percentile of all |values| shown. Relative values are per cent of the target logit a "
        "pixel, which makes networks with different logits comparable.",
        r"v = P_{99}\,(|A|)",
        "design choice of this app",
    ),
}

_HELP = "What is this?"


def explain(*names: str, label: str, key: str) -> None:
    """Draw a popover that explains terms; its label is what stands on the page."""
    with st.popover(label, icon=":material/help:", type="tertiary", key=key, help=_HELP):
        for name in names:
            term = TERMS[name]
            st.markdown(f"**{term.name}.** {term.meaning}")
            st.latex(term.formula)
            st.caption(term.source)
