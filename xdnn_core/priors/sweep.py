"""Methods × strengths × replicates, in blocks that survive a kill.

Every block is one Parquet file, written beside its place and renamed into it, so what is there
is whole. Blocks of all methods and strengths for the first replicates come before those for the
next, so a sweep that is cut short has the same number of replicates everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event

import pandas as pd
import torch

from xdnn_core.data.cohort import Cohort
from xdnn_core.device import resolve_device
from xdnn_core.errors import UserError
from xdnn_core.files import claim_folder, replacing
from xdnn_core.models.mlp import PAPER_HIDDEN, MLPConfig
from xdnn_core.priors.ensemble import EnsembleConfig, PriorEnsemble
from xdnn_core.priors.methods import PriorMethod, parse_method
from xdnn_core.priors.slots import compute_on_one_core, usable_cores
from xdnn_core.priors.splits import SplitStack, stack_splits

PAPER_STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0)
_CPU_BLOCK = 8
_GPU_BLOCK = 200

SweepProgress = Callable[[float, float, str], None]


@dataclass(frozen=True)
class SweepConfig:
    """What every training of a sweep has in common.

    Attributes
    ----------
    penalty, hidden, learning_rate, independent_references
        As in `EnsembleConfig`.
    epochs
        Full-batch steps.
    seed
        Replicate i splits, starts and draws from seed + i.
    """

    penalty: str = "gini"
    hidden: tuple[int, ...] = PAPER_HIDDEN
    learning_rate: float = 1e-3
    independent_references: bool = False
    epochs: int = 100
    seed: int = 0


@dataclass(frozen=True)
class Cell:
    """One method at one strength for a block of replicates, first ≤ i < last."""

    method: PriorMethod
    strength: float
    first: int
    last: int

    @property
    def file_name(self) -> str:
        """Name of its Parquet file."""
        method = self.method.key.replace(":", "-")
        return f"{method}_lambda-{self.strength:g}_{self.first:05d}-{self.last:05d}.parquet"

    @property
    def title(self) -> str:
        """For progress bars."""
        strength = f", λ = {self.strength:g}" if self.method.card.regularised else ""
        return f"{self.method.title}{strength}, replicates {self.first + 1}–{self.last}"


def run_sweep(
    cohort: Cohort,
    methods: Iterable[str | PriorMethod],
    strengths: Sequence[float] = PAPER_STRENGTHS,
    replicates: int = 200,
    *,
    folder: Path | None = None,
    config: SweepConfig | None = None,
    device: torch.device | str | None = None,
    block: int | None = None,
    workers: int | None = None,
    progress: SweepProgress | None = None,
) -> pd.DataFrame:
    """Train every method at every strength on the same random splits.

    Parameters
    ----------
    cohort
        What to train on.
    methods
        Names or `PriorMethod`; those without a prior run once, at strength 0.
    strengths
        λ > 0.
    replicates
        Random splits and initialisations.
    folder
        Where finished blocks are kept and found again; None keeps nothing.
    config
        What all trainings have in common.
    device
        Where to train; None for the best at hand.
    block
        Replicates in a block; None for 8 on the CPU and 200 on CUDA.
    workers
        Blocks trained at once, one core each; None for all cores, on CUDA 1.
    progress
        Called with (cost done, cost in all, what was finished), cost in multiply-adds; may
        raise to cancel.

    Returns
    -------
    pandas.DataFrame
        A row a training: cohort, method, samples, strength, replicate, seed, epochs, best_epoch,
        validation_auc, test_auc, gini (of the attributions at the best epoch),
        zero_attributions (steps whose penalty was left out), problem (empty, or why a ROC-AUC
        is NaN).

    Raises
    ------
    UserError
        If nothing is asked for, the folder belongs to another sweep, a method is unknown or the
        cohort too small.
    """
    config = config or SweepConfig()
    chosen = resolve_device(device)
    on_cpu = chosen.type == "cpu"
    block = block or (_CPU_BLOCK if on_cpu else _GPU_BLOCK)
    workers = workers or (usable_cores() if on_cpu else 1)
    cells = plan_cells(methods, strengths, replicates, block)
    if folder is not None:
        claim_folder(folder, asdict(config) | {"cohort": cohort.fingerprint}, "sweep.json")
    total = sum(_cost(cell, cohort, config) for cell in cells)
    results = {cell: frame for cell in cells if (frame := _stored(folder, cell)) is not None}
    done = sum(_cost(cell, cohort, config) for cell in results)
    if progress is not None and results:
        progress(done, total, f"{len(results)} finished blocks found")
    missing = [cell for cell in cells if cell not in results]
    with closing(_train_cells(cohort, missing, config, chosen, workers)) as trained:
        for cell, frame in trained:
            if folder is not None:
                with replacing(folder / cell.file_name) as temporary:
                    frame.to_parquet(temporary, index=False)
            results[cell] = frame
            done += _cost(cell, cohort, config)
            if progress is not None:
                progress(done, total, cell.title)
    frame = pd.concat([results[cell] for cell in cells], ignore_index=True)
    order = ["method", "samples", "strength", "replicate"]
    return frame.sort_values(order, ignore_index=True)


def plan_cells(
    methods: Iterable[str | PriorMethod], strengths: Sequence[float], replicates: int, block: int
) -> list[Cell]:
    """The blocks of a sweep in the order they are trained.

    Raises
    ------
    UserError
        If there are no methods, strengths or replicates, or a strength is not positive.
    """
    chosen = [parse_method(method) for method in methods]
    if not chosen or replicates < 1 or block < 1:
        raise UserError("Give at least one method and one replicate.")
    bad = [strength for strength in strengths if not 0 < strength < math.inf]
    if bad or (not strengths and any(method.card.regularised for method in chosen)):
        raise UserError(f"Strengths are {list(strengths)}; give one or more numbers above 0.")
    return [
        Cell(method, strength, first, min(first + block, replicates))
        for first in range(0, replicates, block)
        for method in chosen
        for strength in (strengths if method.card.regularised else (0.0,))
    ]


def sweep_cost(
    cohort: Cohort,
    methods: Iterable[str | PriorMethod],
    strengths: Sequence[float],
    replicates: int,
    config: SweepConfig,
) -> float:
    """Multiply-adds of a whole sweep, the unit of its progress."""
    cells = plan_cells(methods, strengths, replicates, replicates)
    return sum(_cost(cell, cohort, config) for cell in cells)


def choose_strengths(results: pd.DataFrame) -> dict[str, float]:
    """The best strength of every method, by validation scores alone.

    Parameters
    ----------
    results
        From `run_sweep`; only replicates with a validation ROC-AUC at every strength count.

    Returns
    -------
    dict
        Method key ("x_gradient", "expected_gradients:8") to the λ with the highest mean
        validation ROC-AUC, the smaller of equals; NaN where no replicate counts.
    """
    chosen: dict[str, float] = {}
    for (name, samples), rows in results.groupby(["method", "samples"]):
        table = rows.pivot(index="replicate", columns="strength", values="validation_auc").dropna()
        means = table.mean().sort_index()
        key = PriorMethod(str(name), int(samples)).key
        chosen[key] = float(means.idxmax()) if len(table) else float("nan")
    return chosen


def _stored(folder: Path | None, cell: Cell) -> pd.DataFrame | None:
    if folder is None or not (folder / cell.file_name).is_file():
        return None
    return pd.read_parquet(folder / cell.file_name)


def _cost(cell: Cell, cohort: Cohort, config: SweepConfig) -> float:
    """Multiply-adds of a block: 5 products an epoch, 4 more for every path point."""
    shape = MLPConfig(cohort.features.shape[1], config.hidden)
    products = 5 + 4 * cell.method.samples
    return float(products * shape.multiplications * (cell.last - cell.first) * config.epochs)


def _train_cells(
    cohort: Cohort,
    cells: Sequence[Cell],
    config: SweepConfig,
    device: torch.device,
    workers: int,
) -> Generator[tuple[Cell, pd.DataFrame], None, None]:
    """Train blocks in threads of their own and give each when it is finished."""
    cancelled = Event()
    splits: dict[tuple[int, int], SplitStack] = {}
    pending: dict[Future[pd.DataFrame | None], Cell] = {}
    with ThreadPoolExecutor(workers, initializer=compute_on_one_core) as pool:
        try:
            for cell in cells:
                key = (cell.first, cell.last)
                if key not in splits:
                    splits.clear()  # blocks come in order of their replicates
                    seeds = range(config.seed + cell.first, config.seed + cell.last)
                    splits[key] = stack_splits(cohort, seeds, device)
                job = pool.submit(_train_cell, cohort, cell, config, splits[key], cancelled)
                pending[job] = cell
                if len(pending) > workers:
                    yield from _finished(pending)
            while pending:
                yield from _finished(pending)
        finally:
            cancelled.set()


def _finished(
    pending: dict[Future[pd.DataFrame | None], Cell],
) -> Iterator[tuple[Cell, pd.DataFrame]]:
    """Wait for at least one block; take what is finished out of `pending`."""
    done, _ = wait(pending, return_when=FIRST_COMPLETED)
    for job in done:
        cell, frame = pending.pop(job), job.result()
        if frame is not None:
            yield cell, frame


def _train_cell(
    cohort: Cohort, cell: Cell, config: SweepConfig, splits: SplitStack, cancelled: Event
) -> pd.DataFrame | None:
    """Train one block; None if cancelled."""
    ensemble = PriorEnsemble(
        splits,
        EnsembleConfig(
            cell.method,
            config.penalty,
            cell.strength,
            config.hidden,
            config.learning_rate,
            config.independent_references,
        ),
        config.seed + cell.first,
    )
    for _ in range(config.epochs):
        if ensemble.step(cancelled.is_set) is None:
            return None
    test = ensemble.test_auc(should_stop=cancelled.is_set)
    if test is None:
        return None
    reached = ensemble.best_epoch >= 0
    return pd.DataFrame(
        {
            "cohort": cohort.name,
            "method": cell.method.name,
            "samples": cell.method.samples,
            "strength": cell.strength,
            "replicate": range(cell.first, cell.last),
            "seed": range(config.seed + cell.first, config.seed + cell.last),
            "epochs": config.epochs,
            "best_epoch": ensemble.best_epoch.tolist(),
            "validation_auc": ensemble.best_auc.masked_fill(~reached, torch.nan).tolist(),
            "test_auc": test.tolist(),
            "gini": ensemble.best_gini.double().tolist(),
            "zero_attributions": ensemble.zero_attributions.tolist(),
            "problem": _problems(splits, reached, test),
        }
    )


def _problems(splits: SplitStack, reached: torch.Tensor, test: torch.Tensor) -> list[str]:
    """Why a replicate has no score, or nothing."""
    positives = splits.validation_labels.sum(dim=1)
    one_class = (positives == 0) | (positives == splits.validation_labels.shape[1])
    found = []
    for single, scored, missing in zip(
        one_class.tolist(), reached.tolist(), test.isnan().tolist(), strict=True
    ):
        if single:
            found.append("validation rows have one class")
        elif not scored:
            found.append("no finite score in any epoch")
        else:
            found.append("test rows have one class" if missing else "")
    return found
