"""Figure 1 of the paper: what attribution priors do for a small tabular network.

    python -m xdnn_core figure1 --cohort nhefs --replicates 200

Left panel: test ROC-AUC of every method at the strength that validation chose. Right panel:
Expected Gradients against the number k of references, beside X-Gradient with its one gradient.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pandas as pd
from tqdm import tqdm

from xdnn_core.data.cohort import Cohort
from xdnn_core.data.cohorts import load_cohort
from xdnn_core.device import resolve_device
from xdnn_core.experiments.figure1_summary import (
    FIGURE_METHODS,
    describe,
    save_results,
    summarise,
)
from xdnn_core.priors.sweep import (
    PAPER_STRENGTHS,
    SweepProgress,
    choose_strengths,
    run_sweep,
    sweep_cost,
)
from xdnn_core.priors.sweep_cells import SweepConfig

REFERENCES: Final = (1, 2, 4, 8, 16, 32, 64, 128)


def run_figure1(
    cohort: Cohort,
    replicates: int = 200,
    *,
    folder: Path | None = None,
    references: tuple[int, ...] = REFERENCES,
    config: SweepConfig | None = None,
    device: str | None = None,
    workers: int | None = None,
    progress: SweepProgress | None = None,
) -> pd.DataFrame:
    """Train everything the figure needs.

    First every method at every strength; then Expected Gradients with more references at the
    strength that validation chose for one.

    Parameters
    ----------
    cohort, replicates, folder, config, device, workers, progress
        As in `run_sweep`; the progress is over both parts.
    references
        k of the right panel; 1 is always trained.

    Returns
    -------
    pandas.DataFrame
        As `run_sweep`'s, both parts together.

    Source: Hesse et al. 2021, Section 4.3 and Figure 1.
    """
    config = config or SweepConfig()
    more = [f"expected_gradients:{k}" for k in references if k > 1]
    first = sweep_cost(cohort, FIGURE_METHODS, PAPER_STRENGTHS, replicates, config)
    total = first + (sweep_cost(cohort, more, [1.0], replicates, config) if more else 0.0)

    def part(before: float) -> SweepProgress:
        def report(done: float, _: float, what: str) -> None:
            if progress is not None:
                progress(before + done, total, what)

        return report

    def sweep(methods: Sequence[str], strengths: Sequence[float], before: float) -> pd.DataFrame:
        return run_sweep(
            cohort, methods, strengths, replicates, folder=folder, config=config, device=device,
            workers=workers, progress=part(before),
        )  # fmt: skip

    results = sweep(FIGURE_METHODS, PAPER_STRENGTHS, 0.0)
    strength = choose_strengths(results)["expected_gradients:1"]
    if not more or math.isnan(strength):  # NaN: no replicate has a validation score
        return results
    return pd.concat([results, sweep(more, [strength], first)], ignore_index=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``python -m xdnn_core figure1``."""
    parser.add_argument(
        "--cohort", default="nhefs", help="nhefs, nhanes1, a folder with the NHANES I subset, or a "
        "CSV file (default: nhefs)",
    )  # fmt: skip
    parser.add_argument("--outcome", help="CSV: the column to predict")
    parser.add_argument("--replicates", type=int, default=200, help="random splits (default: 200)")
    parser.add_argument("--epochs", type=int, default=100, help="training steps (default: 100)")
    parser.add_argument("--seed", type=int, default=0, help="of the first replicate (default: 0)")
    parser.add_argument(
        "--references", type=int, nargs="*", default=list(REFERENCES),
        help="k of Expected Gradients (default: 1 2 4 … 128)",
    )  # fmt: skip
    parser.add_argument("--device", help="cpu or cuda (default: the best at hand)")
    parser.add_argument("--workers", type=int, help="cores to use (default: all)")
    parser.add_argument(
        "--work", type=Path, help="folder for finished blocks (default: out/figure1/COHORT)"
    )
    parser.add_argument("--out", type=Path, help="result (default: out/figure1-COHORT.parquet)")


class _ProgressBar:
    """Share done and time left, the latter from what this run itself has trained."""

    def __enter__(self) -> _ProgressBar:
        self._bar = tqdm(
            total=1.0, desc="figure1",
            bar_format="{desc}: {percentage:5.1f}% |{bar}| {elapsed}, {remaining} left{postfix}",
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def show(self, done: float, total: float, what: str) -> None:
        """A `SweepProgress`."""
        share = done / total
        if what.endswith("found"):  # trained by an earlier run
            self._bar.initial += share - self._bar.n
            self._bar.n = share
        self._bar.set_postfix_str(what, refresh=False)
        self._bar.update(share - self._bar.n)
        self._bar.refresh()


def main(args: argparse.Namespace) -> int:
    """Run ``python -m xdnn_core figure1``; returns the exit status."""
    cohort = load_cohort(args.cohort, args.outcome)
    out = args.out or Path("out") / f"figure1-{cohort.name}.parquet"
    with _ProgressBar() as bar:
        results = run_figure1(
            cohort,
            args.replicates,
            folder=args.work or Path("out") / "figure1" / cohort.name,
            references=tuple(args.references),
            config=SweepConfig(epochs=args.epochs, seed=args.seed),
            device=args.device,
            workers=args.workers,
            progress=bar.show,
        )
    figure = summarise(results, cohort, resolve_device(args.device))
    save_results(out, results, figure)
    print(describe(figure))
    print(f"\nWritten to {out}")
    return 0
