"""Table 1 on one network and one photograph: the axioms tried where the theorems are applied.

python -m xdnn_core table1 --network alexnet-caltech101 --image photo.jpg
"""

from __future__ import annotations

import argparse
import shlex
import time
from collections.abc import MutableMapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import pandas as pd
import torch
from PIL import Image
from tqdm import tqdm

from xdnn_core.axioms.axioms import AXIOMS, Cell, grid_text
from xdnn_core.axioms.loaded import CellKey, WitnessMaps, try_network
from xdnn_core.axioms.network import NetworkSettings, method_title
from xdnn_core.data.gallery import gallery
from xdnn_core.data.uploads import read_photo_file
from xdnn_core.experiments.comparison import named_target
from xdnn_core.experiments.provenance import Provenance, provenance, report
from xdnn_core.models.zoo import PretrainedModel, load_model
from xdnn_core.progress import Progress, on_bar
from xdnn_core.text import percent

REFERENCES: Final = 8  # photographs of the gallery, for Expected Gradients


@dataclass(frozen=True)
class NetworkTable1:
    """All cells of one network and one photograph."""

    cells: tuple[Cell, ...]  # method by method, axiom by axiom
    network: str  # its name
    photo: str  # key in the gallery, or name of the file
    # target, class_name: the class that is explained
    target: int
    class_name: str
    settings: NetworkSettings  # how much was tried
    seconds: float  # wall-clock time; of a run that was cancelled in between, of its last part
    provenance: Provenance  # how it was made

    def cell(self, method: str, axiom: str) -> Cell:
        """One cell."""
        return next(c for c in self.cells if (c.method, c.axiom) == (method, axiom))

    @property
    def titles(self) -> dict[str, str]:
        """Names of the methods on screen, by name."""
        names = dict.fromkeys(cell.method for cell in self.cells)
        return {name: method_title(name, self.settings) for name in names}


def run_network_table1(
    model: PretrainedModel,
    image: Image.Image,
    photo: str,
    target: int,
    settings: NetworkSettings,
    progress: Progress | None = None,
    known: MutableMapping[CellKey, Cell] | None = None,
    witnesses: MutableMapping[CellKey, WitnessMaps] | None = None,
) -> NetworkTable1:
    """Try the axioms on a network and a photograph.

    `progress`: called with (gradient calls done, in all); may raise to cancel. `known`,
    `witnesses`: as in `try_network`.
    """
    began = time.perf_counter()
    others = [item for item in gallery() if item.key != photo][:REFERENCES]
    references = torch.stack([model.preprocess(item.open()) for item in others])
    inputs = model.preprocess(image)[None]  # (1, 3, H, W)
    cells = try_network(
        model.network, inputs, target, references, settings, progress, known, witnesses
    )
    words = ["python", "-m", "xdnn_core", "table1", "--network", model.name, "--image", photo]
    words += ["--target", model.classes[target], "--steps", str(settings.steps)]
    words += ["--samples", str(settings.samples), "--seed", str(settings.seed)]
    made = provenance(photo, 1, inputs.device)
    return NetworkTable1(
        cells=cells,
        network=model.name,
        photo=photo,
        target=target,
        class_name=model.classes[target],
        settings=settings,
        seconds=time.perf_counter() - began,
        provenance=replace(made, command=shlex.join(words)),
    )


def describe(table: NetworkTable1) -> str:
    """The table in plain text, with the witness of every cell."""
    lines = [
        f"{table.network}, {table.photo}, class {table.class_name}, float64",
        "",
        *grid_text(table.titles, table.cells),
        "",
    ]
    for cell in table.cells:
        verdict = "holds" if cell.holds else "VIOLATED"
        lines.append(
            f"{table.titles[cell.method]}, {AXIOMS[cell.axiom].title}: {verdict} (off by "
            f"{percent(cell.worst)}, allowed {percent(cell.tolerance)}); {cell.witness}."
        )
    return "\n".join(lines)


def main(args: argparse.Namespace) -> int:
    """Run ``python -m xdnn_core table1 --network NAME``; returns the exit status."""
    model = load_model(args.network, device=args.device)
    image, photo = _open_photo(args.image or "camera")
    target = named_target(args.target, model, model.preprocess(image)[None])
    settings = NetworkSettings(steps=args.steps, samples=args.samples, seed=args.seed)
    with tqdm(desc="table1", unit="gradient") as bar:
        table = run_network_table1(model, image, photo, target, settings, on_bar(bar))
    rows = pd.DataFrame(map(asdict, table.cells))
    text = f"{describe(table)}\n\n{table.seconds:.0f} s"
    return report(args.out, rows, table, "table1 --network", text)


def _open_photo(name: str) -> tuple[Image.Image, str]:
    """The photograph that a key of the gallery or a file stands for, and its name."""
    item = {item.key: item for item in gallery()}.get(name)
    return (read_photo_file(Path(name)), Path(name).name) if item is None else (item.open(), name)
