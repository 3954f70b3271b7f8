"""What the Results page says and shows of the stored tables: sentences, and cells as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from xdnn_core.experiments.cost import Cost
from xdnn_core.experiments.provenance import Provenance
from xdnn_core.experiments.published import COST, TABLE2, TABLE3, TABLE3_METRICS
from xdnn_core.experiments.table2_summary import BiasCost, PairRow, Table2
from xdnn_core.experiments.table3_summary import QUALITY_METHODS, Quality, Table3
from xdnn_core.io import RESULTS
from xdnn_core.metrics.classification import Difference
from xdnn_core.metrics.masking import MASKING_METRICS
from xdnn_core.models.catalogue import available_models
from xdnn_core.text import duration, percent, signed

_MEGABYTE: Final = 1024**2
_NBSP: Final = "\u00a0"


@dataclass(frozen=True)
class StoredResult:
    """A result file."""

    path: Path  # where it lies
    own: bool  # whether the user made it; else it came with the app


def stored_results(name: str, folder: Path) -> list[StoredResult]:
    """Results of a command: those that came with the app, then the user's, newest first."""
    shipped = sorted(RESULTS.glob(f"{name}*.parquet"), key=lambda file: len(file.stem))
    own = sorted(
        folder.glob(f"{name}-*.parquet"), key=lambda file: file.stat().st_mtime, reverse=True
    )
    return [
        *(StoredResult(file, False) for file in shipped),
        *(StoredResult(file, True) for file in own),
    ]


def network_titles(names: Sequence[str]) -> dict[str, str]:
    """Titles of networks by name; a file of one's own keeps its name."""
    known = {card.name: card.title for card in available_models()}
    return {name: known.get(name, name) for name in names}


def made_line(made: Provenance) -> str:
    """Where a result is from, in one line."""
    return f"{made.data_set} · {made.images:,} images · {made.hardware} · {made.date[:10]}"


def table2_answer(table: Table2) -> str:
    """The sentences that matter about Table 2, with their numbers."""
    said = []
    if table.pairs:
        said.append(_accuracy_answer(table.pairs, table.provenance.images))
    for is_xdnn in (False, True):
        rows = [row for row in table.networks if row.is_xdnn == is_xdnn]
        if rows:
            kind = "X-Gradient" if is_xdnn else "Input×Gradient"
            said.append(
                f"{kind} {'without' if is_xdnn else 'with'} biases is **{_range(rows)}** from "
                "Integrated Gradients (MARD)."
            )
    return " ".join(said)


def _accuracy_answer(pairs: Sequence[PairRow], images: int) -> str:
    """Whether accuracy differs without biases, by how much, and how much pairs differ in that."""
    first, *each = pairs  # with several pairs, their mean comes first
    top1 = first.accuracy.top1
    if top1.low <= 0 <= top1.high:
        sure = "no difference in the accuracy of these networks is established"
    else:
        sure = f"these networks' accuracy is {'higher' if top1.value > 0 else 'lower'}"
    by_pair = ", ".join(signed(100 * pair.accuracy.top1.value, 1) for pair in each)
    return (
        f"Without biases {sure}: top-1 **{_difference(top1)}** on {images:,} images"
        + (f", pair by pair {by_pair}" if each else "")
        + f"; mean per class {_difference(first.accuracy.mean_per_class)}."
    )


def _range(rows: Sequence[BiasCost]) -> str:
    """MARD of some networks: one number, or the smallest and the largest."""
    low, high = (percent(choose(row.mard for row in rows)) for choose in (min, max))
    return low if low == high else f"{low} to {high}"


def _difference(found: Difference) -> str:
    """A difference in points of per cent with its interval."""
    value, low, high = (signed(100 * share, 1) for share in (found.value, found.low, found.high))
    return f"{value} points (95{_NBSP}% interval {low} to {high})"


