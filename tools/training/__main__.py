"""Train the networks that the app comes with: python -m tools.training DATA SET ..."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from xdnn_core.cli import run

DATA_SETS = {"caltech101": ("tools.training.command", "AlexNet and X-AlexNet on Caltech-101")}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one; returns the exit code."""
    return run(
        "python -m tools.training", DATA_SETS, sys.argv[1:] if arguments is None else arguments
    )


if __name__ == "__main__":
    sys.exit(main())
