"""What benchmarks share: figures beside their targets, common options, the printed report."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from xdnn_core.device import device_title, resolve_device
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


@dataclass(frozen=True)
class Report:
    """What a benchmark measured, in one run; each adds what it measures, and its rows."""

    device: str
    threads: int  # of the CPU
    subject: str  # what it was measured on
    repeats: int  # timed rounds

    def lines(self) -> list[str]:
        """What is printed between the circumstances and the table."""
        raise NotImplementedError

    def table(self) -> list[Row]:
        """The ratios, beside their targets."""
        raise NotImplementedError

    def text(self) -> str:
        """The report as it is printed."""
        rows = self.table()
        width = max(len(row.what) for row in rows) + 2
        lines = [
            f"{self.device}, {self.threads} CPU threads, float32, {self.subject}, medians of "
            f"{self.repeats} rounds in turns",
            "", *self.lines(), "", f"{'what':<{width}}{'measured':>9}{'target':>10}",
        ]  # fmt: skip
        for row in rows:
            sign = ">=" if row.at_least else "<="
            target = "" if row.target is None else f"{sign} {row.target:g}"
            line = f"{row.what:<{width}}{row.measured:>9.3g}{target:>10}  {row.verdict}"
            lines.append(line.rstrip())
        return "\n".join(lines)


def circumstances(device: torch.device, subject: str, repeats: int) -> tuple[str, int, str, int]:
    """The first fields of a report that is made now."""
    return device_title(device), torch.get_num_threads(), subject, repeats


def add_common_arguments(parser: argparse.ArgumentParser, repeats: int) -> None:
    """Declare the options that these benchmarks share."""
    parser.add_argument("--device", help="cpu or cuda (default: the best at hand)")
    parser.add_argument(
        "--repeats", type=int, default=repeats, help=f"timed rounds (default: {repeats})"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there as well")


def on_photograph(
    measure: Callable[[str, torch.device, int], Report], repeats: int
) -> tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], int]]:
    """Options and main of a benchmark that is measured on one photograph of the gallery."""

    def add_arguments(parser: argparse.ArgumentParser) -> None:
        add_common_arguments(parser, repeats)
        parser.add_argument(
            "--image", default="camera", help="gallery photograph (default: camera)"
        )

    def main(args: argparse.Namespace) -> int:
        require_positive(repeats=args.repeats)
        return finish(measure(args.image, resolve_device(args.device), args.repeats), args.json)

    return add_arguments, main


def require_positive(**numbers: int) -> None:
    """Check options that count something."""
    for name, number in numbers.items():
        if number < 1:
            raise UserError(f"--{name} is {number}; give 1 or more.")


def finish(report: Report, json_file: Path | None) -> int:
    """Print a report and write it as JSON where asked; falling short is a result, not an error."""
    print(report.text())
    if json_file:
        values = asdict(report) | {"rows": [asdict(row) for row in report.table()]}
        write_atomically(json_file, json.dumps(values, indent=2).encode())
    return 0
