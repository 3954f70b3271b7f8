"""Prior training: the stack against one model at a time.

    python -m tools.bench priors

The sequential loop works as the published experiment does: one model at a time, attributions by
autograd with a graph, the Gini over all pairs of features, double backward, and scikit-learn's
ROC-AUC every epoch with a deep copy of every new best model. Expected Gradients shuffles k
copies of the training rows through a DataLoader and takes the gradient at one sample after the
other. Both train on one core, in turns.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from tools.bench.sequential_priors import STRENGTH, train_sequentially
from xdnn_core.data.cohorts.cohort import Cohort
from xdnn_core.data.cohorts.load import load_cohort
from xdnn_core.device import resolve_device, synchronise
from xdnn_core.experiments.figure1 import REFERENCES, run_figure1
from xdnn_core.experiments.figure1_summary import FIGURE_METHODS
from xdnn_core.metrics.ranking import roc_auc
from xdnn_core.models.mlp import MLPConfig
from xdnn_core.priors.ensemble import EnsembleConfig, PriorEnsemble
from xdnn_core.priors.methods import PriorMethod, parse_method
from xdnn_core.priors.splits import SplitStack, stack_splits
from xdnn_core.priors.sweep import PAPER_STRENGTHS

# Least ratio of CPU seconds a replicate, sequential over stacked.
TARGETS = {"none": 2.5, "x_gradient": 3.0, "rrr": 3.0, "gradient": 3.0, "expected_gradients:8": 2.0}
RATE_TARGET = 0.55
SWEEP_TARGET_SECONDS = 60.0
_TIMED_REPLICATES = 5


@dataclass(frozen=True)
class Timing:
    """CPU seconds one replicate takes, over all epochs."""

    method: str  # key
    sequential: float  # the published style
    sequential_our_auc: float  # the same loop with `roc_auc` in place of scikit-learn's
    stacked: float  # `PriorEnsemble`

    @property
    def ratio(self) -> float:
        """How many times faster the stack is."""
        return self.sequential / self.stacked

    @property
    def ratio_our_auc(self) -> float:
        """The same against the loop with our ROC-AUC."""
        return self.sequential_our_auc / self.stacked


def _scikit_score(logits: Tensor, labels: Tensor) -> float:
    return float(roc_auc_score(labels.cpu().numpy(), logits.cpu().numpy()))


def _our_score(logits: Tensor, labels: Tensor) -> float:
    return float(roc_auc(logits, labels))


def _train_stack(splits: SplitStack, method: PriorMethod, epochs: int) -> PriorEnsemble:
    """The stacked trainer on the same task; nothing is measured that the loop does not."""
    config = EnsembleConfig(method, measure=False)
    ensemble = PriorEnsemble(splits, config)
    for _ in range(epochs):
        ensemble.step(STRENGTH)
    return ensemble


def measure_method(
    splits: SplitStack, key: str, epochs: int, sequential: int, rounds: int
) -> Timing:
    """Time one method both ways, in turns, and take medians over the rounds."""
    method = parse_method(key)
    train_sequentially(splits, 0, method, 2, _our_score)
    _train_stack(splits, method, 2)
    loops: list[float] = []
    ablations: list[float] = []
    stacks: list[float] = []
    for _ in range(rounds):
        for times, score in ((loops, _scikit_score), (ablations, _our_score)):
            began = time.process_time()
            for replicate in range(sequential):
                train_sequentially(splits, replicate, method, epochs, score)
            times.append((time.process_time() - began) / sequential)
        began = time.process_time()
        _train_stack(splits, method, epochs)
        stacks.append((time.process_time() - began) / splits.replicates)
    return Timing(
        key, statistics.median(loops), statistics.median(ablations), statistics.median(stacks)
    )


def multiply_rate(replicates: int) -> float:
    """This machine's batched matrix-multiply rate on one core, flop/s: the best of three shapes."""
    shapes = ((200, 118, 512), (200, 512, 128), (256, 512, 512))
    best = 0.0
    for rows, inner, columns in shapes:
        a = torch.randn(replicates, rows, inner)
        b = torch.randn(replicates, columns, inner).mT
        torch.bmm(a, b)
        repeats = max(3, int(2e10 / (2 * replicates * rows * inner * columns)))
        began = time.process_time()
        for _ in range(repeats):
            torch.bmm(a, b)
        spent = time.process_time() - began
        best = max(best, 2.0 * replicates * rows * inner * columns * repeats / spent)
    return best


def x_gradient_rate(splits: SplitStack, seconds: float, epochs: int) -> float:
    """Flop/s of X-Gradient's five products an epoch, from its CPU seconds a replicate."""
    shape = MLPConfig(splits.features)
    return 5 * 2.0 * splits.train * shape.multiplications * epochs / seconds


