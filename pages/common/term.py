"""A word of the screen with its meaning, formula and source."""

from __future__ import annotations

from dataclasses import dataclass

IG_SOURCE = "Sundararajan et al. 2017, *Axiomatic Attribution for Deep Networks*"
EG_SOURCE = (
    "Erion et al. 2021, *Improving Performance of Deep Learning Models with Axiomatic "
    "Attribution Priors and Expected Gradients*"
)
X_SOURCE = "Hesse et al. 2021, *Fast Axiomatic Attribution for Neural Networks*"

FULL_SOURCE = (
    "Srinivas and Fleuret 2019, *Full-Gradient Representation for Neural Network Visualization*"
)


@dataclass(frozen=True)
class Term:
    """A word of the screen explained."""

    name: str
    meaning: str
    formula: str
    source: str
