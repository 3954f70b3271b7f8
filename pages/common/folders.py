"""Where what the user made lies."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def data_folder() -> Path:
    """Folder for what the user made: ``XDNN_DATA``, else the user's data folder."""
    named = os.environ.get("XDNN_DATA")
    return Path(named).expanduser() if named else Path(platformdirs.user_data_dir("xdnn"))


def own_results() -> Path:
    """Folder for results of the user's own runs of the commands."""
    return data_folder() / "results"
