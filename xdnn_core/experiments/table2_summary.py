"""Table 2 reduced: a row a network, and what taking the biases away changes, pair by pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from xdnn_core.experiments.image_runs import ImageRun, counted
from xdnn_core.experiments.provenance import Provenance
from xdnn_core.metrics.classification import (
    Difference,
    PairedAccuracy,
    compare_classifiers,
    mean_per_class,
)
from xdnn_core.models.zoo import PretrainedModel

_AUTHORS_BATCH: Final = 2
_AUTHORS_FLOOR: Final = 1e-7  # added to the mean |IG| of a batch by the authors' code


@dataclass(frozen=True)
class BiasCost:
    """One network's row."""

    # network, title, is_xdnn: name, name for people, and whether F(αx) = αF(x)
    network: str
    title: str
    is_xdnn: bool
    recipe: str  # how it was trained, in a sentence
    # top1, top5: shares of images, 0 to 1
    top1: float
    top5: float
    mean_per_class: float  # top-1 averaged over the classes
    mard: float  # mean over images of ‖A − IG‖₁/‖IG‖₁, A the single-gradient attribution; relative
    # as the authors' code has it: mean over batches of two images of mean|A − IG| / mean|IG|.
    # Neither is their Equation 14, which averages |A − IG|/|IG| element by element.
    mard_of_batches: float
    # lower quartile, median and upper quartile over images of what biases hold of the logit,
    # signed; see `attribution.ledger`
    bias_part: tuple[float, float, float]
    half_distance: float  # mean over images, see `metrics.distance`
    attributed: int  # images that MARD, bias part and half distance are over


@dataclass(frozen=True)
class PairRow:
    """What taking the biases away changes in one pair, or on average in several."""

    title: str  # of the pair
    accuracy: PairedAccuracy  # X network minus regular network


@dataclass(frozen=True)
class Table2:
    """All networks."""

    networks: tuple[BiasCost, ...]  # one row a network
    # one row for every regular network that is followed by an X network; with several, first their
    # mean
    pairs: tuple[PairRow, ...]
    unreadable: tuple[str, ...]  # names of the images that could not be decoded and do not count
    provenance: Provenance  # how it was made, and over how many images


def summarise(run: ImageRun) -> Table2:
    """Reduce the rows of all images to the table."""
    rows = [
        run.rows[run.rows["network"] == model.name].sort_values("image", ignore_index=True)
        for model in run.models
    ]
    networks = tuple(map(_summarise_one, run.models, rows))
    return Table2(networks, _pairs(networks, rows), run.unreadable, run.provenance)


def _summarise_one(model: PretrainedModel, rows: pd.DataFrame) -> BiasCost:
    """One network's row, from its images in the order of the set."""
    hits = (rows["rank"] == 0).to_numpy()
    own = rows[rows["l1_integrated"].notna()].reset_index(drop=True)
    low, median, high = own["bias_part"].quantile([0.25, 0.5, 0.75])
    return BiasCost(
        network=model.name,
        title=model.title,
        is_xdnn=model.is_xdnn,
        recipe=model.card.recipe,
        top1=float(hits.mean()),
        top5=float((rows["rank"] < 5).mean()),
        mean_per_class=mean_per_class(hits, rows["label"].to_numpy()),
        mard=float((own["l1_apart"] / own["l1_integrated"]).mean()),
        mard_of_batches=_mard_of_batches(own),
        bias_part=(float(low), float(median), float(high)),
        half_distance=float(own["half_distance"].mean()),
        attributed=len(own),
    )


def _pairs(networks: Sequence[BiasCost], rows: Sequence[pd.DataFrame]) -> tuple[PairRow, ...]:
    """Every regular network beside the X network that follows it; the mean of several first."""
    places = [
        (at, at + 1)
        for at in range(len(networks) - 1)
        if not networks[at].is_xdnn and networks[at + 1].is_xdnn
    ]
    if not places:
        return ()
    labels = rows[0]["label"].to_numpy()
    first, second = (
        np.stack([rows[pair[side]]["rank"].to_numpy() for pair in places]) for side in (0, 1)
    )  # (S, N)
    pairs = [
        PairRow(
            f"{networks[own[1]].title} − {networks[own[0]].title}",
            compare_classifiers(first[n : n + 1], second[n : n + 1], labels),
        )
        for n, own in enumerate(places)
    ]
    if len(pairs) > 1:
        mean = compare_classifiers(first, second, labels)
        pairs.insert(0, PairRow(f"Mean of {len(pairs)} pairs", mean))
    return tuple(pairs)


def _mard_of_batches(own: pd.DataFrame) -> float:
    """Mean over batches of mean|A − IG| / (mean|IG| + 1e-7), batches in the order of the set."""
    batches = own.groupby(own.index // _AUTHORS_BATCH)[["l1_apart", "l1_integrated", "elements"]]
    sums = batches.sum()
    apart, size = (sums[name] / sums["elements"] for name in ("l1_apart", "l1_integrated"))
    return float((apart / (size + _AUTHORS_FLOOR)).mean())


def describe(table: Table2) -> str:
    """The table in plain text, per cent."""
    lines = [
        counted(table.provenance, table.unreadable),
        "",
        f"{'%':<24}{'top-1':>8}{'top-5':>8}{'classes':>9}{'MARD':>10}{'of batches':>12}"
        f"{'bias part: quartiles':>24}{'half':>9}{'images':>8}",
    ]
    for row in table.networks:
        part = " ".join(f"{100 * share:.0f}" for share in row.bias_part)
        lines.append(
            f"{row.title:<24}{100 * row.top1:>8.2f}{100 * row.top5:>8.2f}"
            f"{100 * row.mean_per_class:>9.2f}{100 * row.mard:>10.3g}"
            f"{100 * row.mard_of_batches:>12.3g}{part:>24}"
            f"{100 * row.half_distance:>9.3g}{row.attributed:>8}"
        )
    for pair in table.pairs:
        lines += ["", f"{pair.title}, points [95 % bootstrap interval over images]:"]
        for name in ("top1", "top5", "mean_per_class"):
            own: Difference = getattr(pair.accuracy, name)
            lines.append(
                f"  {name:<16}{100 * own.value:+.2f} [{100 * own.low:+.2f}, {100 * own.high:+.2f}]"
            )
        if pair.accuracy.p is not None:
            lines.append(
                f"  right alone: {pair.accuracy.only_first} with biases, "
                f"{pair.accuracy.only_second} without; McNemar's exact p {pair.accuracy.p:.2g}"
            )
    return "\n".join(lines)
