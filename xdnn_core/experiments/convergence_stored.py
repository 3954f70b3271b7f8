"""The measurement that the page Convergence opens with, computed once and stored with the app.

    python -m xdnn_core convergence --out assets/results/convergence.parquet

The embedded pair on one photograph of the gallery, for the class that the regular network predicts,
with the numbers of calls and the reference that the page has by default. The file holds what the
page draws, 0.5 MB. Its maps, those of the default rule, are rounded so that the sum over any
rectangle is right to 1e-5 of the logit, as is every pixel.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from xdnn_core.attribution.quadrature import cell_weights
from xdnn_core.data.gallery import gallery
from xdnn_core.errors import UserError
from xdnn_core.experiments.comparison import IntegrationSettings, named_target
from xdnn_core.experiments.convergence import measure_convergence
from xdnn_core.experiments.convergence_result import Convergence, RuleCurve
from xdnn_core.experiments.provenance import (
    Provenance,
    add_out_argument,
    provenance,
    read_result,
    report,
)
from xdnn_core.io import RESULTS
from xdnn_core.models.catalogue import EMBEDDED
from xdnn_core.models.zoo import PretrainedModel, load_model
from xdnn_core.progress import on_bar
from xdnn_core.text import percent

COMMAND: Final = "convergence"
IMAGE: Final = "rooster"  # key of the gallery: the photograph that pages begin with
ROUNDED_TO: Final = 5e-6  # of the logit: sums of maps from the upper left corner on
# Bytes of equal weight side by side, and no dictionary: half the size.
PACKING: Final = {
    "use_dictionary": False,
    "column_encoding": {"values.list.element": "BYTE_STREAM_SPLIT"},
    "compression_level": 19,
    "data_page_size": 2**25,  # all maps in one, since some are nearly the same
}


@dataclass(frozen=True)
class StoredNetwork:
    """One network's measurement but for its arrays; see `Convergence`."""

    name: str
    curves: tuple[RuleCurve, ...]  # without maps, and without the first estimate, which is none
    fast_error: float
    reference_calls: int
    output_at_zero: float
    output_at_one: float
    gradient_calls: int
    gradient_calls_separately: int
    seconds: float


@dataclass(frozen=True)
class StoredConvergence:
    """What was measured, and how it was made."""

    image: str  # key in the gallery
    target: int  # the class explained, and its name
    class_name: str
    size: tuple[int, ...]  # of a map, (H, W)
    networks: tuple[StoredNetwork, ...]
    provenance: Provenance


def measure_pair(models: list[PretrainedModel]) -> tuple[int, list[Convergence]]:
    """Measure both networks on the photograph; returns the class explained, too."""
    photo = next(item for item in gallery() if item.key == IMAGE).open()
    inputs = models[0].preprocess(photo)[None]  # (1, 3, H, W)
    target = named_target("auto", models[0], inputs)
    measured = []
    for model in models:
        x = inputs.to(next(model.network.parameters()))
        with tqdm(desc=model.name, unit="gradient") as bar:
            measured.append(measure_convergence(model.network, x, target, progress=on_bar(bar)))
    return target, measured


def _arrays(one: Convergence) -> dict[str, np.ndarray]:
    """What is stored in the table: the path's gradient and the default rule's maps."""
    # Multiples of a power of two: the last bits of a float are then zeros, which take no room.
    unit = 2.0 ** math.floor(math.log2(ROUNDED_TO * abs(one.output_at_one)))
    curve = next(curve for curve in one.curves if curve.rule == IntegrationSettings.rule)
    maps = {
        f"map {calls}": _rounded(one.double().numpy(), unit) for calls, one in curve.maps.items()
    }
    path = {"points": one.points.numpy(), "path_gradient": one.path_gradient.numpy()}
    return {name: values.astype(np.float32) for name, values in (path | maps).items()}


def _rounded(values: np.ndarray, unit: float) -> np.ndarray:
    """A map (H, W) in multiples of a unit, (H · W,).

    Rounded are the sums over the rectangles from the upper left corner on. Any other rectangle is
    made of four of them, so that errors do not add up in it.
    """
    corners = (values.cumsum(0).cumsum(1) / unit).round()
    return np.diff(np.diff(corners, axis=0, prepend=0), axis=1, prepend=0).ravel() * unit


