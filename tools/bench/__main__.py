"""Measure speed and memory as ratios on this machine: python -m tools.bench NAME ...

Each explains its options with -h. What falls short of its target is printed as well.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from xdnn_core.cli import run

BENCHMARKS = {
    "attribution": (
        "tools.bench.attribution",
        "Integrated Gradients and X-Gradient against Captum",
    ),
    "masking": ("tools.bench.masking", "Table 3's masked images together and one by one"),
    "onnx": ("tools.bench.onnx", "an ONNX graph with its attribution against the logits alone"),
    "priors": ("tools.bench.priors", "prior training in a stack against one by one"),
    "ray": ("tools.bench.ray", "every contrast, every number of calls, in one pass"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one; returns the exit code."""
    return run(
        "python -m tools.bench", BENCHMARKS, sys.argv[1:] if arguments is None else arguments
    )


if __name__ == "__main__":
    sys.exit(main())
