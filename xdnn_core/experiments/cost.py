"""What a training step with an attribution prior costs (Hesse et al. 2021, Section B.3).

    python -m xdnn_core cost --network alexnet-caltech101 --batch 16

One step: cross-entropy of a batch, the negative Gini coefficient of the attributions of the labels,
and the gradient of their sum by all parameters. Time is the median over rounds in turns; memory is
the peak above what was held before, each in a process of its own on a CPU. There are two ratios: to
the step without a prior on the same network, and to the step with X-Gradient, which is the one the
paper prints. X-Gradient is trained on the network without its biases.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from xdnn_core.device import resolve_device
from xdnn_core.errors import UserError
from xdnn_core.experiments.measuring import in_fresh_process, interleaved_seconds, peak_extra_bytes
from xdnn_core.experiments.provenance import (
    Provenance,
    add_out_argument,
    provenance,
    read_result,
    report,
)
from xdnn_core.homogeneity.inspection import remove_biases
from xdnn_core.io import RESULTS
from xdnn_core.models.catalogue import EMBEDDED
from xdnn_core.models.zoo import load_model
from xdnn_core.priors.loss import attribution_prior_loss
from xdnn_core.priors.methods import parse_method
from xdnn_core.text import duration

STORED: Final = RESULTS / "cost.parquet"
PRIORS: Final = (
    "none", "none_without_bias", "x_gradient", "expected_gradients:1", "expected_gradients:8",
    "expected_gradients:32", "integrated_gradients:8", "integrated_gradients:32",
)  # fmt: skip
_MEGABYTE: Final = 1024**2
_SIZE: Final = 224  # pixels


@dataclass(frozen=True)
class StepCost:
    """One way to train."""

    prior: str  # a key that `parse_method` reads
    title: str  # for people
    seconds: float  # of one step, median
    peak_bytes: int  # of memory above what was held before
    # time_ratio, memory_ratio: to the step without a prior on the same network
    time_ratio: float
    memory_ratio: float
    # time_to_x, memory_to_x: to the step with X-Gradient
    time_to_x: float
    memory_to_x: float


@dataclass(frozen=True)
class Cost:
    """All priors."""

    network: str  # name
    batch: int  # images a step
    repeats: int  # timed rounds
    steps: tuple[StepCost, ...]  # one a prior
    provenance: Provenance  # how it was made; `images` is the batch


def training_step(
    network: nn.Module, inputs: Tensor, labels: Tensor, prior: str, strength: float = 1e-3
) -> float:
    """Compute the loss of one step and its gradient by the parameters.

    `network`: maps (B, C, H, W) to logits (B, K); its parameters require gradients. `inputs`,
    `labels`: (B, C, H, W) and (B,).
    """
    network.zero_grad(set_to_none=True)
    loss = cross_entropy(network(inputs), labels)
    if parse_method(prior).card.regularised:
        loss = loss + strength * attribution_prior_loss(network, inputs, prior, target=labels)
    loss.backward()
    return float(loss.detach())


def _prepare(network: str, prior: str, batch: int, device: torch.device) -> Callable[[], float]:
    """A step ready to be taken, on random images."""
    model = load_model(network, device)
    trained: nn.Module = copy.deepcopy(model.network)
    if not parse_method(prior).card.biases:
        trained = remove_biases(trained)
    trained = trained.requires_grad_(True).eval()  # no dropout: steps are to be alike
    rng = torch.Generator().manual_seed(0)
    inputs = torch.randn(batch, 3, _SIZE, _SIZE, generator=rng).to(device)
    labels = torch.randint(len(model.classes), (batch,), generator=rng).to(device)
    return lambda: training_step(trained, inputs, labels, prior)


def peak_of(network: str, prior: str, batch: int, device: str, threads: int) -> int:
    """Peak memory of one step above what was held, bytes; to be called in a fresh process."""
    torch.set_num_threads(threads)
    chosen = torch.device(device)
    # A small step first, so that what torch sets up once is not counted.
    _prepare(network, prior, 1, chosen)()
    return peak_extra_bytes(_prepare(network, prior, batch, chosen), chosen)


def measure_cost(network: str, batch: int, repeats: int, device: torch.device) -> Cost:
    """Measure a training step with every prior."""
    for name, value in (("--batch", batch), ("--repeats", repeats)):
        if value < 1:
            raise UserError(f"{name} is {value}; give 1 or more.")
    if load_model(network, device).is_xdnn:
        raise UserError(
            f"{network} has no biases already; give a network with biases, whose biases are "
            "removed for X-Gradient."
        )
    works = [_prepare(network, prior, batch, device) for prior in PRIORS]
    rounds: list[list[float]] = []
    with tqdm(total=1 + repeats + len(PRIORS), desc="cost") as bar:
        for number in range(1 + repeats):
            seconds_of_round = interleaved_seconds(works, 1, device)
            rounds += [seconds_of_round] if number else []
            bar.update()
        del works
        peaks = []
        for prior in PRIORS:
            settings = (network, prior, batch, str(device), torch.get_num_threads())
            peaks.append(in_fresh_process(peak_of, *settings))
            bar.update()
    seconds = torch.tensor(rounds, dtype=torch.float64).median(dim=0).values.tolist()
    return Cost(
        network, batch, repeats, _against_plain(seconds, peaks),
        provenance("random images", batch, device),
    )  # fmt: skip


def _against_plain(seconds: list[float], peaks: list[int]) -> tuple[StepCost, ...]:
    """Every prior beside the step without one on the same network, and beside X-Gradient's."""
    costs = []
    x = PRIORS.index("x_gradient")
    for prior, took, peak in zip(PRIORS, seconds, peaks, strict=True):
        method = parse_method(prior)
        plain = PRIORS.index("none" if method.card.biases else "none_without_bias")
        costs.append(
            StepCost(
                prior, method.title, took, peak, took / seconds[plain], peak / peaks[plain],
                took / seconds[x], peak / peaks[x],
            )
        )  # fmt: skip
    return tuple(costs)


