"""Figure 3 of the paper: error of Integrated Gradients against gradient calls, over an image set.

    python -m xdnn_core figure3 --data DIR --limit 100

Each image is attributed for its label. Errors are relative L1 distances to 300 Gauss–Legendre
points, image by image, where the paper (Appendix B.5) takes mean absolute differences. A run that
was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
from PIL import Image

from xdnn_core.attribution.quadrature import RULES
from xdnn_core.experiments.convergence import COUNTS, measure_convergence
from xdnn_core.experiments.image_runs import ImageRun, OpenRun, counted
from xdnn_core.experiments.protocol import ImageExperiment, Share, add_run_arguments
from xdnn_core.experiments.provenance import Provenance
from xdnn_core.models.zoo import PretrainedModel

# The paper's and Captum's rule, and the app's default.
FIGURE_RULES: Final = ("gauss_legendre", "graded")


@dataclass(frozen=True)
class ErrorCurve:
    """Error of one method on one network over the images, one value a count."""

    # network, is_xdnn: name, and whether F(αx) = αF(x)
    network: str
    is_xdnn: bool
    method: str  # a rule of Integrated Gradients, "input_x_gradient" or "x_gradient"
    counts: tuple[int, ...]  # gradient calls
    # mean, lower, median, upper: mean and quartiles of ‖A − R‖₁ / ‖R‖₁ over the images
    mean: tuple[float, ...]
    lower: tuple[float, ...]
    median: tuple[float, ...]
    upper: tuple[float, ...]


@dataclass(frozen=True)
class Figure3:
    """Both networks' curves."""

    # rules of Integrated Gradients, and the single gradient with counts (1,), by network
    curves: tuple[ErrorCurve, ...]
    gradient_calls: int  # spent on an image, both networks
    unreadable: tuple[str, ...]  # names of the images that could not be decoded and do not count
    provenance: Provenance  # how it was made, and over how many images


def measure_image(
    models: Sequence[PretrainedModel],
    photo: Image.Image,
    label: int,
    rules: tuple[str, ...] = FIGURE_RULES,
    share: Share = lambda done: None,
) -> pd.DataFrame:
    """Measure both networks' convergence on one photograph, for one class.

    A row for every network, method and count: network, method, calls, error, completeness_gap,
    estimated_error, spent (gradient calls of the network's whole plot).
    """
    rows: list[dict[str, Any]] = []
    for position, model in enumerate(models):
        convergence = measure_convergence(
            model.network,
            model.preprocess(photo)[None],
            label,
            rules=rules,
            progress=_part(share, position, len(models)),
        )
        fast = "x_gradient" if model.is_xdnn else "input_x_gradient"
        common = {"network": model.name, "spent": convergence.gradient_calls}
        rows.append(common | {"method": fast, "calls": 1, "error": convergence.fast_error})
        for curve in convergence.curves:
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


def _part(share: Share, position: int, parts: int) -> Callable[..., None]:
    """Progress of one of several parts, (done, in all) or a share, as a share of the whole."""
    return lambda done, total=1: share((position + done / total) / parts)


def measure_block(
    run: OpenRun, block: Sequence[int], share: Share, rules: tuple[str, ...]
) -> pd.DataFrame:
    """Measure one image after the other; images that cannot be read have no rows."""
    photos = run.photographs(block)
    parts = [pd.DataFrame()]
    for position, (number, photo) in enumerate(photos.items()):
        within = _part(share, position, len(photos))
        rows = measure_image(run.models, photo, run.images.labels[number], rules, within)
        parts.append(rows.assign(**run.describe(number)))
    return pd.concat(parts[1:] or parts, ignore_index=True)


def summarise(run: ImageRun) -> Figure3:
    """Reduce the rows of all images to mean and quartiles."""
    rows = run.rows
    curves = []
    for model in run.models:
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
    return Figure3(tuple(curves), spent, run.unreadable, run.provenance)


def describe(figure: Figure3) -> str:
    """The figure as tables in plain text."""
    lines = [
        counted(figure.provenance, figure.unreadable)
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
    add_run_arguments(parser, "figure3", batch=1)
    parser.add_argument(
        "--rules", nargs="+", choices=RULES, default=list(FIGURE_RULES),
        help=f"of Integrated Gradients (default: {' '.join(FIGURE_RULES)})",
    )  # fmt: skip


FIGURE3: Final = ImageExperiment(
    "figure3", Figure3, measure_block, summarise, describe, settings=("rules",),
    constants={"counts": COUNTS},
)  # fmt: skip
load_figure3, main = FIGURE3.load, FIGURE3.main