def measure_sweep(cohort: Cohort, replicates: int, device: torch.device) -> tuple[float, float]:
    """Seconds of the whole Figure 1 sweep, and the sequential loop's estimate for the same.

    The loop is timed on five replicates of each method. Its cost grows linearly with the
    references k, so Expected Gradients is timed at k = 1 and 8 and put on a line.
    """
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        run_figure1(cohort, replicates, folder=Path(folder), device=str(device))
        synchronise(device)
        ours = time.perf_counter() - began
    splits = stack_splits(cohort, range(_TIMED_REPLICATES), device)
    a_replicate = {
        key: _seconds_sequentially(splits, key) for key in (*FIGURE_METHODS, "expected_gradients:8")
    }
    one, eight = a_replicate["expected_gradients:1"], a_replicate["expected_gradients:8"]
    runs = sum(
        a_replicate[key] * (len(PAPER_STRENGTHS) if parse_method(key).card.regularised else 1)
        for key in FIGURE_METHODS
    )
    runs += sum(one + (eight - one) * (k - 1) / 7 for k in REFERENCES if k > 1)
    return ours, runs * replicates


def _seconds_sequentially(splits: SplitStack, key: str) -> float:
    method = parse_method(key)
    train_sequentially(splits, 0, method, 2, _scikit_score)
    began = time.perf_counter()
    for replicate in range(_TIMED_REPLICATES):
        train_sequentially(splits, replicate, method, 100, _scikit_score)
    synchronise(splits.x.device)
    return (time.perf_counter() - began) / _TIMED_REPLICATES


@contextmanager
def _one_core() -> Iterator[None]:
    """Time on one core, so that CPU seconds are those of the work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``python -m tools.bench priors``."""
    parser.add_argument("--cohort", default="nhefs", help="as for figure1 (default: nhefs)")
    parser.add_argument("--replicates", type=int, default=8, help="in the stack (default: 8)")
    parser.add_argument("--epochs", type=int, default=100, help="training steps (default: 100)")
    parser.add_argument("--rounds", type=int, default=3, help="turns, medians taken (default: 3)")
    parser.add_argument("--device", help="cpu or cuda: cuda also times the whole Figure 1 sweep")
    parser.add_argument(
        "--sweep-replicates", type=int, default=200, help="of that sweep (default: 200)"
    )


def main(args: argparse.Namespace) -> int:
    """Run ``python -m tools.bench priors``; returns the exit status."""
    cohort = load_cohort(args.cohort)
    splits = stack_splits(cohort, range(args.replicates), torch.device("cpu"))
    print(f"{cohort.title}, {args.epochs} epochs, stack of {args.replicates}, one core, medians of "
          f"{args.rounds} rounds\nCPU seconds a replicate:")  # fmt: skip
    print(f"{'method':<24}{'loop':>8}{'our AUC':>9}{'stack':>8}{'ratio':>8}{'our AUC':>9}"
          f"{'target':>9}")  # fmt: skip
    with _one_core():
        for key, target in TARGETS.items():
            row = measure_method(splits, key, args.epochs, min(4, args.replicates), args.rounds)
            print(f"{key:<24}{row.sequential:>8.3f}{row.sequential_our_auc:>9.3f}"
                  f"{row.stacked:>8.3f}{row.ratio:>8.2f}{row.ratio_our_auc:>9.2f}"
                  f"{f'>= {target:g}':>9}  {_verdict(row.ratio >= target)}")  # fmt: skip
            if key == "x_gradient":
                reached = x_gradient_rate(splits, row.stacked, args.epochs)
        rate = multiply_rate(args.replicates)
    share = reached / rate
    print(f"X-Gradient multiplies at {reached / 1e9:.1f} GFLOP/s, {share:.2f} of this machine's "
          f"{rate / 1e9:.1f} GFLOP/s (target >= {RATE_TARGET:g})  "
          f"{_verdict(share >= RATE_TARGET)}")  # fmt: skip
    device = resolve_device(args.device)
    if device.type == "cuda":
        ours, loop = measure_sweep(cohort, args.sweep_replicates, device)
        print(f"Figure 1 sweep, {args.sweep_replicates} replicates, fp32, "
              f"{torch.cuda.get_device_name(device)}: {ours:.1f} s (target "
              f"{SWEEP_TARGET_SECONDS:g} s); the loop's estimate on the same device "
              f"{loop / 3600:.1f} h, {loop / ours:.0f} times as long  "
              f"{_verdict(ours <= SWEEP_TARGET_SECONDS)}")  # fmt: skip
    return 0


def _verdict(met: bool) -> str:
    return "met" if met else "NOT met"