def load_cost(path: Path = STORED) -> Cost:
    """Read a stored result."""
    return read_result(path, "cost", Cost, ["time_to_x"])[1]


def describe(cost: Cost) -> str:
    """The table in plain text."""
    lines = [
        f"{cost.network}, {cost.batch} images of {_SIZE}×{_SIZE} a step, "
        f"medians of {cost.repeats} rounds, {cost.provenance.hardware}",
        "",
        f"{'training step with':<32}{'time':>10}{'/ plain':>9}{'/ X-Gradient':>14}"
        f"{'peak, MB':>11}{'/ plain':>9}{'/ X-Gradient':>14}",
    ]
    for step in cost.steps:
        lines.append(
            f"{step.title:<32}{duration(step.seconds):>10}{step.time_ratio:>9.2f}"
            f"{step.time_to_x:>14.2f}{step.peak_bytes / _MEGABYTE:>11,.0f}"
            f"{step.memory_ratio:>9.2f}{step.memory_to_x:>14.2f}"
        )
    return "\n".join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``python -m xdnn_core cost``."""
    parser.add_argument(
        "--network", default=EMBEDDED[0][0], metavar="NAME",
        help=f"with biases, from `python -m xdnn_core models` (default: {EMBEDDED[0][0]})",
    )  # fmt: skip
    parser.add_argument("--batch", type=int, default=16, help="images a step (default: 16)")
    parser.add_argument("--repeats", type=int, default=5, help="timed rounds (default: 5)")
    parser.add_argument("--device", help="cpu or cuda (default: the best at hand)")
    add_out_argument(parser, "cost")


def main(args: argparse.Namespace) -> int:
    """Run ``python -m xdnn_core cost``; returns the exit status."""
    device = resolve_device(args.device)
    cost = measure_cost(args.network, args.batch, args.repeats, device)
    return report(args.out, pd.DataFrame(map(asdict, cost.steps)), cost, "cost", describe(cost))
