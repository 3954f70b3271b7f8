"""Open the app in the browser, on this machine only.

Options after -- go to Streamlit: xdnn app -- --server.port 9000, or --server.address 0.0.0.0 to
share it.
"""

from __future__ import annotations

import argparse
import os
import sys

from xdnn_core.errors import UserError
from xdnn_core.io import APP

# Each thread's own pool of freed memory is never given back; two pools serve the few that compute.
# Threads that wait for each other sleep: while they spin, pages cannot use their cores.
ENVIRONMENT = {"MALLOC_ARENA_MAX": "2", "OMP_WAIT_POLICY": "passive"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("options", nargs="*", help="of `streamlit run`, after --")


def main(args: argparse.Namespace) -> int:
    """Become Streamlit's server."""
    script = APP / "app.py"
    if not script.is_file():
        raise UserError("The app is not there; install xdnn again.")
    command = [sys.executable, "-m", "streamlit", "run", str(script), *args.options]
    os.execve(sys.executable, command, ENVIRONMENT | dict(os.environ))