def table2_frame(table: Table2, of_batches: bool) -> pd.DataFrame:
    """Our rows of Table 2 as text."""
    return pd.DataFrame(
        {
            "network": [row.title for row in table.networks],
            "top-1": [_points(row.top1) for row in table.networks],
            "top-5": [_points(row.top5) for row in table.networks],
            "per class": [_points(row.mean_per_class) for row in table.networks],
            "MARD": [percent(_mard(row, of_batches)) for row in table.networks],
            "bias part": [_bias_part(row) for row in table.networks],
            "half distance": [percent(row.half_distance) for row in table.networks],
        }
    )


def table2_pairs(table: Table2) -> pd.DataFrame:
    """What taking the biases away changes, pair by pair, as text; points of per cent."""
    return pd.DataFrame(
        {
            "X − regular, points": [pair.title for pair in table.pairs],
            "top-1": [_interval(pair.accuracy.top1) for pair in table.pairs],
            "top-5": [_interval(pair.accuracy.top5) for pair in table.pairs],
            "per class": [_interval(pair.accuracy.mean_per_class) for pair in table.pairs],
            "right alone": [_discordant(pair) for pair in table.pairs],
            "McNemar p": [
                "" if (p := pair.accuracy.p) is None else f"{p:.2g}" for pair in table.pairs
            ],
        }
    )


def _interval(found: Difference) -> str:
    value, low, high = (signed(100 * share, 1) for share in (found.value, found.low, found.high))
    return f"{value} [{low}, {high}]"


def _discordant(pair: PairRow) -> str:
    """How many images the regular and the X network alone name right."""
    found = pair.accuracy
    return "" if found.only_first is None else f"{found.only_first} : {found.only_second}"


def _bias_part(row: BiasCost) -> str:
    """Median with the quartiles, rounded to per cent; -0 is 0."""
    low, median, high = (round(100 * share) + 0 for share in row.bias_part)
    return f"{median}{_NBSP}% [{low}, {high}]"


def _mard(row: BiasCost, of_batches: bool) -> float:
    return row.mard_of_batches if of_batches else row.mard


def _points(share: float) -> str:
    return f"{100 * share:.1f}{_NBSP}%"


def table2_published() -> pd.DataFrame:
    """The paper's rows of Table 2 as text."""
    rows = []
    for pair in TABLE2:
        rows.append((pair.title, pair.top5, pair.mard))
        rows.append((f"X-{pair.title}", pair.top5_x, pair.mard_x))
    return pd.DataFrame(
        [(title, f"{top5:.2f}{_NBSP}%", f"{mard:.1f}{_NBSP}%") for title, top5, mard in rows],
        columns=["network", "top-5", "MARD"],
    )


def method_title(method: str, network_is_xdnn: bool, steps: int) -> str:
    """Name of a row of Table 3."""
    if method == "ig":
        return f"Integrated Gradients, {steps} calls"
    if method == "fast":
        return "X-Gradient" if network_is_xdnn else "Input×Gradient"
    return QUALITY_METHODS[method]


def is_x_network(table: Table3, network: str) -> bool:
    """Whether a network of the table was marked as one without biases."""
    return next(q.is_xdnn for q in table.qualities if q.network == network)


def table3_networks(table: Table3) -> dict[str, str]:
    """Titles of the table's networks by name."""
    return network_titles(list(dict.fromkeys(q.network for q in table.qualities)))


def table3_frame(table: Table3, network: str) -> pd.DataFrame:
    """Our rows of Table 3 for one network as text, areas with half their 95 % intervals."""
    is_x = is_x_network(table, network)
    rows = []
    for method in QUALITY_METHODS:
        cells = {
            heading(name): _area(table.quality(network, method, name)) for name in MASKING_METRICS
        }
        rows.append({"method": method_title(method, is_x, table.steps), **cells})
    return pd.DataFrame(rows)


def heading(metric: str) -> str:
    """A metric's short name with its direction."""
    return f"{metric} {'↑' if MASKING_METRICS[metric].higher_is_better else '↓'}"


def _area(quality: Quality) -> str:
    """An area to the digits the paper prints; more for those of confidences, at most 1."""
    digits = 2 if quality.metric in TABLE3_METRICS else 3
    half = (quality.high - quality.low) / 2
    return f"{quality.area:.{digits}f} ± {half:.{digits}f}"


