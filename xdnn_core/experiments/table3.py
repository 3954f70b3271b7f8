"""Table 3 of the paper: how well attributions name the pixels that matter.

    python -m xdnn_core table3 --data DIR --limit 200

Pixels are kept or removed in the order of an attribution, and the network is asked again (see
`metrics.masking`). A run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from xdnn_core.assets import RESULTS
from xdnn_core.attribution.expected import expected_gradients
from xdnn_core.attribution.gradients import gradient, input_x_gradient
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
from xdnn_core.metrics.masking import (
    MASKING_METRICS,
    area_under,
    bootstrap_interval,
    masking_curve,
)
from xdnn_core.models.zoo import PretrainedModel

STORED: Final = RESULTS / "table3.parquet"
STEPS: Final = 128  # Gauss–Legendre points, as in the paper
# Name on screen by key; the last one is X-Gradient on a network without biases.
QUALITY_METHODS: Final = {
    "ig_128": "Integrated Gradients, 128 calls",
    "random": "Random",
    "gradient": "Gradient",
    "eg_1": "Expected Gradients, 1 sample",
    "fast": "Input×Gradient, X-Gradient",
}


@dataclass(frozen=True)
class Quality:
    """One network, one method, one metric.

    Attributes
    ----------
    network, method, metric
        Names; the method is a key of `QUALITY_METHODS`, the metric of `MASKING_METRICS`.
    area
        Area under the curve over the kept fraction, mean over images.
    low, high
        Its 95 % bootstrap interval over images.
    curve
        Mean score at every fraction of the metric.
    """

    network: str
    method: str
    metric: str
    area: float
    low: float
    high: float
    curve: tuple[float, ...]


@dataclass(frozen=True)
class Table3:
    """All networks, methods and metrics.

    Attributes
    ----------
    qualities
        Network by network, method by method, metric by metric.
    unreadable
        Images that could not be decoded and do not count.
    provenance
        How it was made, and over how many images.
    """

    qualities: tuple[Quality, ...]
    unreadable: int
    provenance: Provenance

    def quality(self, network: str, method: str, metric: str) -> Quality:
        """One cell."""
        wanted = (network, method, metric)
        return next(q for q in self.qualities if (q.network, q.method, q.metric) == wanted)


def attributions_of(
    model: PretrainedModel, inputs: Tensor, label: int, reference: Tensor, seed: int
) -> dict[str, Tensor]:
    """Attribute one image by every method of the table.

    Parameters
    ----------
    model
        The network.
    inputs
        The normalised image (1, 3, H, W).
    label
        Its class, which is what is attributed.
    reference
        Another image, (1, 3, H, W), for Expected Gradients.
    seed
        Of what is drawn: its point on the path, and the random attribution.

    Returns
    -------
    dict
        Key of `QUALITY_METHODS` to values (1, 3, H, W).
    """
    network = model.network
    noise = torch.rand(inputs.shape, generator=torch.Generator().manual_seed(seed))
    return {
        "ig_128": integrated_gradients(
            network, inputs, label, steps=STEPS, rule="gauss_legendre"
        ).values,
        "random": noise.to(inputs) - 0.5,
        "gradient": gradient(network, inputs, label).values,
        "eg_1": expected_gradients(
            network, inputs, label, references=reference, samples=1, seed=seed
        ).values,
        "fast": input_x_gradient(network, inputs, label).values,
    }


@full_float32()
def measure_image(
    model: PretrainedModel, inputs: Tensor, label: int, reference: Tensor, seed: int
) -> pd.DataFrame:
    """Score every method by every metric on one image.

    Parameters
    ----------
    model, inputs, label, reference, seed
        As for `attributions_of`.

    Returns
    -------
    pandas.DataFrame
        A row for every method and metric: network, method, metric, curve (a list).
    """
    targets = torch.tensor([label], device=inputs.device)
    rows = []
    for method, values in attributions_of(model, inputs, label, reference, seed).items():
        for name, metric in MASKING_METRICS.items():
            curve = masking_curve(model.network, inputs, targets, values, metric)[0]  # (F,)
            rows.append(
                {"network": model.name, "method": method, "metric": name, "curve": curve.tolist()}
            )
    return pd.DataFrame(rows)


def measure_block(
    models: Sequence[PretrainedModel],
    images: ImageSet,
    block: Sequence[int],
    device: torch.device,
    share: Callable[[float], None] = lambda done: None,
) -> pd.DataFrame:
    """Measure all networks on a block of images; images that cannot be read have no rows."""
    parts = []
    for position, number in enumerate(block):
        try:
            photo, other = images.read(number), _another(images, number)
        except OSError:
            continue
        for at, model in enumerate(models):
            inputs, reference = (model.preprocess(p)[None].to(device) for p in (photo, other))
            rows = measure_image(model, inputs, images.labels[number], reference, number)
            parts.append(rows.assign(image=number, name=images.names[number]))
            share((position + (at + 1) / len(models)) / len(block))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _another(images: ImageSet, number: int) -> Image.Image:
    """An image drawn from the set by the number of the one that is attributed; readable."""
    for candidate in np.random.default_rng(number).permutation(len(images)).tolist():
        if candidate == number:
            continue
        try:
            return images.read(candidate)
        except OSError:
            continue
    raise OSError("the set has no other image that can be read")


def summarise(
    rows: pd.DataFrame, models: Sequence[PretrainedModel], asked: int, made: Provenance
) -> Table3:
    """Reduce the rows of all images to areas with intervals, and mean curves."""
    found = []
    for model in models:
        for method in QUALITY_METHODS:
            for name, metric in MASKING_METRICS.items():
                at = (rows["network"] == model.name) & (rows["method"] == method)
                curves = torch.tensor(np.stack(rows[at & (rows["metric"] == name)]["curve"]))
                areas = area_under(curves, metric.fractions)  # (images, F) -> (images,)
                low, high = bootstrap_interval(areas)
                mean = tuple(curves.mean(dim=0).tolist())
                area = float(areas.mean())
                found.append(Quality(model.name, method, name, area, low, high, mean))
    return Table3(tuple(found), asked - rows["image"].nunique(), made)


def load_table3(path: Path = STORED) -> tuple[pd.DataFrame, Table3]:
    """Read a stored result: its rows (see `measure_image`) and the table.

    Raises
    ------
    UserError
        If the file is not there or no such result.
    """
    rows, values = load_result(path, "table3")
    qualities = tuple(Quality(**q | {"curve": tuple(q["curve"])}) for q in values["qualities"])
    return rows, Table3(qualities, values["unreadable"], Provenance(**values["provenance"]))


def describe(table: Table3) -> str:
    """The table in plain text, areas with their intervals."""
    made = table.provenance
    lines = [
        f"{made.data_set}: {made.images:,} images"
        + (f", {table.unreadable} unreadable" if table.unreadable else "")
        + "; area under the curve [95 % bootstrap interval]",
    ]
    for network in dict.fromkeys(q.network for q in table.qualities):
        lines += ["", f"{network:<34}" + "".join(f"{name:>24}" for name in MASKING_METRICS)]
        for method, title in QUALITY_METHODS.items():
            cells = (table.quality(network, method, name) for name in MASKING_METRICS)
            shown = (f"{q.area:.2f} [{q.low:.2f}, {q.high:.2f}]" for q in cells)
            lines.append(f"{title:<34}" + "".join(f"{cell:>24}" for cell in shown))
    return "\n".join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``python -m xdnn_core table3``."""
    add_run_arguments(parser, "table3")


def main(args: argparse.Namespace) -> int:
    """Run ``python -m xdnn_core table3``; returns the exit status."""
    images, chosen, models, device = open_run(args)
    note = {
        "experiment": "table3",
        "images": image_fingerprint(images),
        "networks": [network_fingerprint(model.network) for model in models],
        "steps": STEPS,
    }
    rows = run_blocks(
        BlockFolder(args.work, note), chosen, 1,
        lambda block, share: measure_block(models, images, block, device, share), "table3",
    )  # fmt: skip
    made = provenance(data_set_title(args), rows["image"].nunique(), device)
    table = summarise(rows, models, len(chosen), made)
    save_result(args.out, rows, table, "table3")
    print(describe(table))
    print(f"\nWritten to {args.out}")
    return 0
