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
from pathlib import Path
from typing import Any, Final

import pandas as pd
import torch

from xdnn_core.assets import RESULTS
from xdnn_core.attribution.gradients import input_x_gradient
from xdnn_core.attribution.integrated import integrated_gradients
from xdnn_core.data.images import ImageSet
from xdnn_core.device import full_float32
from xdnn_core.experiments.blocks import BlockFolder, run_blocks
from xdnn_core.experiments.image_runs import (
    add_run_arguments,
    data_set_title,
    image_fingerprint,
    network_fingerprint,
    open_run,
)
from xdnn_core.experiments.provenance import Provenance, load_result, provenance, save_result
from xdnn_core.metrics.agreement import bias_diagnostics
from xdnn_core.models.zoo import PretrainedModel

STORED: Final = RESULTS / "table2.parquet"
STEPS: Final = 128  # Gauss–Legendre points, as in the paper
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
    bias_share, half_distance
        Means over images of the diagnostics (see `BiasDiagnostics`).
    """

    network: str
    is_xdnn: bool
    top1: float
    top5: float
    mard: float
    mard_of_batches: float
    bias_share: float
    half_distance: float


@dataclass(frozen=True)
class Table2:
    """Both networks.

    Attributes
    ----------
    networks
        One row a network.
    unreadable
        Images that could not be decoded and do not count.
    provenance
        How it was made, and over how many images.
    """

    networks: tuple[BiasCost, ...]
    unreadable: int
    provenance: Provenance


@full_float32()
def measure_image(
    model: PretrainedModel, inputs: torch.Tensor, label: int, steps: int = STEPS
) -> dict[str, Any]:
    """Measure one network on one image.

    Parameters
    ----------
    model
        The network.
    inputs
        The normalised image (1, 3, H, W).
    label
        Its class, which is what is attributed.
    steps
        Gauss–Legendre points of Integrated Gradients.

    Returns
    -------
    dict
        network; rank of the label among the logits (0: predicted); l1_apart and l1_integrated,
        Σ|A − IG| and Σ|IG|; elements; bias_share; half_distance.
    """
    with torch.no_grad():
        logits = model.network(inputs)[0]
    fast = input_x_gradient(model.network, inputs, label).values
    exact = integrated_gradients(
        model.network, inputs, label, steps=steps, rule="gauss_legendre"
    ).values
    biases = bias_diagnostics(model.network, inputs, label)
    return {
        "network": model.name,
        "rank": int((logits > logits[label]).sum()),
        "l1_apart": float((fast - exact).abs().double().sum()),
        "l1_integrated": float(exact.abs().double().sum()),
        "elements": exact.numel(),
        "bias_share": float(biases.share[0]),
        "half_distance": float(biases.half_distance[0]),
    }


def measure_block(
    models: Sequence[PretrainedModel],
    images: ImageSet,
    block: Sequence[int],
    device: torch.device,
    share: Callable[[float], None] = lambda done: None,
) -> pd.DataFrame:
    """Measure all networks on a block of images; images that cannot be read have no rows."""
    rows = []
    for position, number in enumerate(block):
        try:
            photo = images.read(number)
        except OSError:
            continue
        common = {"image": number, "name": images.names[number], "label": images.labels[number]}
        for model in models:
            inputs = model.preprocess(photo)[None].to(device)
            rows.append(common | measure_image(model, inputs, images.labels[number]))
        share((position + 1) / len(block))
    return pd.DataFrame(rows)


def summarise(
    rows: pd.DataFrame, models: Sequence[PretrainedModel], asked: int, made: Provenance
) -> Table2:
    """Reduce the rows of all images to the table."""
    found = []
    for model in models:
        own = rows[rows["network"] == model.name].sort_values("image", ignore_index=True)
        found.append(
            BiasCost(
                network=model.name,
                is_xdnn=model.is_xdnn,
                top1=float((own["rank"] == 0).mean()),
                top5=float((own["rank"] < 5).mean()),
                mard=float((own["l1_apart"] / own["l1_integrated"]).mean()),
                mard_of_batches=_mard_of_batches(own),
                bias_share=float(own["bias_share"].mean()),
                half_distance=float(own["half_distance"].mean()),
            )
        )
    return Table2(tuple(found), asked - rows["image"].nunique(), made)


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
    return rows, Table2(networks, values["unreadable"], Provenance(**values["provenance"]))


def describe(table: Table2) -> str:
    """The table in plain text, per cent."""
    made = table.provenance
    lines = [
        f"{made.data_set}: {made.images:,} images"
        + (f", {table.unreadable} unreadable" if table.unreadable else ""),
        "",
        f"{'%':<24}{'top-1':>8}{'top-5':>8}{'MARD':>10}{'of batches':>12}{'bias share':>12}"
        f"{'half':>9}",
    ]
    for row in table.networks:
        lines.append(
            f"{row.network:<24}{100 * row.top1:>8.2f}{100 * row.top5:>8.2f}{100 * row.mard:>10.3g}"
            f"{100 * row.mard_of_batches:>12.3g}{100 * row.bias_share:>12.3g}"
            f"{100 * row.half_distance:>9.3g}"
        )
    return "\n".join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``python -m xdnn_core table2``."""
    add_run_arguments(parser, "table2")


def main(args: argparse.Namespace) -> int:
    """Run ``python -m xdnn_core table2``; returns the exit status."""
    images, chosen, models, device = open_run(args)
    note = {
        "experiment": "table2",
        "images": image_fingerprint(images),
        "networks": [network_fingerprint(model.network) for model in models],
        "steps": STEPS,
    }
    rows = run_blocks(
        BlockFolder(args.work, note), chosen, 2,
        lambda block, share: measure_block(models, images, block, device, share), "table2",
    )  # fmt: skip
    made = provenance(data_set_title(args), rows["image"].nunique(), device)
    table = summarise(rows, models, len(chosen), made)
    save_result(args.out, rows, table, "table2")
    print(describe(table))
    print(f"\nWritten to {args.out}")
    return 0
