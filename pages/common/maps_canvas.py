"""The map canvas: linked maps that answer in the browser, without a request.

Everything it needs is one message (see maps/math.js); it reports where its controls came to rest,
for the address, and asks for what only the networks can say.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from pages.common.maps_view import MapsView
from pages.common.theme import Theme
from xdnn_core.figures.rendering import palette_rgb

_ARRAYS = ("values", "stack")
_FOLDER = Path(__file__).parent / "maps"
CSS = (_FOLDER / "canvas.css").read_text()
SCRIPT = "\n".join(
    (_FOLDER / name).read_text() for name in ("math.js", "numbers.js", "parts.js", "canvas.js")
)
_HTML = '<div class="maps"></div>'
_MOUNT = """
export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  const root = parentElement.querySelector(".maps");
  const send = (what, value) => (what === "view" ? setStateValue : setTriggerValue)(what, value);
  const canvas = mount(root, data, send);
  return () => root.isConnected || canvas.end();
}
"""
_canvas = st.components.v2.component("xdnn_maps", html=_HTML, css=CSS, js=SCRIPT + _MOUNT)


@dataclass(frozen=True)
class MapPanel:
    """One map of the canvas, or the photograph."""

    key: str
    title: str
    network: str = ""
    line: str = ""  # the numbers under it
    facts: tuple[str, ...] = ()  # the rest, on hover
    alt: str = ""  # what a screen reader says of it
    values: tuple[np.ndarray, ...] = ()  # (H, W) for each class, logits
    stack: tuple[np.ndarray, Sequence[float]] | None = None  # codes (S, H, W), int8, and ranges
    minus: tuple[str, str] | None = None  # keys of the two panels it is the difference of
    logits: tuple[float, ...] = ()  # of its network, for each class
    complete: bool = False  # whether its values sum to the logit, but for F of the baseline
    ranks: bool = False  # whether its order of the pixels is offered
    photo: bool = False

    @property
    def label(self) -> str:
        """Method and network."""
        return f"{self.title}, {self.network}" if self.network else self.title


@dataclass(frozen=True)
class MapsScene:
    """All that is on the canvas."""

    subject: str  # names photograph and networks: of another one the region is lifted
    classes: tuple[str, ...]  # the explained class, and the one it is held against
    panels: tuple[MapPanel, ...]
    photo: np.ndarray  # (H, W, 3), uint8
    fillings: Mapping[str, np.ndarray]  # by name, "blur" and "mean": what stands for lost pixels
    erased: Mapping[str, Any] | None = None  # what the networks said without the region
    curves: Mapping[str, Any] | None = None  # and along the order of the pixels
    tools: bool = True  # regions; False where maps are only to be looked at
    columns: int = 4  # of the grid, where there is room
    beside: bool = False  # whether the photograph has a column of its own beside two rows of maps


class Block:
    """The bytes after a header, with where each part lies."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._known: dict[int, tuple[np.ndarray, list[int]]] = {}

    def add(self, array: np.ndarray) -> list[int]:
        """Append an array once; returns where it starts and how many bytes it has."""
        if id(array) not in self._known:  # kept with it, so that its id is not used again
            self._known[id(array)] = array, [self._size, array.nbytes]
            self._parts.append(array.tobytes())
            self._size += array.nbytes
        return self._known[id(array)][1]

    def after(self, header: Mapping[str, Any]) -> bytes:
        """The whole message."""
        text = json.dumps(header).encode()
        return b"".join([len(text).to_bytes(4, "little"), text, *self._parts])


def maps_message(
    scene: MapsScene, view: MapsView, theme: Theme | None, more: Mapping[str, Any] | None = None
) -> bytes:
    """Pack a scene; theme None leaves the choice to the reader's browser.

    `more` is for the script of a page that has controls of its own beside the canvas's.
    """
    block = Block()
    panels = [
        {f.name: getattr(panel, f.name) for f in fields(panel) if f.name not in _ARRAYS}
        | {
            "label": panel.label,
            "maps": [block.add(values.astype(np.float32)) for values in panel.values],
            "stack": panel.stack
            and {"at": block.add(panel.stack[0]), "ranges": list(panel.stack[1])},
        }
        for panel in scene.panels
    ]
    header = {
        "size": scene.photo.shape[:2],
        "subject": scene.subject,
        "classes": scene.classes,
        "theme": theme or "auto",
        "palettes": {name: palette_rgb(name) for name in ("light", "dark")},
        "photo": {"at": block.add(scene.photo)}
        | {name: block.add(picture) for name, picture in scene.fillings.items()},
        "panels": panels,
        "view": asdict(view),
        "erased": scene.erased,
        "curves": scene.curves,
        "tools": scene.tools,
        "columns": scene.columns,
        "beside": scene.beside,
    } | dict(more or {})
    return block.after(header)


def question(key: str) -> Mapping[str, Any] | None:
    """What the canvas has just asked, to be computed before it is drawn."""
    asked: Mapping[str, Any] | None = st.session_state.get(key, {}).get("ask")
    return asked


def region_of(runs: object, size: tuple[int, int]) -> np.ndarray:
    """The region that a question names, (H, W), bool."""
    height, width = size
    mask = np.zeros(height * width, dtype=bool)
    numbers = runs if isinstance(runs, list) else []
    for start, length in zip(numbers[::2], numbers[1::2], strict=False):
        mask[max(0, int(start)) : max(0, int(start) + int(length))] = True
    return mask.reshape(size)


def draw_canvas(key: str, scene: MapsScene, view: MapsView, theme: Theme) -> None:
    """Draw the canvas; what it reports is read in the next run by `current_view`, `question`."""
    _canvas(
        key=key,
        data=maps_message(scene, view, theme),
        on_view_change=lambda: None,
        on_ask_change=lambda: None,
    )


_PAGE_CSS = """
:root { color-scheme: light dark; --st-font: system-ui, sans-serif; --st-text-color: #121926;
  --st-background-color: #fff; --st-border-color: #d5dae2; --st-primary-color: #1f5fae; }
@media (prefers-color-scheme: dark) { :root { --st-text-color: #e8edf4;
  --st-background-color: #10141c; --st-border-color: #39424f; --st-primary-color: #6cb2f7; } }
body { margin: 24px auto; max-width: 1480px; padding: 0 24px; font-family: var(--st-font);
  color: var(--st-text-color); background: var(--st-background-color); }
h1 { font-size: 1.3rem; margin: 0 0 4px; }
.about { margin: 0 0 18px; opacity: 0.8; font-size: 0.86rem; }
pre { font-size: 0.78rem; overflow-x: auto; }
"""


def standalone_page(
    scene: MapsScene, view: MapsView, title: str, about: Sequence[str], settings: str
) -> str:
    """The canvas as one HTML file that needs neither server nor network."""
    data = base64.b64encode(maps_message(scene, view, None)).decode()
    lines = "".join(f"<p class='about'>{escape(line)}</p>" for line in about)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>{_PAGE_CSS}{CSS}</style></head>
<body><h1>{escape(title)}</h1>{lines}
{_HTML}
<details><summary>Settings</summary><pre>{escape(settings)}</pre></details>
<script type="module">
{SCRIPT}
const text = atob("{data}");
const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
const draw = () => mount(document.querySelector(".maps"), bytes, null);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
draw();
</script></body></html>
"""