def table3_published(network_is_xdnn: bool) -> pd.DataFrame:
    """The paper's rows of Table 3 for AlexNet or X-AlexNet as text."""
    methods = TABLE3["X-AlexNet" if network_is_xdnn else "AlexNet"]
    rows = [
        {
            "method": method_title(method, network_is_xdnn, 128),
            **{
                heading(name): f"{value:.2f}"
                for name, value in zip(TABLE3_METRICS, values, strict=True)
            },
        }
        for method, values in methods.items()
    ]
    return pd.DataFrame(rows)


def table3_answer(table: Table3) -> str:
    """The sentence that matters about Table 3: where one gradient does what many do."""
    said = []
    for network, title in table3_networks(table).items():
        is_x = is_x_network(table, network)
        fast = method_title("fast", is_x, table.steps)
        same: list[str] = []
        other: list[str] = []
        for name in MASKING_METRICS:
            one, many = (table.quality(network, method, name) for method in ("fast", "ig"))
            alike = _area(one).split(" ")[0] == _area(many).split(" ")[0]
            (same if alike else other).append(name)
        start = f"On **{title}** {fast}, one gradient,"
        calls = f"Integrated Gradients with {table.steps} calls"
        if not other:
            said.append(f"{start} scores what {calls} scores, **to the printed digits in every "
                        "column**.")  # fmt: skip
            continue
        worse = [name for name in other if table.quality(network, "fast", name).is_worse_than_ig]
        said.append(
            f"{start} scores worse than {calls} in **{len(worse)} of {len(MASKING_METRICS)} "
            "columns**" + (f" ({', '.join(worse)})" if worse else "")
            + ", paired over the images, 95 % for all columns together."
        )  # fmt: skip
    return " ".join(said)


def cost_answer(cost: Cost) -> str:
    """The sentence that matters about the cost of a training step, beside the paper's figure."""
    by_prior = {step.prior: step for step in cost.steps}
    x_step, many = by_prior["x_gradient"], by_prior["expected_gradients:32"]
    paper = COST[0]
    return (
        f"A training step with **X-Gradient** takes **{x_step.time_ratio:.1f} times** the time and "
        f"**{x_step.memory_ratio:.1f} times** the memory of one without a prior. "
        f"{many.title} takes **{many.time_to_x:.0f} times** the time and "
        f"**{many.memory_to_x:.1f} times** the memory of X-Gradient (the paper: "
        f"{paper.seconds / COST[1].seconds:.0f} and {paper.gigabytes / COST[1].gigabytes:.1f} "
        "times)."
    )


def cost_frame(cost: Cost) -> pd.DataFrame:
    """Our rows of the cost table as text."""
    return pd.DataFrame(
        {
            "prior": [step.title for step in cost.steps],
            "time": [duration(step.seconds) for step in cost.steps],
            "× plain": [f"{step.time_ratio:.1f}" for step in cost.steps],
            "× X-Gradient": [f"{step.time_to_x:.1f}" for step in cost.steps],
            "peak memory": [f"{step.peak_bytes / _MEGABYTE:,.0f}{_NBSP}MB" for step in cost.steps],
            "× plain ": [f"{step.memory_ratio:.1f}" for step in cost.steps],
            "× X-Gradient ": [f"{step.memory_to_x:.1f}" for step in cost.steps],
        }
    )


def cost_published() -> pd.DataFrame:
    """The paper's rows of the cost table as text; it prints no step without a prior."""
    x = COST[1]
    return pd.DataFrame(
        {
            "prior": [step.title for step in COST],
            "time": [duration(step.seconds) for step in COST],
            "× X-Gradient": [f"{step.seconds / x.seconds:.1f}" for step in COST],
            "peak memory": [f"{step.gigabytes:.2f}{_NBSP}GB" for step in COST],
            "× X-Gradient ": [f"{step.gigabytes / x.gigabytes:.1f}" for step in COST],
        }
    )
