"""What the words of Prior training mean."""

from __future__ import annotations

from pages.common.term import EG_SOURCE, X_SOURCE, Term

TRAINING_TERMS = {
    "roc_auc": Term(
        "ROC-AUC",
        "How likely the network gives a random person with the outcome a higher score than one "
        "without it; ties count half. 0.5 is guessing. Validation rows choose, test rows are only "
        "reported; the band is the 95 % confidence interval of the mean over replicates.",
        r"P\left(F(x^+)>F(x^-)\right)+\tfrac12 P\left(F(x^+)=F(x^-)\right)",
        "Hanley and McNeil 1982",
    ),
    "strength": Term(
        "λ, weight of the penalty",
        "How much a sparse attribution counts against a good prediction. It may be changed while "
        "training: a vertical line shows from which epoch. Off is λ = 0: the penalty is measured, "
        "not trained with. With the Gini penalty, Ω is half of the one printed in the paper: λ "
        "here weighs as much as λ/2 there.",
        r"\mathcal{L} + \lambda\,\Omega(A)",
        EG_SOURCE + ", Equation 1",
    ),
    "penalty": Term(
        "Penalty Ω",
        "What training makes small besides the loss, not multiplied by λ. Either the negative "
        "Gini coefficient of the mean absolute attributions, which favours few features, or their "
        "mean, which favours small attributions. The paper prints −2G for the first; the authors' "
        "code, and this app, take −G, half of it.",
        r"\Omega = -G(a)\quad\text{or}\quad\Omega=\tfrac1d\textstyle\sum_j a_j,"
        r"\qquad a_j=\tfrac1n\sum_i|A_{ij}|",
        EG_SOURCE + ", Section 4.3",
    ),
    "training_loss": Term(
        "Training loss",
        "Cross-entropy on the training rows alone, without the penalty, mean over replicates.",
        r"\mathcal{L}=-\tfrac1n\textstyle\sum_i y_i\log p_i+(1-y_i)\log(1-p_i)",
        "standard",
    ),
    "gini": Term(
        "Gini of the attributions",
        "How unequally the features share the attribution: 0 if all have the same, towards 1 if "
        "few have it all. High is sparse.",
        r"G(a)=\frac{\sum_{i,j}|a_i-a_j|}{2\,d\sum_j a_j}",
        "Hurley and Rickard 2009; " + EG_SOURCE,
    ),
    "mean_attribution": Term(
        "Mean |attribution|",
        "How much a feature moves the logit, in absolute value, mean over training rows and "
        "replicates. The share is of the sum over all features.",
        r"a_j=\tfrac1n\textstyle\sum_i|A_{ij}|",
        EG_SOURCE + ", Section 4.3",
    ),
    "best_epoch": Term(
        "Best epoch",
        "Every replicate is scored at the epoch with its best validation ROC-AUC. Shown: mean "
        "over replicates, for test rows with half the width of its 95 % confidence interval. They "
        "stay hidden until you ask, so that λ is chosen without them; the validation ROC-AUC at "
        "its own best epoch is too high for that reason.",
        r"e^*=\arg\max_e \mathrm{AUC}_{\text{validation}}(e)",
        X_SOURCE + ", Section 4.3",
    ),
    "replicate": Term(
        "Replicate",
        "One random split with random initial weights: 100 rows to train, 100 to validate, the "
        "rest to test. All replicates train side by side, each from its own seed.",
        r"\text{seed}_r=\text{seed}+r",
        EG_SOURCE + ", Section 4.3",
    ),
    "references": Term(
        "References k",
        "Expected Gradients averages over k training rows as baselines, each at one random point "
        "of the path. More cost more and vary less.",
        r"\mathrm{EG}_i=\mathbb{E}_{x'\sim D,\,t\sim U(0,1)}\left[(x_i-x'_i)"
        r"\,\frac{\partial F(x'+t(x-x'))}{\partial x_i}\right]",
        EG_SOURCE + ", Equation 2",
    ),
}
