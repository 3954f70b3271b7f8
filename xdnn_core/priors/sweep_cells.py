"""The blocks of a sweep: what each is of, and their training."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Event

import pandas as pd
import torch

from xdnn_core.data.cohorts.cohort import Cohort
from xdnn_core.device import compute_on_one_core
from xdnn_core.models.mlp import PAPER_HIDDEN
from xdnn_core.priors.ensemble import EnsembleConfig, PriorEnsemble
from xdnn_core.priors.methods import PriorMethod
from xdnn_core.priors.splits import SplitStack, stack_splits


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

    Examples
    --------
    >>> SweepConfig(epochs=50).epochs
    50
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


def train_cells(
    cohort: Cohort, cells: Sequence[Cell], config: SweepConfig, device: torch.device, workers: int
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
    training = EnsembleConfig(
        cell.method,
        config.penalty,
        config.hidden,
        config.learning_rate,
        config.independent_references,
    )
    ensemble = PriorEnsemble(splits, training, config.seed + cell.first)
    for _ in range(config.epochs):
        if ensemble.step(cell.strength, cancelled.is_set) is None:
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
    causes = [
        (one_class, "validation rows have one class"),
        (~reached, "no finite score in any epoch"),
        (test.isnan(), "test rows have one class"),
    ]
    return [
        next((reason for holds, reason in causes if holds[replicate]), "")
        for replicate in range(len(test))
    ]
