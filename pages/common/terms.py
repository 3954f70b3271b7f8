"""What the words mean: one sentence, formula, source."""

from __future__ import annotations

import streamlit as st

from pages.common.term import FULL_SOURCE, IG_SOURCE, X_SOURCE, Term
from pages.common.training_terms import TRAINING_TERMS

TERMS = TRAINING_TERMS | {
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
        X_SOURCE + ", Equation 4",
    ),
    "integrated_gradients": Term(
        "Integrated Gradients",
        "The slope averaged along the straight path from the baseline to the image, times how "
        "far each pixel moves. The values sum to F(x) − F(x′).",
        r"\mathrm{IG}_i = (x_i-x'_i)\int_0^1 "
        r"\frac{\partial F(x'+t(x-x'))}{\partial x_i}\,dt",
        IG_SOURCE + ", Equation 1",
    ),
    "difference": Term(
        "Difference",
        "The single-gradient attribution minus Integrated Gradients, on the same colour scale.",
        r"\Delta_i = x_i\,\frac{\partial F(x)}{\partial x_i} - \mathrm{IG}_i",
        X_SOURCE + ", Section 4.1",
    ),
    "gradient_calls": Term(
        "Gradient calls",
        "How often the network was run forwards and backwards.",
        r"n",
        IG_SOURCE + ", Section 5",
    ),
    "completeness_gap": Term(
        "Completeness gap",
        "How far the sum of all values is from the change of the logit. It is no measure of "
        "convergence: errors of opposite sign cancel in the sum.",
        r"\frac{\left|\sum_i A_i-(F(x)-F(x'))\right|}{\left|F(x)-F(x')\right|}",
        IG_SOURCE + ", Completeness",
    ),
    "distance": Term(
        "Distance to IG",
        "Sum of absolute differences to Integrated Gradients, relative to its size.",
        r"\frac{\lVert A-\mathrm{IG}\rVert_1}{\lVert \mathrm{IG}\rVert_1}",
        "its mean over images stands in for the mean absolute relative difference (MARD) of "
        + X_SOURCE
        + ", Equation 14, which averages |A − IG|/|IG| element by element",
    ),
    "estimated_error": Term(
        "Estimated error",
        "How far the rule is from the same rule with half of its points: what a further doubling "
        "might still change. It needs no further gradient.",
        r"\frac{\lVert I_n-I_{n/2}\rVert_1}{\lVert I_n\rVert_1}",
        "the usual estimate of numerical integration",
    ),
    "ledger": Term(
        "From 0 to the logit",
        "What pixels and the biases of every layer put into the logit, from one gradient; in "
        "networks of ReLU, maxima and linear layers it adds up exactly. The shift of a batch "
        "normalisation is a bias. What no layer explains has a bar of its own. F(0) is the logit "
        "of the mean image: what the network says before it sees anything.",
        r"F(x)=\sum_i x_i\frac{\partial F}{\partial x_i}"
        r"+\sum_l\sum_j b_{lj}\frac{\partial F}{\partial b_{lj}}",
        FULL_SOURCE,
    ),
    "biases": Term(
        "Biases",
        "Each bias times the slope of the logit at every position of its layer, summed over "
        "channels and layers. A position stands for its part of the image, over which its value "
        "is spread evenly. Fully connected layers have no positions and are not on the map.",
        r"\sum_l\sum_c b_{lc}\,\frac{\partial F}{\partial z_{lc}}",
        FULL_SOURCE,
    ),
    "bias_part": Term(
        "Bias part",
        "The part of the logit that biases hold; pixels hold the rest. Signed: where pixels speak "
        "against the class, it is more than 100 %.",
        r"\frac{\sum_l\sum_j b_{lj}\,\partial F/\partial b_{lj}}{F(x)}"
        r"=1-\frac{\sum_i x_i\,\partial F/\partial x_i}{F(x)}",
        FULL_SOURCE,
    ),
    "half_distance": Term(
        "Half distance",
        "How far the attribution moves if its gradient is taken at half the contrast: two gradient "
        "calls, and close to its distance to Integrated Gradients.",
        r"\frac{\lVert x\odot\nabla F(x/2)-x\odot\nabla F(x)\rVert_1}"
        r"{\lVert x\odot\nabla F(x/2)\rVert_1}",
        "design choice of this app",
    ),
    "masking": Term(
        "KPM, KNM, KAM, RAM",
        "Keep positive, negative, absolute mask and remove absolute mask: pixels are kept (or "
        "removed) in the order of the attribution, the rest is heavily blurred, and the network "
        "is asked again. KPM and KNM score the target logit, KAM and RAM top-1 accuracy in per "
        "cent. Shown is the area under the curve over the kept share of pixels.",
        r"\int_0^1 s(f)\,df",
        X_SOURCE + ", Section 4.2 and Table 3; Lundberg et al. 2020",
    ),
    "insertion_deletion": Term(
        "Insertion, deletion",
        "The target's confidence while pixels appear on the blurred image, or go to the mean "
        "image, the most important first.",
        r"\int_0^1 p_c(f)\,df",
        "Petsiuk et al. 2018, *RISE*",
    ),
    "bootstrap": Term(
        "± interval",
        "Half of the 95 % bootstrap interval of the mean over images.",
        r"\tfrac12\,(q_{97.5}-q_{2.5})",
        "Efron 1979",
    ),
    "training_step": Term(
        "Training step",
        "Loss, penalty on the attributions of the labels, and the gradient of their sum by all "
        "parameters. The penalty is the negative Gini coefficient. Ratios are to the step without "
        "a prior on the same network, and to the step with X-Gradient, which is trained on the "
        "network without its biases.",
        r"\nabla_\theta\left(\mathcal{L}+\lambda\,\Omega(A)\right)",
        X_SOURCE + ", Section B.3",
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
        IG_SOURCE + ", Section 2",
    ),
    "rule": Term(
        "Rule",
        "Which points of the path are taken. Gradients of a ReLU network jump along the path, "
        "which no rule of high order can follow; on AlexNet we measured 1/n for every rule. "
        "Graded puts more points near the baseline.",
        r"\int_0^1 g(t)\,dt \approx \sum_{i=1}^n w_i\,g(t_i)",
        IG_SOURCE + ", Section 5; graded: points (i/n)^1.5, a choice of this app",
    ),
    "scale": Term(
        "Colour scale",
        "Symmetric around zero, orange for, blue against the class; its ends are the 99th "
        "percentile of all |values| shown. Relative values are per cent of the target logit a "
        "pixel, which makes networks with different logits comparable.",
        r"v = P_{99}\,(|A|)",
        "design choice of this app",
    ),
    "contrast": Term(
        "Contrast",
        "The normalised image times α: 0 is the mean image, 1 the photograph. Where F(αx) = αF(x), "
        "contrast can change no prediction and no attribution but in size.",
        r"\alpha x,\quad \mathrm{IG}(\alpha x) = x\int_0^{\alpha} \nabla F(tx)\,dt",
        X_SOURCE + ", Figure 2",
    ),
    "fixed_target": Term(
        "Fixed target",
        "The class to explain is chosen at α = 1 and kept at every contrast.",
        r"c = \operatorname{argmax}_k F_k(x)",
        "design choice of this app",
    ),
    "similarity": Term(
        "Similarity to α = 1",
        "Cosine of the maps as vectors, and SSIM (structural similarity) of the maps as drawn, "
        "each on a scale of its own. 1 is the same map but for its size.",
        r"\cos(A,B)=\frac{\langle A,B\rangle}{\lVert A\rVert\,\lVert B\rVert}",
        "SSIM: Wang et al. 2004, *Image Quality Assessment*",
    ),
    "path_gradient": Term(
        "Slope along the path",
        "How fast the target logit rises along the straight path from the mean image (t = 0) to "
        "the photograph (t = 1). Its area is what Integrated Gradients shares out among pixels.",
        r"\int_0^1 \langle\nabla F(tx), x\rangle\,dt = F(x)-F(0)",
        IG_SOURCE + ", Proposition 1",
    ),
    "sensitivity_a": Term(
        "Sensitivity (a)",
        "If input and baseline differ in one feature only and F differs, that feature's "
        "attribution is not 0; it may be negative.",
        r"x_j = x'_j\ (j \ne i),\ F(x)\ne F(x')\ \Rightarrow\ A_i \ne 0",
        IG_SOURCE + ", Section 2.1",
    ),
    "sensitivity_b": Term(
        "Sensitivity (b)",
        "A feature that F does not depend on gets nothing.",
        r"\frac{\partial F}{\partial x_i}\equiv 0\ \Rightarrow\ A_i = 0",
        IG_SOURCE + ", Section 3, after Friedman 2004",
    ),
    "implementation_invariance": Term(
        "Implementation invariance",
        "Networks that compute the same function get the same attribution, however they are built.",
        r"F(x)=G(x)\ \text{for all}\ x\ \Rightarrow\ A^F = A^G",
        IG_SOURCE + ", Section 2.2",
    ),
    "completeness": Term(
        "Completeness",
        "The attributions share out the change of the output from the baseline to the input.",
        r"\textstyle\sum_i A_i = F(x)-F(x')",
        IG_SOURCE + ", Section 3",
    ),
    "linearity": Term(
        "Linearity",
        "The attribution of a weighted sum of networks is the weighted sum of their attributions.",
        r"A^{aF+bG} = a\,A^F + b\,A^G",
        IG_SOURCE + ", Section 3",
    ),
    "symmetry_preserving": Term(
        "Symmetry",
        "Two features that F cannot tell apart get the same where their values are the same.",
        r"F(x_i,x_j)=F(x_j,x_i),\ x_i=x_j,\ x'_i=x'_j\ \Rightarrow\ A_i=A_j",
        IG_SOURCE + ", Section 4",
    ),
    "homogeneity": Term(
        "Nonnegative homogeneity",
        "Scaling the input scales the attribution. It holds for every network only if F itself "
        "scales, F(αx) = αF(x).",
        r"A(\alpha x) = \alpha\,A(x),\quad \alpha \ge 0",
        "for F: " + X_SOURCE + ", Definition 3.3; for attributions: a design choice of this app",
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
