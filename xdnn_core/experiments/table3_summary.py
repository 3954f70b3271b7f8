"""Table 3 reduced: areas with intervals, and how far each is from Integrated Gradients'."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
import pandas as pd
import torch

from xdnn_core.experiments.image_runs import ImageRun, counted
from xdnn_core.experiments.provenance import Provenance
from xdnn_core.metrics.classification import Difference
from xdnn_core.metrics.intervals import bootstrap_interval
from xdnn_core.metrics.masking import MASKING_METRICS, area_under

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
    """One network, one method, one metric."""

    # network, method, metric: names; the method is a key of `QUALITY_METHODS`, the metric of
    # `MASKING_METRICS`
    network: str
    method: str
    metric: str
    # whether the network has F(αx) = αF(x), so that its single gradient is X-Gradient
    is_xdnn: bool
    area: float  # area under the curve over the kept fraction, mean over images
    # low, high: its 95 % bootstrap interval over images
    low: float
    high: float
    curve: tuple[float, ...]  # mean score at every fraction of the metric
    # its area minus that of Integrated Gradients, paired over images; the intervals of one method
    # hold together with 95 % over networks and metrics (Bonferroni)
    to_ig: Difference

    @property
    def is_worse_than_ig(self) -> bool:
        """Whether the interval of the difference lies on the worse side of 0."""
        higher_is_better = MASKING_METRICS[self.metric].higher_is_better
        return self.to_ig.high < 0 if higher_is_better else self.to_ig.low > 0


@dataclass(frozen=True)
class Table3:
    """All networks, methods and metrics."""

    qualities: tuple[Quality, ...]  # network by network, method by method, metric by metric
    unreadable: tuple[str, ...]  # names of the images that could not be decoded and do not count
    steps: int  # gradient calls of Integrated Gradients
    provenance: Provenance  # how it was made, and over how many images

    def quality(self, network: str, method: str, metric: str) -> Quality:
        """One cell."""
        wanted = (network, method, metric)
        return next(q for q in self.qualities if (q.network, q.method, q.metric) == wanted)


def summarise(run: ImageRun) -> Table3:
    """Reduce the rows of all images to areas with intervals, and mean curves."""
    networks = {model.name: model.is_xdnn for model in run.models}
    qualities = qualities_of(run.rows, networks)
    return Table3(qualities, run.unreadable, run.note["steps"], run.provenance)


def qualities_of(rows: pd.DataFrame, networks: Mapping[str, bool]) -> tuple[Quality, ...]:
    """Reduce the rows of all images."""
    found = []
    ordered = rows.sort_values("image")  # every method's images in one order, to be paired
    cells = dict(list(ordered.groupby(["network", "method", "metric"])))
    level = 1 - 0.05 / (len(networks) * len(MASKING_METRICS))
    for (network, is_xdnn), (name, metric) in product(networks.items(), MASKING_METRICS.items()):
        reference = None  # areas of Integrated Gradients, which comes first
        for method in QUALITY_METHODS:
            curves = torch.tensor(np.stack(cells[network, method, name]["curve"]))  # (N, F)
            areas = area_under(curves, metric.fractions).double().numpy()  # (N, F) -> (N,)
            reference = areas if reference is None else reference
            difference = areas - reference
            interval = bootstrap_interval(difference, resamples=10_000, level=level)
            found.append(
                Quality(
                    network, method, name, is_xdnn, float(areas.mean()),
                    *bootstrap_interval(areas), tuple(curves.mean(dim=0).tolist()),
                    Difference(float(difference.mean()), *interval),
                )
            )  # fmt: skip
    return tuple(found)


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
