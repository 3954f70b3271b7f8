"""Table 2 of the paper: what removing biases costs, and what it brings.

    python -m xdnn_core table2 --data DIR --attributed 200

Accuracy over all images of regular and X networks, pair by pair, and over some of them how far the
single-gradient attribution is from Integrated Gradients (MARD), how much of the logit the biases
hold, and the half distance. A run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from xdnn_core.attribution.gradients import input_x_gradient
from xdnn_core.attribution.integrated import integrated_gradients
from xdnn_core.attribution.ledger import bias_attribution
from xdnn_core.device import full_float32
from xdnn_core.experiments.image_runs import OpenRun, spread_over
from xdnn_core.experiments.protocol import (
    STEPS,
    ImageExperiment,
    add_run_arguments,
    add_steps_argument,
)
from xdnn_core.experiments.table2_summary import Table2, describe, summarise
from xdnn_core.io import RESULTS
from xdnn_core.metrics.distance import half_distance
from xdnn_core.models.zoo import PretrainedModel

EMBEDDED_PAIR: Final = RESULTS / "table2-embedded.parquet"
_ATTRIBUTED: Final = 200  # images that are attributed by default


@full_float32()
def measure_batch(
    model: PretrainedModel,
    inputs: Tensor,
    labels: Tensor,
    attributed: Sequence[bool] | None = None,
    steps: int = STEPS,
) -> pd.DataFrame:
    """Measure one network on a batch of images.

    `inputs`: normalised images (B, 3, H, W). `labels`: their classes (B,), which are what is
    attributed. `attributed`: which of them to attribute, (B,); None for all. The others only
    count for accuracy. A row an image: network; rank of the label among the logits (0: predicted);
    l1_apart and l1_integrated, Σ|A − IG| and Σ|IG|; elements; bias_part; half_distance. The last
    five are missing where it was not attributed.
    """
    with torch.no_grad():
        logits = model.network(inputs)  # (B, K)
    rank = (logits > logits.gather(1, labels[:, None])).sum(dim=1)
    rows = pd.DataFrame({"network": model.name, "rank": rank.tolist()})
    chosen = np.flatnonzero(np.ones(len(rows)) if attributed is None else attributed)
    if len(chosen) == 0:
        return rows
    inputs, labels = inputs[chosen], labels[chosen]
    fast = input_x_gradient(model.network, inputs, labels).values
    exact = integrated_gradients(
        model.network, inputs, labels, steps=steps, rule="gauss_legendre"
    ).values
    measured = {
        "l1_apart": _l1(fast - exact).tolist(),
        "l1_integrated": _l1(exact).tolist(),
        "elements": exact[0].numel(),
        "bias_part": bias_attribution(model.network, inputs, labels).bias_part.tolist(),
        "half_distance": half_distance(model.network, inputs, labels).tolist(),
    }
    return rows.join(pd.DataFrame(measured, index=chosen))


def _l1(values: Tensor) -> Tensor:
    """Sum of absolute values an image, (B, C, H, W) -> (B,), float64."""
    return values.abs().double().sum(dim=(1, 2, 3))


def measure_block(
    run: OpenRun,
    block: Sequence[int],
    share: Callable[[float], None],
    attributed: int = _ATTRIBUTED,
    steps: int = STEPS,
) -> pd.DataFrame:
    """Measure all networks on a block of images; images that cannot be read have no rows."""
    chosen = [run.chosen[place] for place in spread_over(len(run.chosen), attributed)]

    def measure(model: PretrainedModel, inputs: Tensor, common: pd.DataFrame) -> pd.DataFrame:
        labels = torch.tensor(common["label"].to_list(), device=run.device)
        is_chosen = common["image"].isin(chosen).to_list()
        return common.join(measure_batch(model, inputs, labels, is_chosen, steps))

    return run.each_network(block, share, measure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``python -m xdnn_core table2``."""
    add_run_arguments(parser, "table2", batch=4)
    parser.add_argument(
        "--attributed", type=int, default=_ATTRIBUTED,
        help=f"images that attributions are compared on (default: {_ATTRIBUTED}, evenly over the "
        "set); accuracy is over all",
    )  # fmt: skip
    add_steps_argument(parser)


TABLE2: Final = ImageExperiment(
    "table2", Table2, measure_block, summarise, describe, settings=("steps", "attributed"),
    columns=("bias_part",),
)  # fmt: skip
load_table2, main = TABLE2.load, TABLE2.main
