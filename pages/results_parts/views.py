"""What the Results page says and shows of the stored tables: sentences and rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, astuple
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
from xdnn_core.text import percent, signed

_MEGABYTE: Final = 1024**2
_NBSP: Final = "\u00a0"


def stored_results(name: str, folder: Path) -> list[Path]:
    """Results of a command: those that came with the app, then the user's, newest first."""
    shipped = sorted(RESULTS.glob(f"{name}*.parquet"), key=lambda file: len(file.stem))
    own = folder.glob(f"{name}-*.parquet")
    return shipped + sorted(own, key=lambda file: file.stat().st_mtime, reverse=True)


def network_titles(names: Sequence[str]) -> dict[str, str]:
    """Titles of networks by name; a file of one's own keeps its name."""
    known = {card.name: card.title for card in available_models()}
    return {name: known.get(name, name) for name in names}


def made_line(made: Provenance) -> str:
    """Where a result is from, in one line."""
    return f"{made.data_set} · {made.images:,} images · {made.hardware} · {made.date[:10]}"


def table2_answer(table: Table2) -> str:
    """The sentences that matter about Table 2, with their numbers."""
    sentences = []
    if table.pairs:
        sentences.append(_accuracy_answer(table.pairs, table.provenance.images))
    for is_xdnn in (False, True):
        rows = [row for row in table.networks if row.is_xdnn == is_xdnn]
        if rows:
            kind = "X-Gradient" if is_xdnn else "Input×Gradient"
            sentences.append(
                f"{kind} {'without' if is_xdnn else 'with'} biases is **{_range(rows)}** from "
                "Integrated Gradients (MARD)."
            )
    return " ".join(sentences)


def _accuracy_answer(pairs: Sequence[PairRow], images: int) -> str:
    """Whether accuracy differs without biases, by how much, and how much pairs differ in that."""
    first, *single_pairs = pairs  # with several pairs, their mean comes first
    top1 = first.accuracy.top1
    if top1.low <= 0 <= top1.high:
        sure = "no difference in the accuracy of these networks is established"
    else:
        sure = f"these networks' accuracy is {'higher' if top1.value > 0 else 'lower'}"
    by_pair = ", ".join(signed(100 * pair.accuracy.top1.value, 1) for pair in single_pairs)
    return (
        f"Without biases {sure}: top-1 **{_difference(top1)}** on {images:,} images"
        + (f", pair by pair {by_pair}" if single_pairs else "")
        + f"; mean per class {_difference(first.accuracy.mean_per_class)}."
    )


def _range(rows: Sequence[BiasCost]) -> str:
    """MARD of some networks: one number, or the smallest and the largest."""
    low, high = (percent(choose(row.mard for row in rows)) for choose in (min, max))
    return low if low == high else f"{low} to {high}"


def _difference(difference: Difference) -> str:
    """A difference in points of per cent with its interval."""
    value, low, high = (signed(100 * share, 1) for share in astuple(difference))
    return f"{value} points (95{_NBSP}% interval {low} to {high})"


def table2_frame(table: Table2, of_batches: bool) -> pd.DataFrame:
    """Our rows of Table 2, per cent; bias parts as text, with their quartiles."""
    shares = {
        "top-1": "top1",
        "top-5": "top5",
        "per class": "mean_per_class",
        "MARD": "mard_of_batches" if of_batches else "mard",
        "half distance": "half_distance",
    }
    rows = pd.DataFrame(map(asdict, table.networks))
    frame = pd.DataFrame({heading: 100 * rows[share] for heading, share in shares.items()})
    frame.insert(0, "network", rows["title"])
    frame.insert(5, "bias part", [*map(_bias_part, table.networks)])
    return frame


def table2_pairs(table: Table2) -> pd.DataFrame:
    """What taking the biases away changes, pair by pair, as text; points of per cent."""
    paired = [pair.accuracy for pair in table.pairs]
    return pd.DataFrame(
        {
            "X − regular, points": [pair.title for pair in table.pairs],
            "top-1": [_interval(one.top1) for one in paired],
            "top-5": [_interval(one.top5) for one in paired],
            "per class": [_interval(one.mean_per_class) for one in paired],
            "right alone": [
                "" if one.p is None else f"{one.only_first} : {one.only_second}" for one in paired
            ],
            "McNemar p": ["" if one.p is None else f"{one.p:.2g}" for one in paired],
        }
    )


