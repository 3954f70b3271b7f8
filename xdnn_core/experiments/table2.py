"""Table 2 of the paper: what removing biases costs, and what it brings.

    python -m xdnn_core table2 --data DIR --limit 200

Accuracy of the regular and the X network, and how far the single-gradient attribution is from
Integrated Gradients (MARD), with the two diagnostics of how much biases carry. A run that was
stopped goes on where it was.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import pandas as pd
import torch
from torch import Tensor

from xdnn_core.assets import RESULTS
from xdnn_core.attribution.gradients import input_x_gradient
from xdnn_core.attribution.integrated import integrated_gradients
from xdnn_core.attribution.ledger import bias_attribution
from xdnn_core.device import full_float32
from xdnn_core.experiments.image_runs import (
    STEPS,
    ImageRun,
    OpenRun,
    add_run_arguments,
    add_steps_argument,
    check_steps,
    counted,
    run_over_images,
)
from xdnn_core.experiments.provenance import Provenance, load_result, save_result
from xdnn_core.metrics.agreement import half_distance
from xdnn_core.models.zoo import PretrainedModel

STORED: Final = RESULTS / "table2.parquet"
_AUTHORS_BATCH: Final = 2
_AUTHORS_FLOOR: Final = 1e-7  # added to the mean |IG| of a batch by the authors' code


@dataclass(frozen=True)
class BiasCost:
    """One network's row.

    Attributes
    ----------
    network, is_xdnn
        Name, and whether F(αx) = αF(x).
    top1, top5
        Shares of images, 0 to 1.
    mard
        Mean over images of ‖A − IG‖₁/‖IG‖₁, A the single-gradient attribution; relative.
    mard_of_batches
        The authors' definition: mean over batches of two images of mean|A − IG| / mean|IG|.
    bias_part, bias_part_low, bias_part_high
        Signed part of the logit that biases hold (see `Ledger.bias_part`): median over images, and
        lower and upper quartile.
    half_distance
        Mean over images (see `metrics.agreement.half_distance`).
    """

    network: str
    is_xdnn: bool
    top1: float
    top5: float
    mard: float
    mard_of_batches: float
    bias_part: float
    bias_part_low: float
    bias_part_high: float
    half_distance: float


@dataclass(frozen=True)
class Table2:
    """Both networks.

    Attributes
    ----------
    networks
        One row a network.
    unreadable
        Names of the images that could not be decoded and do not count.
    provenance
        How it was made, and over how many images.
    """

    networks: tuple[BiasCost, ...]
    unreadable: tuple[str, ...]
    provenance: Provenance


@full_float32()
def measure_batch(
    model: PretrainedModel, inputs: Tensor, labels: Tensor, steps: int = STEPS
) -> pd.DataFrame:
    """Measure one network on a batch of images.

    Parameters
    ----------
    model
        The network.
    inputs
        Normalised images (B, 3, H, W).
    labels
        Their classes (B,), which are what is attributed.
    steps
        Gauss–Legendre points of Integrated Gradients.

    Returns
    -------
    pandas.DataFrame
        A row an image: network; rank of the label among the logits (0: predicted); l1_apart and
        l1_integrated, Σ|A − IG| and Σ|IG|; elements; bias_part; half_distance.
    """
    with torch.no_grad():
        logits = model.network(inputs)  # (B, K)
    fast = input_x_gradient(model.network, inputs, labels).values
    exact = integrated_gradients(
        model.network, inputs, labels, steps=steps, rule="gauss_legendre"
    ).values
    return pd.DataFrame(
        {
            "network": model.name,
            "rank": (logits > logits.gather(1, labels[:, None])).sum(dim=1).tolist(),
            "l1_apart": _l1(fast - exact).tolist(),
            "l1_integrated": _l1(exact).tolist(),
            "elements": exact[0].numel(),
            "bias_part": bias_attribution(model.network, inputs, labels).bias_part.tolist(),
            "half_distance": half_distance(model.network, inputs, labels).tolist(),
        }
    )


def _l1(values: Tensor) -> Tensor:
    """Sum of absolute values an image, (B, C, H, W) -> (B,), float64."""
    return values.abs().double().sum(dim=(1, 2, 3))


def measure_block(
    run: OpenRun, block: Sequence[int], share: Callable[[float], None], steps: int = STEPS
) -> pd.DataFrame:
    """Measure all networks on a block of images; images that cannot be read have no rows."""
    photos = run.photographs(block)
    if not photos:
        return pd.DataFrame()
    common = pd.DataFrame([run.describe(number) for number in photos])
    labels = torch.tensor(common["label"].to_list(), device=run.device)
    parts = []
    for position, model in enumerate(run.models):
        inputs = torch.stack([model.preprocess(photo) for photo in photos.values()])
        parts.append(common.join(measure_batch(model, inputs, labels, steps)))
        share((position + 1) / len(run.models))
    return pd.concat(parts, ignore_index=True)


def summarise(found: ImageRun) -> Table2:
    """Reduce the rows of all images to the table."""
    networks = []
    for model in found.models:
        own = found.rows[found.rows["network"] == model.name]
        own = own.sort_values("image", ignore_index=True)
        low, median, high = own["bias_part"].quantile([0.25, 0.5, 0.75])
        networks.append(
            BiasCost(
                network=model.name,
                is_xdnn=model.is_xdnn,
                top1=float((own["rank"] == 0).mean()),
                top5=float((own["rank"] < 5).mean()),
                mard=float((own["l1_apart"] / own["l1_integrated"]).mean()),
                mard_of_batches=_mard_of_batches(own),
                bias_part=float(median),
                bias_part_low=float(low),
                bias_part_high=float(high),
                half_distance=float(own["half_distance"].mean()),
            )
        )
    return Table2(tuple(networks), found.unreadable, found.provenance)


def _mard_of_batches(own: pd.DataFrame) -> float:
    """Mean over batches of mean|A − IG| / (mean|IG| + 1e-7), batches in the order of the set."""
    batches = own.groupby(own.index // _AUTHORS_BATCH)[["l1_apart", "l1_integrated", "elements"]]
    sums = batches.sum()
    apart, size = (sums[name] / sums["elements"] for name in ("l1_apart", "l1_integrated"))
    return float((apart / (size + _AUTHORS_FLOOR)).mean())


def load_table2(path: Path = STORED) -> tuple[pd.DataFrame, Table2]:
    """Read a stored result: its rows (see `measure_image`) and the table.

    Raises
    ------
    UserError
        If the file is not there or no such result.
    """
    rows, values = load_result(path, "table2")
    networks = tuple(BiasCost(**network) for network in values["networks"])
    made = Provenance(**values["provenance"])
    return rows, Table2(networks, tuple(values["unreadable"]), made)


def describe(table: Table2) -> str:
    """The table in plain text, per cent."""
    lines = [
        counted(table.provenance, table.unreadable),
        "",
        f"{'%':<24}{'top-1':>8}{'top-5':>8}{'MARD':>10}{'of batches':>12}{'bias part':>12}"
        f"{'half':>9}",
    ]
    for row in table.networks:
        lines.append(
            f"{row.network:<24}{100 * row.top1:>8.2f}{100 * row.top5:>8.2f}{100 * row.mard:>10.3g}"
            f"{100 * row.mard_of_batches:>12.3g}{100 * row.bias_part:>12.3g}"
            f"{100 * row.half_distance:>9.3g}"
        )
    return "\n".join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``python -m xdnn_core table2``."""
    add_run_arguments(parser, "table2", batch=4)
    add_steps_argument(parser)


def main(args: argparse.Namespace) -> int:
    """Run ``python -m xdnn_core table2``; returns the exit status."""
    steps = check_steps(args.steps)

    measure = partial(measure_block, steps=steps)
    found = run_over_images(args, "table2", measure, {"steps": steps})
    if found is not None:
        table = summarise(found)
        save_result(args.out, found.rows, table, "table2")
        print(f"{describe(table)}\n\nWritten to {args.out}")
    return 0
