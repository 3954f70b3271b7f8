"""Measure speed and memory as ratios on this machine.

    python -m xdnn_core bench attribution    Integrated Gradients and X-Gradient against Captum
    python -m xdnn_core bench masking        Table 3's masked images together and one by one
    python -m xdnn_core bench priors         prior training in a stack against one by one
    python -m xdnn_core bench ray            every contrast, every number of calls, in one pass

Each explains its options with -h. What falls short of its target is printed as well.
"""

from __future__ import annotations

import argparse
import importlib

# Modules with add_arguments(parser) and main(args) -> exit code; imported only when asked for.
BENCHMARKS: dict[str, str] = {
    "attribution": "xdnn_core.bench.attribution",
    "masking": "xdnn_core.bench.masking",
    "priors": "xdnn_core.bench.priors",
    "ray": "xdnn_core.bench.ray",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("benchmark", choices=BENCHMARKS, help="what to measure")
    parser.add_argument("options", nargs=argparse.REMAINDER, help="of that benchmark, see its -h")


def main(args: argparse.Namespace) -> int:
    """Hand the options over to the benchmark."""
    module = importlib.import_module(BENCHMARKS[args.benchmark])
    parser = argparse.ArgumentParser(
        prog=f"python -m xdnn_core bench {args.benchmark}",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    return int(module.main(parser.parse_args(args.options)))
