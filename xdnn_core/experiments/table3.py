"""Table 3 of the paper: how well attributions name the pixels that matter.

    python -m xdnn_core table3 --data DIR --limit 200

Pixels are kept or removed in the order of an attribution, and the network is asked again (see
`metrics.masking`). A run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from xdnn_core.attribution.expected import expected_gradients
from xdnn_core.attribution.gradients import gradient, input_x_gradient
from xdnn_core.attribution.integrated import integrated_gradients
from xdnn_core.data.images import ImageSet
from xdnn_core.device import full_float32
from xdnn_core.errors import UserError
from xdnn_core.experiments.image_runs import OpenRun
from xdnn_core.experiments.protocol import (
    STEPS,
    ImageExperiment,
    add_run_arguments,
    add_steps_argument,
)
from xdnn_core.experiments.provenance import Provenance, load_result
from xdnn_core.experiments.table3_summary import Table3, describe, qualities_of, summarise
from xdnn_core.io import RESULTS
from xdnn_core.metrics.masking import MASKING_METRICS, masking_curve
from xdnn_core.models.zoo import PretrainedModel

STORED: Final = RESULTS / "table3.parquet"


def attributions_of(
    model: PretrainedModel,
    inputs: Tensor,
    labels: Tensor,
    references: Tensor,
    seeds: Sequence[int],
    steps: int = STEPS,
) -> dict[str, Tensor]:
    """Attribute a batch of images by every method of the table.

    `inputs`: normalised images (B, 3, H, W). `labels`: their classes (B,), which are what is
    attributed. `references`: other images, (B, 3, H, W), one each for Expected Gradients. Returns
    key of `QUALITY_METHODS` to values (B, 3, H, W).
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

    A row for every method, metric and image: place (in the batch), network, method, metric, curve
    (a list). Arguments as for `attributions_of`.
    """
    rows = []
    attributions = attributions_of(model, inputs, labels, references, seeds, steps)
    for method, values in attributions.items():
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
    another = lru_cache(len(block))(partial(_another, run.images))  # of each image, once

    def measure(model: PretrainedModel, inputs: Tensor, common: pd.DataFrame) -> pd.DataFrame:
        labels = torch.tensor(common["label"].to_list(), device=run.device)
        seeds = common["image"].to_list()
        references = torch.stack([model.preprocess(another(number)) for number in seeds])
        rows = measure_batch(model, inputs, labels, references, seeds, steps)
        return rows.join(common, on="place").drop(columns="place")

    return run.each_network(block, share, measure)


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


def load_table3(path: Path = STORED) -> tuple[pd.DataFrame, Table3]:
    """Read a stored result: its rows (see `measure_batch`), and the table made of them anew.

    Summaries of older versions lack the differences to Integrated Gradients.
    """
    rows, values = load_result(path, "table3")
    networks = {quality["network"]: quality["is_xdnn"] for quality in values["qualities"]}
    made = Provenance(**values["provenance"])
    table = Table3(qualities_of(rows, networks), tuple(values["unreadable"]), values["steps"], made)
    return rows, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``python -m xdnn_core table3``."""
    add_run_arguments(parser, "table3", batch=4)
    add_steps_argument(parser)


TABLE3: Final = ImageExperiment(
    "table3", Table3, measure_block, summarise, describe, settings=("steps",)
)
main = TABLE3.main
