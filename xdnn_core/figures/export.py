"""Take a view away: figure as PNG, raw attributions as NPZ, settings as JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from xdnn_core.attribution.ledger import Ledger
from xdnn_core.figures.ledger import waterfall
from xdnn_core.figures.panels import Panel
from xdnn_core.figures.rendering import Theme, colourise, palette_colours
from xdnn_core.io import ASSETS, atomic_write
from xdnn_core.text import signed

_CELL = 336  # pixels of a panel in the figure
_GAP = 18
_TITLE = 26
_CAPTION = 100
_INK: dict[str, tuple[str, str, str]] = {  # background, text, muted text
    "light": ("#ffffff", "#121926", "#5b6675"),
    "dark": ("#10141c", "#eef2f7", "#9aa7b8"),
}


def figure_png(
    rows: Sequence[Sequence[Panel | None]], footer: str, theme: Theme = "light"
) -> bytes:
    """Draw panels as one figure."""
    columns = max(len(row) for row in rows)
    height_of_row = _TITLE + _CELL + _CAPTION + _GAP
    width = columns * (_CELL + _GAP) + _GAP
    height = len(rows) * height_of_row + 2 * _GAP + _TITLE
    background, _, muted = _INK[theme]
    canvas = Image.new("RGB", (width, height), background)
    for r, row in enumerate(rows):
        for c, panel in enumerate(row):
            if panel is None:
                continue
            _draw_panel(canvas, panel, _GAP + c * (_CELL + _GAP), _GAP + r * height_of_row, theme)
    pen = ImageDraw.Draw(canvas)
    pen.text((_GAP, height - _GAP - 14), footer, muted, _font(12))
    buffer = io.BytesIO()
    canvas.save(buffer, "PNG")
    return buffer.getvalue()


def _draw_panel(canvas: Image.Image, panel: Panel, left: int, top: int, theme: Theme) -> None:
    _, ink, muted = _INK[theme]
    pen = ImageDraw.Draw(canvas)
    pen.text((left, top), panel.heading, ink, _font(15))
    picture = Image.fromarray(panel.picture).resize((_CELL, _CELL), Image.Resampling.LANCZOS)
    canvas.paste(picture, (left, top + _TITLE))
    below = top + _TITLE + _CELL + 6
    if panel.limit is not None:
        ramp = np.linspace(-1, 1, 120)[None].repeat(8, axis=0)  # (8, 120)
        bar = Image.fromarray(colourise(ramp, 1.0, theme))
        canvas.paste(bar, (left + _CELL - 120, below + 4))
        pen.rectangle((left + _CELL - 121, below + 3, left + _CELL, below + 12), outline=muted)
        label = f"±{panel.limit:.2g} {panel.unit} a pixel"
        pen.text((left + _CELL, below + 18), label, muted, _font(11), anchor="ra")
    caption = "\n".join(f"{label}: {fact}" for label, fact in panel.facts.items())
    pen.multiline_text((left, below), caption, muted, _font(12), spacing=4)


def attributions_npz(
    panels: Sequence[Panel],
    inputs: np.ndarray,
    settings: Mapping[str, object],
    maps: Mapping[str, np.ndarray] | None = None,
) -> bytes:
    """Pack raw attributions.

    `panels`: those with `values` are packed under their keys, (C, H, W), logits. `inputs`:
    normalised network input, (3, H, W), packed as ``input``.
    """
    arrays: dict[str, Any] = {p.key: p.values for p in panels if p.values is not None}
    arrays |= maps or {}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, input=inputs, settings=settings_json(settings), **arrays)
    return buffer.getvalue()


def settings_json(settings: Mapping[str, object]) -> str:
    """Return the settings as readable JSON."""
    return json.dumps(settings, indent=2, ensure_ascii=False)


def ledger_panel(network: str, ledger: Ledger, theme: Theme = "light") -> Panel:
    """Draw the way from 0 to the logit as a panel of a figure."""
    background, ink, muted = _INK[theme]
    steps, logit = waterfall(ledger), float(ledger.outputs[0])
    at_zero = float(ledger.baseline_outputs[0])
    canvas = Image.new("RGB", (_CELL, _CELL), background)
    pen, font = ImageDraw.Draw(canvas), _font(10)
    left, right, room = 128, _CELL - 8, (_CELL - 30) / (len(steps) + 1)
    ends = [0.0, logit, at_zero, *(step.start + step.value for step in steps)]
    low, high = min(ends), max(ends)

    def across(value: float) -> float:
        return left + (right - left) * (value - low) / (high - low or 1.0)

    for value, text, below in ((0.0, "0", 24), (at_zero, "F(0)", 12)):  # two lines: they may meet
        pen.line((across(value), 0, across(value), _CELL - below), muted)
        pen.text((across(value), _CELL - below), text, muted, font, anchor="ma")
    blue, orange = palette_colours(theme)[1::2]
    bars = [(step.label, step.start, step.value) for step in steps] + [("Logit", 0.0, logit)]
    for number, (label, start, value) in enumerate(bars):
        top = number * room
        fill = muted if label == "Logit" else orange if value > 0 else blue
        span = sorted((across(start), across(start + value)))
        pen.rectangle((span[0], top + 0.15 * room, span[1] + 1, top + 0.85 * room), fill)
        middle = top + room / 2
        pen.text((0, middle), f"{label[:16]} {signed(value)}", ink, font, anchor="lm")
    facts = {"Bars": "logits", "F(0)": f"{signed(at_zero)}, the mean image"}
    return Panel("", network, "From 0 to the logit", facts, np.asarray(canvas))


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file beside, then rename: a reader sees the old file or the new one, never half."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(data)


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans: Pillow's own font has no × and no α."""
    return ImageFont.truetype(ASSETS / "fonts" / "DejaVuSans.ttf", size)