def to_rows(
    models: list[PretrainedModel], target: int, measured: list[Convergence], made: Provenance
) -> tuple[pd.DataFrame, StoredConvergence]:
    """Rows of the stored table, one an array, and their summary."""
    rows, networks = [], []
    for model, one in zip(models, measured, strict=True):
        rows += [
            {"network": model.name, "array": name, "values": values}
            for name, values in _arrays(one).items()
        ]
        curves = (
            replace(curve, maps={}, estimated_errors=curve.estimated_errors[1:])
            for curve in one.curves
        )
        networks.append(
            StoredNetwork(
                model.name, tuple(curves), one.fast_error, one.reference_calls, one.output_at_zero,
                one.output_at_one, one.gradient_calls, one.gradient_calls_separately, one.seconds,
            )
        )  # fmt: skip
    size = tuple(measured[0].reference_values.shape[-2:])
    class_name = models[0].classes[target]
    summary = StoredConvergence(IMAGE, target, class_name, size, tuple(networks), made)
    return pd.DataFrame(rows), summary


def load_convergence(path: Path | None = None) -> tuple[StoredConvergence, list[Convergence]]:
    """Read a stored measurement, the app's own or that of a file, one a network."""
    file = RESULTS / f"{COMMAND}.parquet" if path is None else path
    columns = ("network", "array", "values")
    rows, stored = read_result(file, COMMAND, StoredConvergence, columns)
    measured = []
    for network in stored.networks:
        own = rows[rows["network"] == network.name]
        arrays = {
            name: torch.tensor(values)
            for name, values in zip(own["array"], own["values"], strict=True)
        }
        measured.append(_measurement(network, arrays, stored.size, file))
    return stored, measured


def _measurement(
    network: StoredNetwork, arrays: Mapping[str, Tensor], size: tuple[int, ...], file: Path
) -> Convergence:
    """Put one network's measurement together again."""
    points, slopes = (arrays.get(name, torch.empty(0)) for name in ("points", "path_gradient"))
    maps = {
        int(name.removeprefix("map ")): values
        for name, values in arrays.items()
        if name.startswith("map ")
    }
    whole = all(len(values) == math.prod(size) for values in maps.values())
    if not (maps and whole and 0 < len(points) == len(slopes)):
        raise UserError(
            f"{file.name} does not hold the arrays of {network.name} whole; make it again with "
            f"python -m xdnn_core {COMMAND}."
        )
    curves = tuple(
        replace(
            curve,
            estimated_errors=(math.nan, *curve.estimated_errors),
            maps={
                calls: values.reshape(size)
                for calls, values in maps.items()
                if curve.rule == IntegrationSettings.rule
            },
        )
        for curve in network.curves
    )
    return Convergence(
        curves=curves,
        captum=None,
        fast_error=network.fast_error,
        reference="paper",
        reference_calls=network.reference_calls,
        points=points,
        point_weights=cell_weights(points),
        path_gradient=slopes,
        output_at_zero=network.output_at_zero,
        output_at_one=network.output_at_one,
        gradient_calls=network.gradient_calls,
        gradient_calls_separately=network.gradient_calls_separately,
        captum_calls=0,
        reference_values=torch.empty(0),  # not stored; only Captum's curve is held against it
        seconds=network.seconds,
    )


def describe(stored: StoredConvergence) -> str:
    """What was measured, in plain text."""
    lines = [f"{stored.image}, class {stored.class_name}"]
    for network in stored.networks:
        curve = next(one for one in network.curves if one.rule == IntegrationSettings.rule)
        lines.append(
            f"{network.name}: {network.gradient_calls:,} gradients in {network.seconds:.0f} s; "
            f"error of {curve.counts[-1]} {curve.rule} calls {percent(curve.errors[-1])}, of one "
            f"gradient {percent(network.fast_error)}"
        )
    return "\n".join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``python -m xdnn_core convergence``."""
    parser.add_argument("--device", help="cpu or cuda (default: the best at hand)")
    add_out_argument(parser, COMMAND)


def main(args: argparse.Namespace) -> int:
    """Measure, store and print; returns the exit status."""
    models = [load_model(name, device=args.device) for name, *_ in EMBEDDED]
    target, measured = measure_pair(models)
    made = provenance(IMAGE, 1, next(models[0].network.parameters()).device)
    rows, summary = to_rows(models, target, measured, made)
    return report(args.out, rows, summary, COMMAND, describe(summary), **PACKING)
