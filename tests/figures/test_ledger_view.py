"""The ledger in bars and words: they say what the numbers say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from pages.compare_parts.sentences import biases_caption, ledger_sentence
from xdnn_core.attribution.ledger import Ledger, LedgerEntry
from xdnn_core.figures.ledger import (
    MOST_BARS,
    ledger_text,
    ledger_values,
    waterfall,
)

NAMES = ("features.0", "features.3", "classifier.1")


def one(value: float) -> Tensor:
    return torch.tensor([value], dtype=torch.float64)


def ledger(
    pixels: float, *layers: float, unexplained: float = 0.0, names: tuple[str, ...] = NAMES
) -> Ledger:
    kinds = ["linear" if name.startswith("classifier") else "convolution" for name in names]
    entries = tuple(
        LedgerEntry(name, kind, one(value), None)
        for name, kind, value in zip(names, kinds, layers, strict=False)
    )
    logit = pixels + sum(layers) + unexplained
    return Ledger(one(pixels), entries, one(unexplained), one(logit), one(-1.0))


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def test_bars_go_from_0_to_the_logit() -> None:
    steps = waterfall(ledger(2.0, 5.0, -1.0, 0.5))
    assert [step.label for step in steps] == [
        "Pixels",
        "Convolution 1",
        "Convolution 2",
        "Linear 1",
    ]
    assert [step.detail for step in steps[1:]] == list(NAMES)
    assert [(step.start, step.value) for step in steps] == [(0, 2), (2, 5), (7, -1), (6, 0.5)]


def test_what_is_unexplained_has_a_bar_only_where_it_counts() -> None:
    hidden = waterfall(ledger(2.0, 5.0, unexplained=-0.3))[-1]
    assert (hidden.label, hidden.value, hidden.start) == ("Unexplained", -0.3, 7)
    assert waterfall(ledger(2.0, 5.0, unexplained=1e-6))[-1].label == "Convolution 1"


def test_many_layers_go_block_by_block() -> None:
    names = ["conv1", *(f"layer{s}.{b}.conv{c}" for s in (1, 2) for b in range(8) for c in (1, 2))]
    found = ledger(1.0, *range(1, 34), names=tuple(names))
    steps = waterfall(found)
    assert [step.label for step in steps[:3]] == ["Pixels", "conv1", "layer1.0"]
    assert (steps[2].value, steps[2].detail) == (2 + 3, "2 biases")
    assert len(steps) == 1 + 17 <= MOST_BARS + 1
    assert steps[-1].start + steps[-1].value == float(found.outputs[0])


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (
            ledger(1.0, 3.0),
            "Its logit for cup, +4.00, is **25 %** from pixels, **75 %** from biases.",
        ),
        (
            ledger(-1.0, 6.0),
            "Its logit for cup, +5.00, is **−20 %** from pixels, **120 %** from biases.",
        ),
        (
            ledger(1.0, 3.0, unexplained=1.0),
            "Its logit for cup, +5.00, is **20 %** from pixels, **60 %** from biases, "
            "**20 %** from what no layer explains.",
        ),
        # Per cents of a negative logit, or of one near 0, would mislead.
        (
            ledger(2.0, -3.0),
            "Its logit for cup, −1.00, is **+2.00** from pixels, **−3.00** from biases.",
        ),
        (
            ledger(3.01, -3.0),
            "Its logit for cup, +0.01, is **+3.01** from pixels, **−3.00** from biases.",
        ),
    ],
)
def test_the_sentence(made: Ledger, said: str) -> None:
    assert plain(ledger_sentence(made, "cup")) == said


def test_the_text_and_the_plain_values_hold_every_entry() -> None:
    made = ledger(2.0, 5.0, -1.25, unexplained=0.125)
    values = ledger_values(made)
    assert values == {
        "logit": 5.875,
        "logit_of_the_mean_image": -1.0,
        "pixels": 2.0,
        "biases": 3.75,
        "unexplained": 0.125,
        "layers": [
            {"name": "features.0", "kind": "convolution", "value": 5.0},
            {"name": "features.3", "kind": "convolution", "value": -1.25},
        ],
    }
    text = ledger_text(made)
    for value in (2.0, 5.0, -1.25, 0.125, 5.875, -1.0):
        assert f"{value:+.5f}" in text
    assert "features.3" in text


def test_the_caption_sums_absolute_values_as_drawn() -> None:
    pixels = torch.tensor([[[[1.0, -2.0]], [[1.0, 2.0]], [[0.0, -3.0]]]])  # channels sum to 2, −3
    said = biases_caption(pixels, np.array([[[0.5, -0.25]]]))
    assert "the biases' map sums to 0.75, Input×Gradient's to 5." in said


def test_a_batch_of_many_speaks_of_its_first() -> None:
    made = ledger(1.0, 3.0)
    second = replace(made, pixels=torch.tensor([1.0, 9.0], dtype=torch.float64))
    assert waterfall(second)[0].value == 1.0
