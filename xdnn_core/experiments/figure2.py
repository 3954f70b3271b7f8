"""Figure 2 of the paper, left: top-1 accuracy against the contrast of the images.

    python -m xdnn_core figure2 --data DIR

Contrast α multiplies the normalised image. A network with F(αx) = αF(x) predicts the same class at
every α > 0; one with biases does not. Every prediction is a forward pass of its own. In float32
such a pass rounds the logits by about 2e-6 of the largest, so a prediction could only flip where
the two largest lie closer together than that; images whose prediction changes are counted. A run
that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd
import torch
from torch import Tensor, nn

from xdnn_core.device import full_float32
from xdnn_core.experiments.image_runs import ImageRun, OpenRun, counted
from xdnn_core.experiments.protocol import ImageExperiment, add_run_arguments
from xdnn_core.experiments.provenance import Provenance
from xdnn_core.models.zoo import PretrainedModel

ALPHAS: Final = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05)


@dataclass(frozen=True)
class AccuracyCurve:
    """One network's accuracy against contrast."""

    # network, is_xdnn: name, and whether F(αx) = αF(x)
    network: str
    is_xdnn: bool
    # share of images whose label is predicted, 0 to 1, one an α of the figure
    top1: tuple[float, ...]
    changed: int  # images whose prediction at some α is another than at α = 1


@dataclass(frozen=True)
class Figure2:
    """Accuracy against contrast, both networks."""

    alphas: tuple[float, ...]  # contrasts, falling from 1
    curves: tuple[AccuracyCurve, ...]  # one a network
    unreadable: tuple[str, ...]  # names of the images that could not be decoded and do not count
    provenance: Provenance  # how it was made, and over how many images


def predictions_at(network: nn.Module, inputs: Tensor, alphas: Sequence[float]) -> Tensor:
    """Predict the class of every image at every contrast.

    `network`: maps (B, C, H, W) to logits (B, K); in evaluation mode. `inputs`: x, normalised
    images, (B, C, H, W). Returns class with the largest logit at αx, (A, B).
    """
    with torch.no_grad():
        return torch.stack([network(alpha * inputs).argmax(dim=1) for alpha in alphas])


@full_float32()
def predict_block(
    run: OpenRun, block: Sequence[int], share: Callable[[float], None]
) -> pd.DataFrame:
    """Predict one block of images, a row for every image, network and contrast.

    Columns: image, name, label, network, alpha, predicted. Images that cannot be read have no row.
    """

    def predict(model: PretrainedModel, inputs: Tensor, common: pd.DataFrame) -> pd.DataFrame:
        predicted = predictions_at(model.network, inputs, ALPHAS).tolist()  # A lists of B classes
        parts = [
            common.assign(network=model.name, alpha=alpha, predicted=row)
            for alpha, row in zip(ALPHAS, predicted, strict=True)
        ]
        return pd.concat(parts)

    return run.each_network(block, share, predict)


def summarise(run: ImageRun) -> Figure2:
    """Reduce predictions to the figure."""
    curves = []
    for model in run.models:
        own = run.rows[run.rows["network"] == model.name]
        hits = (own["predicted"] == own["label"]).groupby(own["alpha"]).mean()
        table = own.pivot(index="image", columns="alpha", values="predicted")
        changed = table.ne(table[1.0], axis=0).any(axis=1)
        top1 = tuple(float(hits[alpha]) for alpha in ALPHAS)
        curves.append(AccuracyCurve(model.name, model.is_xdnn, top1, int(changed.sum())))
    return Figure2(ALPHAS, tuple(curves), run.unreadable, run.provenance)


def describe(figure: Figure2) -> str:
    """The figure as a table in plain text."""
    lines = [
        counted(figure.provenance, figure.unreadable),
        "",
        "contrast α          " + "".join(f"{alpha:>7g}" for alpha in figure.alphas),
    ]
    for curve in figure.curves:
        shares = "".join(f"{100 * share:>7.2f}" for share in curve.top1)
        lines.append(f"{curve.network:<20}{shares}  top-1, %")
    lines.append("")
    lines += [
        f"{curve.network}: {curve.changed} images change their prediction with the contrast"
        for curve in figure.curves
    ]
    return "\n".join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``python -m xdnn_core figure2``."""
    add_run_arguments(parser, "figure2", batch=32)


FIGURE2: Final = ImageExperiment(
    "figure2", Figure2, predict_block, summarise, describe, constants={"alphas": ALPHAS}
)
load_figure2, main = FIGURE2.load, FIGURE2.main
