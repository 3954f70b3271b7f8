"""The command line: python -m xdnn_core COMMAND ... (each command explains itself with -h)."""

from __future__ import annotations

import argparse
import importlib
import sys

from xdnn_core.errors import UserError

# Modules with add_arguments(parser) and main(args) -> exit code; imported only when asked for.
COMMANDS: dict[str, tuple[str, str]] = {
    "attribute": ("xdnn_core.commands.attribute", "attribute a photograph: PNG, NPZ, JSON"),
    "bench": ("xdnn_core.commands.bench", "measure speed and memory as ratios"),
    "cost": ("xdnn_core.experiments.cost", "what a training step with an attribution prior costs"),
    "evaluate": ("xdnn_core.commands.evaluate", "top-1 and top-5 accuracy over an image set"),
    "figure1": ("xdnn_core.experiments.figure1", "the paper's Figure 1: methods, λ, references"),
    "figure2": ("xdnn_core.experiments.figure2", "the paper's Figure 2: accuracy against contrast"),
    "figure3": ("xdnn_core.experiments.figure3", "the paper's Figure 3: error against calls"),
    "models": ("xdnn_core.commands.models", "list the networks, or download one"),
    "table1": ("xdnn_core.experiments.table1", "the paper's Table 1: methods and axioms"),
    "table2": ("xdnn_core.experiments.table2", "the paper's Table 2: what removing biases costs"),
    "table3": ("xdnn_core.experiments.table3", "the paper's Table 3: attribution quality"),
    "train": ("xdnn_core.commands.train", "train the embedded pair"),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code (2: something the user can mend)."""
    given = sys.argv[1:] if arguments is None else arguments
    if not given or given[0] not in COMMANDS:
        return _usage(given)
    name, rest = given[0], given[1:]
    module = importlib.import_module(COMMANDS[name][0])
    parser = argparse.ArgumentParser(
        prog=f"python -m xdnn_core {name}",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    try:
        return int(module.main(parser.parse_args(rest)))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _usage(given: list[str]) -> int:
    """Print the commands; wrong only if something else was asked for."""
    asked = not given or given[0] in ("-h", "--help")
    stream = sys.stdout if asked else sys.stderr
    print("usage: python -m xdnn_core COMMAND ...\n", file=stream)
    for name, (_, what) in COMMANDS.items():
        print(f"  {name:<10} {what}", file=stream)
    return 0 if asked else 2


if __name__ == "__main__":
    sys.exit(main())
