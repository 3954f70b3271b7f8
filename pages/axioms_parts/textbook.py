"""The textbook's counter-example, 1 − ReLU(1 − x) at x = 2, to be drawn."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from xdnn_core.axioms.functions import FEATURES, draws, step_network
from xdnn_core.axioms.perceptrons import AXIOM_METHODS

_TRIALS = 32  # of methods that draw


@dataclass(frozen=True)
class StepExample:
    """F(x) = 1 − ReLU(1 − x) from the baseline to x, and what a method makes of it."""

    xs: tuple[float, ...]  # graph of F
    ys: tuple[float, ...]
    baseline: float  # where the attribution starts and ends
    x: float
    at_baseline: float  # F there
    at_x: float
    attribution: float  # what the method attributes; of several draws the smallest


def step_example(method: str) -> StepExample:
    """Attribute the textbook's function (Sundararajan et al. 2017, Section 2.1)."""
    network = step_network()
    start = torch.zeros(1, FEATURES, dtype=torch.float64)
    x = start[0].clone()
    x[0] = 2.0
    attributions = [
        float(AXIOM_METHODS[method].attribute(network, x, start, rng)[0])
        for rng in draws(0, _TRIALS)
    ]
    graph = torch.zeros(8, FEATURES, dtype=torch.float64)
    graph[:, 0] = torch.linspace(-0.5, 3.0, 8, dtype=torch.float64)
    return StepExample(
        xs=tuple(graph[:, 0].tolist()),
        ys=tuple(network(graph)[:, 0].tolist()),
        baseline=0.0,
        x=2.0,
        at_baseline=float(network(start)),
        at_x=float(network(x[None])),
        attribution=min(attributions, key=abs),
    )