def _interval(difference: Difference) -> str:
    value, low, high = (signed(100 * share, 1) for share in astuple(difference))
    return f"{value} [{low}, {high}]"


def _bias_part(row: BiasCost) -> str:
    """Median with the quartiles, rounded to per cent; -0 is 0."""
    low, median, high = (round(100 * share) + 0 for share in row.bias_part)
    return f"{median}{_NBSP}% [{low}, {high}]"


def table2_published() -> pd.DataFrame:
    """The paper's rows of Table 2, per cent."""
    return pd.DataFrame(TABLE2, columns=["network", "top-5", "MARD"])


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
    columns = {"method": [method_title(method, is_x, table.steps) for method in QUALITY_METHODS]}
    for name in MASKING_METRICS:
        qualities = (table.quality(network, method, name) for method in QUALITY_METHODS)
        columns[heading(name)] = [*map(_area, qualities)]
    return pd.DataFrame(columns)


def heading(metric: str) -> str:
    """A metric's short name with its direction."""
    return f"{metric} {'↑' if MASKING_METRICS[metric].higher_is_better else '↓'}"


def _area(quality: Quality) -> str:
    """An area to the digits the paper prints; more for those of confidences, at most 1."""
    digits = 2 if quality.metric in TABLE3_METRICS else 3
    half = (quality.high - quality.low) / 2
    return f"{quality.area:.{digits}f} ± {half:.{digits}f}"


def table3_published(network_is_xdnn: bool) -> pd.DataFrame:
    """The paper's rows of Table 3 for AlexNet or X-AlexNet."""
    methods = TABLE3["X-AlexNet" if network_is_xdnn else "AlexNet"]
    titles = [method_title(method, network_is_xdnn, 128) for method in methods]
    frame = pd.DataFrame(methods.values(), columns=[*map(heading, TABLE3_METRICS)])
    frame.insert(0, "method", titles)
    return frame


def table3_answer(table: Table3) -> str:
    """The sentence that matters about Table 3: where one gradient does what many do."""
    sentences = []
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
            sentences.append(
                f"{start} scores what {calls} scores, **to the printed digits in every column**."
            )
            continue
        worse = [name for name in other if table.quality(network, "fast", name).is_worse_than_ig]
        sentences.append(
            f"{start} scores worse than {calls} in **{len(worse)} of {len(MASKING_METRICS)} "
            "columns**"
            + (f" ({', '.join(worse)})" if worse else "")
            + ", paired over the images, 95 % for all columns together."
        )
    return " ".join(sentences)


def cost_answer(cost: Cost) -> str:
    """The sentence that matters about the cost of a training step, beside the paper's figure."""
    by_prior = {step.prior: step for step in cost.steps}
    x_step, many = by_prior["x_gradient"], by_prior["expected_gradients:32"]
    (_, seconds, gigabytes), (_, x_seconds, x_gigabytes) = COST
    return (
        f"A training step with **X-Gradient** takes **{x_step.time_ratio:.1f} times** the time and "
        f"**{x_step.memory_ratio:.1f} times** the memory of one without a prior. "
        f"{many.title} takes **{many.time_to_x:.0f} times** the time and "
        f"**{many.memory_to_x:.1f} times** the memory of X-Gradient (the paper: "
        f"{seconds / x_seconds:.0f} and {gigabytes / x_gigabytes:.1f} times)."
    )


def cost_frame(cost: Cost) -> pd.DataFrame:
    """Our rows of the cost table."""
    steps = pd.DataFrame(map(asdict, cost.steps))
    return pd.DataFrame(
        {
            "prior": steps["title"],
            "time, s": steps["seconds"],
            "× plain": steps["time_ratio"],
            "× X-Gradient": steps["time_to_x"],
            "memory, MB": (steps["peak_bytes"] / _MEGABYTE).round(),
            "× plain ": steps["memory_ratio"],
            "× X-Gradient ": steps["memory_to_x"],
        }
    )


def cost_published() -> pd.DataFrame:
    """The paper's rows of the cost table; it prints no step without a prior."""
    frame = pd.DataFrame(COST, columns=["prior", "time, s", "memory, GB"])
    x = frame.iloc[-1]
    frame.insert(2, "× X-Gradient", frame["time, s"] / x["time, s"])
    frame["× X-Gradient "] = frame["memory, GB"] / x["memory, GB"]
    return frame
