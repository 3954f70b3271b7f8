"""Where the files that come with the app lie."""

from __future__ import annotations

from pathlib import Path

ASSETS = Path(__file__).resolve().parent.parent / "assets"
WEIGHTS = ASSETS / "weights"
GALLERY = ASSETS / "gallery"
RESULTS = ASSETS / "results"
