"""Figure 3 of the paper: error of Integrated Gradients against gradient calls, over an image set.

    python -m xdnn_core figure3 --data DIR --limit 100

Each image is attributed for its label. Errors are relative L1 distances to 300 Gauss–Legendre
points, image by image. A run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd
from PIL import Image

from xdnn_core.assets import RESULTS
from xdnn_core.attribution.path import Progress
from xdnn_core.attribution.quadrature import RULES
from xdnn_core.experiments.blocks import BlockFolder, run_blocks
from xdnn_core.experiments.convergence import COUNTS, measure_convergence
from xdnn_core.experiments.image_runs import (
    add_run_arguments,
    data_set_title,
    image_fingerprint,
    network_fingerprint,
    open_run,
)
from xdnn_core.experiments.provenance import Provenance, load_result, provenance, save_result
from xdnn_core.models.zoo import PretrainedModel

# The paper's and Captum's rule, and the app's default.
FIGURE_RULES: Final = ("gauss_legendre", "graded")
STORED: Final = RESULTS / "figure3.parquet"


@dataclass(frozen=True)
class ErrorCurve:
    """Error of one method on one network over the images, one value a count.

    Attributes
    ----------
    network, is_xdnn
        Name, and whether F(αx) = αF(x).
    method
        A rule of Integrated Gradients, "input_x_gradient" or "x_gradient".
    counts
        Gradient calls.
    mean, lower, median, upper
        Mean and quartiles of ‖A − R‖₁ / ‖R‖₁ over the images.
    """

    network: str
    is_xdnn: bool
    method: str
    counts: tuple[int, ...]
    mean: tuple[float, ...]
    lower: tuple[float, ...]
    median: tuple[float, ...]
    upper: tuple[float, ...]


@dataclass(frozen=True)
class Figure3:
    """Both networks' curves.

    Attributes
    ----------
    curves
        Rules of Integrated Gradients, and the single gradient with counts (1,), by network.
    gradient_calls
        Spent on an image, both networks.
    unreadable
        Images that could not be decoded and do not count.
    provenance
        How it was made, and over how many images.
    """

    curves: tuple[ErrorCurve, ...]
    gradient_calls: int
    unreadable: int
    provenance: Provenance


def measure_image(
    models: Sequence[PretrainedModel],
    photo: Image.Image,
    label: int,
    rules: tuple[str, ...] = FIGURE_RULES,
    share: Callable[[float], None] = lambda done: None,
) -> pd.DataFrame:
    """Measure both networks' convergence on one photograph.

    Parameters
    ----------
    models
        The networks.
    photo
        The photograph.
    label
        The class that is attributed.
    rules
        Of Integrated Gradients.
    share
        Called with the share done.

    Returns
    -------
    pandas.DataFrame
        A row for every network, method and count: network, method, calls, error,
        completeness_gap, estimated_error, spent (gradient calls of the network's whole plot).
    """
    rows: list[dict[str, Any]] = []
    for position, model in enumerate(models):
        found = measure_convergence(
            model.network,
            model.preprocess(photo)[None],
            label,
            rules=rules,
            progress=_part(share, position, len(models)),
        )
        fast = "x_gradient" if model.is_xdnn else "input_x_gradient"
        common = {"network": model.name, "spent": found.gradient_calls}
        rows.append(common | {"method": fast, "calls": 1, "error": found.fast_error})
        for curve in found.curves:
            values = zip(
                curve.counts, curve.errors, curve.completeness_gaps, curve.estimated_errors,
                strict=True,
            )  # fmt: skip
            rows += [
                common
                | {
                    "method": curve.rule,
                    "calls": calls,
                    "error": error,
                    "completeness_gap": gap,
                    "estimated_error": estimate,
                }
                for calls, error, gap, estimate in values
            ]
    return pd.DataFrame(rows)


def _part(share: Callable[[float], None], position: int, parts: int) -> Progress:
    """Progress of one of several parts as a share of the whole."""
    return lambda done, total: share((position + done / total) / parts)


def summarise(
    rows: pd.DataFrame, models: Sequence[PretrainedModel], asked: int, made: Provenance
) -> Figure3:
    """Reduce the rows of all images to mean and quartiles.

    Parameters
    ----------
    rows
        From `measure_image`, with a column image.
    models
        The networks.
    asked
        Images that were to be read.
    made
        Where the rows are from.
    """
    curves = []
    for model in models:
        own = rows[rows["network"] == model.name]
        for method in own["method"].unique():
            errors = own[own["method"] == method].groupby("calls")["error"]
            lower, median, upper = (errors.quantile(q) for q in (0.25, 0.5, 0.75))
            curves.append(
                ErrorCurve(
                    network=model.name,
                    is_xdnn=model.is_xdnn,
                    method=str(method),
                    counts=tuple(int(calls) for calls in median.index),
                    mean=tuple(errors.mean()),
                    lower=tuple(lower),
                    median=tuple(median),
                    upper=tuple(upper),
                )
            )
    spent = int(rows.groupby("network")["spent"].first().sum())
    return Figure3(tuple(curves), spent, asked - rows["image"].nunique(), made)


def load_figure3(path: Path = STORED) -> tuple[pd.DataFrame, Figure3]:
    """Read a stored result: its rows (see `measure_image`) and the figure.

    Raises
    ------
    UserError
        If the file is not there or no such result.
    """
    rows, values = load_result(path, "figure3")
    series = ("counts", "mean", "lower", "median", "upper")
    curves = tuple(
        ErrorCurve(**curve | {name: tuple(curve[name]) for name in series})
        for curve in values["curves"]
    )
    made = Provenance(**values["provenance"])
    return rows, Figure3(curves, values["gradient_calls"], values["unreadable"], made)


def describe(figure: Figure3) -> str:
    """The figure as tables in plain text."""
    made = figure.provenance
    lines = [
        f"{made.data_set}: {made.images:,} images"
        + (f", {figure.unreadable} unreadable" if figure.unreadable else "")
        + f"; {figure.gradient_calls:,} gradient calls an image",
        "",
        f"{'relative error, mean [quartiles], %':<42}{'calls':>6}",
    ]
    for curve in figure.curves:
        name = f"{curve.network}, {curve.method}"
        for calls, mean, lower, upper in zip(
            curve.counts, curve.mean, curve.lower, curve.upper, strict=True
        ):
            spread = f"[{100 * lower:.3g}, {100 * upper:.3g}]"
            lines.append(f"{name:<42}{calls:>6}{100 * mean:>10.3g}  {spread}")
    return "\n".join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``python -m xdnn_core figure3``."""
    add_run_arguments(parser, "figure3")
    parser.add_argument(
        "--rules", nargs="+", choices=RULES, default=list(FIGURE_RULES),
        help=f"of Integrated Gradients (default: {' '.join(FIGURE_RULES)})",
    )  # fmt: skip


def main(args: argparse.Namespace) -> int:
    """Run ``python -m xdnn_core figure3``; returns the exit status."""
    images, chosen, models, device = open_run(args)
    rules = tuple(args.rules)
    note = {
        "experiment": "figure3",
        "images": image_fingerprint(images),
        "networks": [network_fingerprint(model.network) for model in models],
        "rules": rules,
        "counts": COUNTS,
    }

    def compute(block: Sequence[int], share: Callable[[float], None]) -> pd.DataFrame:
        (number,) = block
        try:
            photo = images.read(number)
        except OSError:
            return pd.DataFrame()
        rows = measure_image(models, photo, images.labels[number], rules, share)
        return rows.assign(image=number, name=images.names[number], label=images.labels[number])

    rows = run_blocks(BlockFolder(args.work, note), chosen, 1, compute, "figure3")
    made = provenance(data_set_title(args), rows["image"].nunique(), device)
    figure = summarise(rows, models, len(chosen), made)
    save_result(args.out, rows, figure, "figure3")
    print(describe(figure))
    print(f"\nWritten to {args.out}")
    return 0
