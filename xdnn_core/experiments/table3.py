"""Table 3 of the paper: how well attributions name the pixels that matter.

    python -m xdnn_core table3 --data DIR --limit 200

Pixels are kept or removed in the order of an attribution, and the network is asked again (see
`metrics.masking`). A run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
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
from xdnn_core.errors import UserError
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
from xdnn_core.metrics.masking import (
    MASKING_METRICS,
    area_under,
    bootstrap_interval,
    masking_curve,
)
from xdnn_core.models.zoo import PretrainedModel

STORED: Final = RESULTS / "table3.parquet"
# Name on screen by key; the last one is X-Gradient on a network without biases.
QUALITY_METHODS: Final = {
    "ig": "Integrated Gradients",
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
    is_xdnn
        Whether the network has F(αx) = αF(x), so that its single gradient is X-Gradient.
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
    is_xdnn: bool
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
        Names of the images that could not be decoded and do not count.
    steps
        Gradient calls of Integrated Gradients.
    provenance
        How it was made, and over how many images.
    """

    qualities: tuple[Quality, ...]
    unreadable: tuple[str, ...]
    steps: int
    provenance: Provenance

    def quality(self, network: str, method: str, metric: str) -> Quality:
        """One cell."""
        wanted = (network, method, metric)
        return next(q for q in self.qualities if (q.network, q.method, q.metric) == wanted)


def attributions_of(
    model: PretrainedModel,
    inputs: Tensor,
    labels: Tensor,
    references: Tensor,
    seeds: Sequence[int],
    steps: int = STEPS,
) -> dict[str, Tensor]:
    """Attribute a batch of images by every method of the table.

    Parameters
    ----------
    model
        The network.
    inputs
        Normalised images (B, 3, H, W).
    labels
        Their classes (B,), which are what is attributed.
    references
        Other images, (B, 3, H, W), one each for Expected Gradients.
    seeds
        Of what is drawn for each image, its point on the path and its random attribution, so that
        neither depends on the images beside it.
    steps
        Gauss–Legendre points of Integrated Gradients.

    Returns
    -------
    dict
        Key of `QUALITY_METHODS` to values (B, 3, H, W).
    """
    network = model.network
    noise = [
        torch.rand(inputs.shape[1:], generator=torch.Generator().manual_seed(seed)) - 0.5
        for seed in seeds
    ]
    expected = [
        expected_gradients(
            network, inputs[i : i + 1], labels[i : i + 1], references=references[i : i + 1],
            samples=1, seed=seed,
        ).values
        for i, seed in enumerate(seeds)
    ]  # fmt: skip
    return {
        "ig": integrated_gradients(
            network, inputs, labels, steps=steps, rule="gauss_legendre"
        ).values,
        "random": torch.stack(noise).to(inputs),
        "gradient": gradient(network, inputs, labels).values,
        "eg_1": torch.cat(expected),
        "fast": input_x_gradient(network, inputs, labels).values,
    }


@full_float32()
def measure_batch(
    model: PretrainedModel,
    inputs: Tensor,
    labels: Tensor,
    references: Tensor,
    seeds: Sequence[int],
    steps: int = STEPS,
) -> pd.DataFrame:
    """Score every method by every metric on a batch of images.

    Parameters
    ----------
    model, inputs, labels, references, seeds, steps
        As for `attributions_of`.

    Returns
    -------
    pandas.DataFrame
        A row for every method, metric and image: place (in the batch), network, method, metric,
        curve (a list).
    """
    rows = []
    found = attributions_of(model, inputs, labels, references, seeds, steps)
    for method, values in found.items():
        for name, metric in MASKING_METRICS.items():
            curves = masking_curve(model.network, inputs, labels, values, metric)  # (B, F)
            common = {"network": model.name, "method": method, "metric": name}
            rows += [
                {"place": place, **common, "curve": curve}
                for place, curve in enumerate(curves.tolist())
            ]
    return pd.DataFrame(rows)


def measure_block(
    run: OpenRun, block: Sequence[int], share: Callable[[float], None], steps: int = STEPS
) -> pd.DataFrame:
    """Measure all networks on a block of images; images that cannot be read have no rows."""
    photos = run.photographs(block)
    if not photos:
        return pd.DataFrame()
    others = [_another(run.images, number) for number in photos]
    common = pd.DataFrame([run.describe(number) for number in photos])
    labels = torch.tensor(common["label"].to_list(), device=run.device)
    parts = []
    for position, model in enumerate(run.models):
        inputs, references = (
            torch.stack([model.preprocess(photo) for photo in group])
            for group in (photos.values(), others)
        )
        rows = measure_batch(model, inputs, labels, references, tuple(photos), steps)
        parts.append(rows.join(common, on="place").drop(columns="place"))
        share((position + 1) / len(run.models))
    return pd.concat(parts, ignore_index=True)


def _another(images: ImageSet, number: int) -> Image.Image:
    """An image drawn from the set by the number of the one that is attributed; readable."""
    for candidate in np.random.default_rng(number).permutation(len(images)).tolist():
        if candidate == number:
            continue
        try:
            return images.read(candidate)
        except OSError:
            continue
    raise UserError("The set has only one image that can be read; Expected Gradients needs two.")


def summarise(found: ImageRun, steps: int = STEPS) -> Table3:
    """Reduce the rows of all images to areas with intervals, and mean curves."""
    qualities = []
    cells = dict(list(found.rows.groupby(["network", "method", "metric"])))
    for model in found.models:
        for method in QUALITY_METHODS:
            for name, metric in MASKING_METRICS.items():
                curves = torch.tensor(np.stack(cells[model.name, method, name]["curve"]))  # (N, F)
                areas = area_under(curves, metric.fractions)  # (N, F) -> (N,)
                low, high = bootstrap_interval(areas)
                mean = tuple(curves.mean(dim=0).tolist())
                area = float(areas.mean())
                qualities.append(
                    Quality(model.name, method, name, model.is_xdnn, area, low, high, mean)
                )
    return Table3(tuple(qualities), found.unreadable, steps, found.provenance)


def load_table3(path: Path = STORED) -> tuple[pd.DataFrame, Table3]:
    """Read a stored result: its rows (see `measure_image`) and the table.

    Raises
    ------
    UserError
        If the file is not there or no such result.
    """
    rows, values = load_result(path, "table3")
    qualities = tuple(Quality(**q | {"curve": tuple(q["curve"])}) for q in values["qualities"])
    made = Provenance(**values["provenance"])
    return rows, Table3(qualities, tuple(values["unreadable"]), values["steps"], made)


def describe(table: Table3) -> str:
    """The table in plain text, areas with their intervals."""
    lines = [
        counted(table.provenance, table.unreadable),
        "Area under the curve [95 % bootstrap interval]; Integrated Gradients with "
        f"{table.steps} calls",
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
    add_run_arguments(parser, "table3", batch=4)
    add_steps_argument(parser)


def main(args: argparse.Namespace) -> int:
    """Run ``python -m xdnn_core table3``; returns the exit status."""
    steps = check_steps(args.steps)

    measure = partial(measure_block, steps=steps)
    found = run_over_images(args, "table3", measure, {"steps": steps})
    if found is not None:
        table = summarise(found, steps)
        save_result(args.out, found.rows, table, "table3")
        print(f"{describe(table)}\n\nWritten to {args.out}")
    return 0
