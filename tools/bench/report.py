"""What benchmarks share: figures beside their targets, common options, the printed report."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from xdnn_core.errors import UserError
from xdnn_core.figures.export import write_atomically


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str  # what was measured
    measured: float  # a ratio
    target: float | None = None  # what it should be; None where nothing was promised
    at_least: bool = False  # True: `measured` must not be below the target; False: not above

    @property
    def verdict(self) -> str:
        """Met or not."""
        if self.target is None:
            return ""
        met = self.measured >= self.target if self.at_least else self.measured <= self.target
        return "met" if met else "NOT met"


def rows_table(rows: Sequence[Row], width: int) -> list[str]:
    """Lines of text: what was measured, its target, the verdict."""
    lines = [f"{'what':<{width}}{'measured':>9}{'target':>10}"]
    for row in rows:
        sign = ">=" if row.at_least else "<="
        target = "" if row.target is None else f"{sign} {row.target:g}"
        line = f"{row.what:<{width}}{row.measured:>9.3g}{target:>10}  {row.verdict}"
        lines.append(line.rstrip())
    return lines


def add_common_arguments(parser: argparse.ArgumentParser, repeats: int) -> None:
    """Declare the options that these benchmarks share."""
    parser.add_argument("--device", help="cpu or cuda; the best at hand unless told")
    parser.add_argument(
        "--repeats", type=int, default=repeats, help=f"timed rounds (default: {repeats})"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there as well")


def require_positive(**numbers: int) -> None:
    """Check options that count something."""
    for name, number in numbers.items():
        if number < 1:
            raise UserError(f"--{name} is {number}; give 1 or more.")


def finish(report: Any, table: Callable[[Any], str], json_file: Path | None) -> int:
    """Print a report and write it as JSON where asked; falling short is a result, not an error."""
    print(table(report))
    if json_file:
        write_atomically(json_file, json.dumps(asdict(report), indent=2).encode())
    return 0
