"""The command line: xdnn COMMAND ..., or python -m xdnn_core COMMAND ...; -h explains each."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Mapping, Sequence

from xdnn_core.errors import UserError

# Modules with add_arguments(parser) and main(args) -> exit code; imported only when asked for.
COMMANDS: dict[str, tuple[str, str]] = {
    "app": ("xdnn_core.cli.app", "open the app in the browser"),
    "attribute": ("xdnn_core.cli.attribute", "attribute a photograph: PNG, NPZ, JSON"),
    "convergence": (
        "xdnn_core.experiments.convergence_stored",
        "the picture that Convergence opens with",
    ),
    "cost": ("xdnn_core.experiments.cost", "what a training step with an attribution prior costs"),
    "evaluate": ("xdnn_core.cli.evaluate", "top-1 and top-5 accuracy over an image set"),
    "export": ("xdnn_core.cli.export", "write a network and its attribution as one ONNX graph"),
    "figure1": ("xdnn_core.experiments.figure1", "the paper's Figure 1: methods, λ, references"),
    "figure2": ("xdnn_core.experiments.figure2", "the paper's Figure 2: accuracy against contrast"),
    "figure3": ("xdnn_core.experiments.figure3", "the paper's Figure 3: error against calls"),
    "models": ("xdnn_core.cli.models", "list the networks, or download one"),
    "table1": ("xdnn_core.experiments.table1", "the paper's Table 1: methods and axioms"),
    "table2": ("xdnn_core.experiments.table2", "the paper's Table 2: what removing biases costs"),
    "table3": ("xdnn_core.experiments.table3", "the paper's Table 3: attribution quality"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code (2: something the user can mend)."""
    program = "xdnn" if sys.argv[0].endswith("xdnn") else "python -m xdnn_core"
    return run(program, COMMANDS, arguments)


def run(
    program: str, commands: Mapping[str, tuple[str, str]], arguments: Sequence[str] | None
) -> int:
    """Run the one of some commands that the arguments name."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] not in commands:
        return _usage(program, commands, arguments)
    name, *options = arguments
    module = importlib.import_module(commands[name][0])
    parser = argparse.ArgumentParser(
        prog=f"{program} {name}",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    try:
        return int(module.main(parser.parse_args(options)))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _usage(program: str, commands: Mapping[str, tuple[str, str]], arguments: Sequence[str]) -> int:
    """Print the commands; wrong only if something else was asked for."""
    asked = not arguments or arguments[0] in ("-h", "--help")
    stream = sys.stdout if asked else sys.stderr
    print(f"usage: {program} COMMAND ...\n", file=stream)
    for name, (_, what) in commands.items():
        print(f"  {name:<11}  {what}", file=stream)
    return 0 if asked else 2
