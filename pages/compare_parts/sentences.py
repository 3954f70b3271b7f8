"""The sentences of Compare, made of the numbers that stand beside them."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from xdnn_core.attribution.ledger import Ledger
from xdnn_core.text import percent, signed

# Of the logit. Beyond, per cents of a logit near 0 say nothing.
_MOST_SHARE = 10.0


def ledger_sentence(ledger: Ledger, class_name: str) -> str:
    """What of the logit comes from pixels and what from biases.

    In per cent of the logit; in logits where the logit is negative or near 0.
    """
    logit = float(ledger.outputs[0])
    parts = {"pixels": float(ledger.pixels[0]), "biases": float(ledger.biases[0])}
    if not bool(ledger.is_explained[0]):
        parts["what no layer explains"] = float(ledger.unexplained[0])
    as_shares = max(abs(part) for part in parts.values()) <= _MOST_SHARE * logit

    def written(part: float) -> str:
        if not as_shares:
            return signed(part)
        return ("−" if part < 0 else "") + percent(abs(part) / logit)

    shares = ", ".join(f"**{written(part)}** from {name}" for name, part in parts.items())
    return f"Its logit for {class_name}, {signed(logit)}, is {shares}."


def biases_caption(pixels: Tensor, biases: np.ndarray) -> str:
    """What the biases' map (1, H, W) is beside Input×Gradient's (1, 3, H, W)."""
    size = float(np.abs(biases).sum())
    beside = float(pixels.double().sum(dim=1).abs().sum())  # channels first, as drawn
    return (
        "The map of the biases, Input×Gradient's and the layers without a map sum to the logit. "
        f"In absolute values the biases' map sums to {size:.3g}, Input×Gradient's to {beside:.3g}."
    )
