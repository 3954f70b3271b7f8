"""Figure 1 of the paper: what attribution priors do for a small tabular network.

    python -m xdnn_core figure1 --cohort nhefs --replicates 200
    python -m xdnn_core figure1 --summarise FILE

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

from xdnn_core.data.cohorts.cohort import Cohort
from xdnn_core.data.cohorts.load import load_cohort
from xdnn_core.device import resolve_device
from xdnn_core.errors import UserError
from xdnn_core.experiments.figure1_differences import FIGURE_METHODS
from xdnn_core.experiments.figure1_summary import load_results, save_results, summarise
from xdnn_core.experiments.figure1_text import describe
from xdnn_core.experiments.protocol import share_bar
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
    strengths: Sequence[float] = PAPER_STRENGTHS,
    config: SweepConfig | None = None,
    device: str | None = None,
    workers: int | None = None,
    progress: SweepProgress | None = None,
    known: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Train everything the figure needs.

    First every method at every strength; then Expected Gradients with more references at the
    strength that validation chose for one.

    References
    ----------
    Hesse et al. 2021, Section 4.3 and Figure 1.
    """
    config = config or SweepConfig()
    more = [f"expected_gradients:{k}" for k in references if k > 1]
    first = sweep_cost(cohort, FIGURE_METHODS, strengths, replicates, config)
    total = first + (sweep_cost(cohort, more, [1.0], replicates, config) if more else 0.0)

    def sweep(methods: Sequence[str], at: Sequence[float], before: float) -> pd.DataFrame:
        def report(done: float, _: float, title: str) -> None:
            if progress is not None:
                progress(before + done, total, title)

        return run_sweep(
            cohort, methods, at, replicates, folder=folder, config=config, device=device,
            workers=workers, progress=report, known=known,
        )  # fmt: skip

    results = sweep(FIGURE_METHODS, strengths, 0.0)
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
    parser.add_argument(
        "--strengths", type=float, nargs="+", default=list(PAPER_STRENGTHS), metavar="λ",
        help="to choose from (default: the paper's 0.01 0.1 1 10 100)",
    )  # fmt: skip
    parser.add_argument(
        "--known", type=Path, metavar="FILE",
        help="an earlier result for this cohort: what it has is not trained again",
    )  # fmt: skip
    parser.add_argument(
        "--summarise", type=Path, metavar="FILE",
        help="train nothing: summarise the per-replicate results of this file anew, in place",
    )  # fmt: skip
    parser.add_argument("--device", help="cpu or cuda (default: the best at hand)")
    parser.add_argument("--workers", type=int, help="cores to use (default: all)")
    parser.add_argument(
        "--work", type=Path, help="folder for finished blocks (default: out/figure1/COHORT)"
    )
    parser.add_argument("--out", type=Path, help="result (default: out/figure1-COHORT.parquet)")


def _shown_on(bar: tqdm) -> SweepProgress:
    """Move a bar of shares with a sweep."""

    def show(done: float, total: float, title: str) -> None:
        share = done / total
        if title.endswith("found"):  # trained by an earlier run
            bar.initial += share - bar.n
            bar.n = share
        bar.set_postfix_str(title, refresh=False)
        bar.update(share - bar.n)

    return show


def _known_results(file: Path, cohort: Cohort) -> pd.DataFrame:
    """The results of an earlier run of the command for this cohort."""
    results, figure = load_results(file)
    this = (cohort.name, cohort.outcome, len(cohort), cohort.features.shape[1])
    if (figure.cohort, figure.outcome, figure.rows, figure.features) != this:
        raise UserError(
            f"{file.name} is of {figure.cohort_title} ({figure.rows} × {figure.features}, outcome "
            f"{figure.outcome}); give a result for {cohort.title} or leave --known out."
        )
    return results


def main(args: argparse.Namespace) -> int:
    """Run ``python -m xdnn_core figure1``; returns the exit status."""
    if args.summarise:
        results, figure = load_results(args.summarise)
        save_results(args.summarise, results, figure)
        print(describe(figure))
        return 0
    cohort = load_cohort(args.cohort, args.outcome)
    out = args.out or Path("out") / f"figure1-{cohort.name}.parquet"
    known = _known_results(args.known, cohort) if args.known else None
    with share_bar("figure1", 1.0) as bar:
        results = run_figure1(
            cohort,
            args.replicates,
            folder=args.work or Path("out") / "figure1" / cohort.name,
            references=tuple(args.references),
            strengths=args.strengths,
            config=SweepConfig(epochs=args.epochs, seed=args.seed),
            device=args.device,
            workers=args.workers,
            progress=_shown_on(bar),
            known=known,
        )
    figure = summarise(results, cohort, resolve_device(args.device))
    save_results(out, results, figure)
    print(describe(figure))
    print(f"\nWritten to {out}")
    return 0
