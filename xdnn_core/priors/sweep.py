"""Methods × strengths × replicates, in blocks that survive a kill.

Every block is one Parquet file, written beside its place and renamed into it, so what is there
is whole. Blocks of all methods and strengths for the first replicates come before those for the
next, so a sweep that is cut short has the same number of replicates everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import torch

from xdnn_core.data.cohorts.cohort import Cohort
from xdnn_core.device import resolve_device, usable_cores
from xdnn_core.errors import UserError
from xdnn_core.io import atomic_write, claim_folder
from xdnn_core.models.mlp import MLPConfig
from xdnn_core.priors.methods import PriorMethod, parse_method
from xdnn_core.priors.sweep_cells import Cell, SweepConfig, train_cells

PAPER_STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0)
_CPU_BLOCK = 8
_GPU_BLOCK = 200

SweepProgress = Callable[[float, float, str], None]


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
    known: pd.DataFrame | None = None,
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
    known
        From an earlier `run_sweep` of the same cohort with the same config but for seed and
        epochs, which are looked at: what it has is not trained again.

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

    Examples
    --------
    >>> import numpy as np
    >>> from xdnn_core.data.cohorts.cohort import Cohort, Column
    >>> cohort = Cohort(
    ...     name="small", title="Small", outcome="Died", features=np.arange(100.0)[:, None],
    ...     labels=np.arange(100) % 2, columns=(Column("age", "Age", "age", "numeric"),),
    ... )
    >>> from xdnn_core import SweepConfig
    >>> config = SweepConfig(hidden=(4,), epochs=2)
    >>> len(run_sweep(cohort, ["x_gradient"], [1.0], 2, config=config, device="cpu"))
    2
    """
    config = config or SweepConfig()
    device = resolve_device(device)
    on_cpu = device.type == "cpu"
    block = block or (_CPU_BLOCK if on_cpu else _GPU_BLOCK)
    workers = workers or (usable_cores() if on_cpu else 1)
    cells = plan_cells(methods, strengths, replicates, block)
    if folder is not None:
        claim_folder(folder, asdict(config) | {"cohort": cohort.fingerprint}, "sweep.json")
    total = sum(_cost(cell, cohort, config) for cell in cells)
    results: dict[Cell, pd.DataFrame] = {}
    for cell in cells:
        frame = _known(known, cell, config) if known is not None else None
        if frame is not None or (frame := _stored(folder, cell)) is not None:
            results[cell] = frame
    done = sum(_cost(cell, cohort, config) for cell in results)
    if progress is not None and results:
        progress(done, total, f"{len(results)} finished blocks found")
    missing = [cell for cell in cells if cell not in results]
    with closing(train_cells(cohort, missing, config, device, workers)) as trained:
        for cell, frame in trained:
            if folder is not None:
                with atomic_write(folder / cell.file_name) as temporary:
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
    """The blocks of a sweep in the order they are trained."""
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

    Examples
    --------
    >>> import numpy as np
    >>> from xdnn_core.data.cohorts.cohort import Cohort, Column
    >>> cohort = Cohort(
    ...     name="small", title="Small", outcome="Died", features=np.arange(100.0)[:, None],
    ...     labels=np.arange(100) % 2, columns=(Column("age", "Age", "age", "numeric"),),
    ... )
    >>> from xdnn_core import SweepConfig, run_sweep
    >>> config = SweepConfig(hidden=(4,), epochs=2)
    >>> results = run_sweep(cohort, ["x_gradient"], [1.0], 2, config=config, device="cpu")
    >>> choose_strengths(results)
    {'x_gradient': 1.0}
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


def _known(known: pd.DataFrame, cell: Cell, config: SweepConfig) -> pd.DataFrame | None:
    """The rows of a block, if an earlier sweep has them all."""
    replicates = range(cell.first, cell.last)
    rows = known[
        (known["method"] == cell.method.name)
        & (known["samples"] == cell.method.samples)
        & (known["strength"] == cell.strength)
        & known["replicate"].isin(replicates)
        & (known["seed"] == config.seed + known["replicate"])
        & (known["epochs"] == config.epochs)
    ]
    return rows if len(rows) == len(replicates) else None


def _cost(cell: Cell, cohort: Cohort, config: SweepConfig) -> float:
    """Multiply-adds of a block: 5 products an epoch, 4 more for every path point."""
    shape = MLPConfig(cohort.features.shape[1], config.hidden)
    products = 5 + 4 * cell.method.samples
    return float(products * shape.multiplications * (cell.last - cell.first) * config.epochs)
