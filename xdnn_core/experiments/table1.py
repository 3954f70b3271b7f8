"""Table 1 of the paper: which axioms experiments refute for which attribution method.

    python -m xdnn_core table1
    python -m xdnn_core table1 --without-biases
    python -m xdnn_core table1 --network alexnet-caltech101 --image photo.jpg

Every cell is tried on random networks and inputs; what fails comes with its counter-example.
X-Gradient is tried on networks without biases, the others on networks with biases; with
--without-biases all on the same networks without, where it and Input×Gradient are one function.
With --network the axioms are tried on that network and one photograph.
"""

from __future__ import annotations

import argparse
from collections.abc import MutableMapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final

import pandas as pd
import torch
from tqdm import tqdm

from xdnn_core.axioms.axioms import AXIOMS, Cell, grid_text
from xdnn_core.axioms.network import NetworkSettings
from xdnn_core.axioms.perceptrons import AXIOM_METHODS, TRIALS, try_axioms
from xdnn_core.experiments import table1_network
from xdnn_core.experiments.provenance import (
    Provenance,
    add_out_argument,
    provenance,
    read_result,
    report,
)
from xdnn_core.io import RESULTS
from xdnn_core.progress import Progress, on_bar

STORED: Final = {
    without: RESULTS / f"table1{'-without-biases' if without else ''}.parquet"
    for without in (False, True)
}

# Hesse et al. 2021, Table 1, as we read its check marks, which are pictures. Gradient and
# Input×Gradient are one column there, "(Input×)Gradient"; homogeneity is not among its axioms.
PAPER: Final[dict[str, tuple[bool, ...]]] = {
    "integrated_gradients": (True, True, True, True, True, True),
    "expected_gradients_converged": (True, True, True, True, True, True),
    "expected_gradients_1": (False, True, False, False, False, False),
    "gradient": (False, True, True, False, True, True),
    "input_x_gradient": (False, True, True, False, True, True),
    "x_gradient": (True, True, True, True, True, True),
}


@dataclass(frozen=True)
class Table1:
    """All cells."""

    cells: tuple[Cell, ...]  # method by method, axiom by axiom
    seed: int  # of the random networks
    # whether every method was tried on networks without biases, not X-Gradient alone
    without_biases: bool = False
    provenance: Provenance = field(kw_only=True)  # how it was made; `images` is 0

    def cell(self, method: str, axiom: str) -> Cell:
        """One cell."""
        return next(c for c in self.cells if (c.method, c.axiom) == (method, axiom))

    def in_paper(self, cell: Cell) -> bool | None:
        """Whether the axiom holds by the paper's table; None where it speaks of other networks."""
        if self.without_biases and not AXIOM_METHODS[cell.method].on_x_networks:
            return None
        row, axiom = PAPER[cell.method], list(AXIOMS).index(cell.axiom)
        return row[axiom] if axiom < len(row) else None

    @property
    def compared(self) -> tuple[Cell, ...]:
        """Cells that the paper's table has too."""
        return tuple(cell for cell in self.cells if self.in_paper(cell) is not None)

    @property
    def differing(self) -> tuple[Cell, ...]:
        """Those that come out otherwise."""
        return tuple(cell for cell in self.compared if self.in_paper(cell) != cell.holds)


def run_table1(
    trials: int = TRIALS,
    seed: int = 0,
    progress: Progress | None = None,
    known: MutableMapping[tuple[str, str], Cell] | None = None,
    without_biases: bool = False,
) -> Table1:
    """Try every cell."""
    cells = try_axioms(
        trials=trials, seed=seed, progress=progress, known=known, without_biases=without_biases
    )
    made = provenance("random networks", 0, torch.device("cpu"))
    # The same whoever asks: a page has no command line.
    command = f"python -m xdnn_core table1 --trials {trials} --seed {seed}"
    command += " --without-biases" * without_biases
    return Table1(tuple(cells), seed, without_biases, provenance=replace(made, command=command))


def load_table1(path: Path = STORED[False]) -> Table1:
    """Read a stored table."""
    return read_result(path, "table1", Table1)[1]


def describe(table: Table1) -> str:
    """The table in plain text, with the witness of every cell that fails."""
    titles = {name: method.title for name, method in AXIOM_METHODS.items()}
    lines = [*grid_text(titles, table.cells), ""]
    for cell in table.cells:
        if not cell.holds:
            lines.append(
                f"{AXIOM_METHODS[cell.method].title}, {AXIOMS[cell.axiom].title}: refuted in "
                f"{cell.violated} of {cell.trials} trials. {cell.witness}."
            )
    worst = max((cell.worst for cell in table.cells if cell.holds), default=0.0)
    lines.append(f"Cells not refuted: worst violation {worst:.1e} over all trials.")
    differing = ", ".join(f"{cell.method} / {cell.axiom}" for cell in table.differing)
    lines.append(
        f"Other than the paper, in our reading, of {len(table.compared)}: {differing or 'none'}."
    )
    return "\n".join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``python -m xdnn_core table1``."""
    parser.add_argument(
        "--trials", type=int, default=TRIALS, help=f"networks a cell (default: {TRIALS})"
    )
    parser.add_argument("--seed", type=int, default=0, help="of all draws (default: 0)")
    parser.add_argument(
        "--without-biases", action="store_true", help="all methods on networks without biases"
    )
    add_out_argument(parser, "table1")
    one = parser.add_argument_group("one network and one photograph in place of random networks")
    one.add_argument("--network", help="name of a network, see `models`")
    one.add_argument("--image", help="JPEG, PNG or WebP, or a key of the gallery (default: camera)")
    one.add_argument("--target", default="auto", help="auto (the prediction), a class, its number")
    steps, samples = NetworkSettings.steps, NetworkSettings.samples
    one.add_argument(
        "--steps", type=int, default=steps, help=f"of Integrated Gradients (default: {steps})"
    )
    one.add_argument(
        "--samples", type=int, default=samples, help=f"of Expected Gradients (default: {samples})"
    )
    one.add_argument("--device", help="cpu or cuda (default: the best at hand)")


def main(args: argparse.Namespace) -> int:
    """Run ``python -m xdnn_core table1``; returns the exit status."""
    if args.network:
        return table1_network.main(args)
    with tqdm(desc="table1", unit="trial") as bar:
        table = run_table1(args.trials, args.seed, on_bar(bar), without_biases=args.without_biases)
    rows = pd.DataFrame(map(asdict, table.cells))
    return report(args.out, rows, table, "table1", describe(table))
