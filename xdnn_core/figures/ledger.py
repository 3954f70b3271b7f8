"""The ledger of a logit as bars, words and plain values; of the first input of a batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xdnn_core.attribution.ledger import Ledger, LedgerEntry

# More bars than this are taken together, block by block.
MOST_BARS = 20
_KINDS: Mapping[str, str] = {
    "convolution": "Convolution",
    "linear": "Linear",
    "batch norm": "Batch norm",
    "parameter": "Bias",
}


@dataclass(frozen=True)
class Step:
    """One bar of the way from 0 to the logit."""

    # label, detail: what it is, and where in the network
    label: str
    detail: str
    value: float  # logits, signed
    start: float  # where the bar begins, logits


def waterfall(ledger: Ledger) -> list[Step]:
    """The way from 0 to the logit: pixels, layer by layer, and what is unexplained if it counts.

    A network of many layers goes block by block.
    """
    parts = [("Pixels", "Σ x·∂F/∂x", float(ledger.pixels[0])), *_bars(ledger.layers)]
    if not bool(ledger.is_explained[0]):
        parts.append(("Unexplained", "no layer holds it", float(ledger.unexplained[0])))
    steps, at = [], 0.0
    for label, detail, value in parts:
        steps.append(Step(label, detail, value, at))
        at += value
    return steps


def _bars(layers: Sequence[LedgerEntry]) -> list[tuple[str, str, float]]:
    """Label, place and value of every layer or block of layers."""
    if len(layers) <= MOST_BARS:
        count: Counter[str] = Counter()
        bars = []
        for entry in layers:
            count[entry.kind] += 1
            label = f"{_KINDS[entry.kind]} {count[entry.kind]}"
            bars.append((label, entry.name, float(entry.values[0])))
        return bars
    paths = [entry.name.split(".") for entry in layers]
    depth = max(len(path) for path in paths)
    while depth > 1 and len({tuple(path[:depth]) for path in paths}) > MOST_BARS:
        depth -= 1
    blocks: dict[str, list[float]] = {}
    for path, entry in zip(paths, layers, strict=True):
        blocks.setdefault(".".join(path[:depth]), []).append(float(entry.values[0]))
    return [
        (name, f"{len(values)} biases" if len(values) > 1 else "1 bias", sum(values))
        for name, values in blocks.items()
    ]


def ledger_text(ledger: Ledger) -> str:
    """The ledger in plain text, layer by layer, logits."""
    rows = [("pixels", "Σ x·∂F/∂x", ledger.pixels)]
    rows += [(entry.kind, entry.name, entry.values) for entry in ledger.layers]
    rows += [("unexplained", "", ledger.unexplained), ("logit", "", ledger.outputs)]
    rows.append(("mean image", "F(0)", ledger.baseline_outputs))
    lines = [f"{kind:<12}{name:<36}{float(one[0]):>+12.5f}" for kind, name, one in rows]
    return "\n".join([f"{'':<48}{'logits':>12}", *lines])


def ledger_values(ledger: Ledger) -> dict[str, object]:
    """The ledger as plain values for JSON, logits."""
    return {
        "logit": float(ledger.outputs[0]),
        "logit_of_the_mean_image": float(ledger.baseline_outputs[0]),
        "pixels": float(ledger.pixels[0]),
        "biases": float(ledger.biases[0]),
        "unexplained": float(ledger.unexplained[0]),
        "layers": [
            {"name": entry.name, "kind": entry.kind, "value": float(entry.values[0])}
            for entry in ledger.layers
        ],
    }


def ledger_maps(name: str, ledger: Ledger) -> dict[str, np.ndarray]:
    """Every layer's map on its own grid, (H', W'), logits, under NAME.biases.LAYER."""
    return {
        f"{name}.biases.{entry.name}": entry.map[0].cpu().numpy()
        for entry in ledger.layers
        if entry.map is not None
    }
