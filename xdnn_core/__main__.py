"""python -m xdnn_core COMMAND ...: the same as xdnn COMMAND."""

import sys

from xdnn_core.cli import main

if __name__ == "__main__":
    sys.exit(main())
