"""Choices of several pages; each is in the address, so that a view is a link."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.common.address import choice
from pages.common.networks import PAIRS

if TYPE_CHECKING:
    from xdnn_core.experiments.comparison import Prediction


def choose(key: str, label: str, options: Sequence[Any], default: Any = None, **more: Any) -> Any:
    """Draw a choice among few options, the first of them to begin with; one is always chosen."""
    first = options[0] if default is None else default
    return st.segmented_control(label, default=first, required=True, **choice(key, options), **more)


def choose_pair() -> tuple[str, str]:
    """Draw the choice of networks."""
    title = st.selectbox("Networks", width=200, **choice("networks", list(PAIRS)))
    return PAIRS[title]


def choose_class(classes: Sequence[str], predictions: Sequence[Sequence[Prediction]]) -> int:
    """Draw the choice of the class to explain, likely ones first; returns its index.

    Without a choice it is the regular network's own prediction.
    """
    # The options' labels are what stands in the address, so they are the plain names.
    ranked = dict.fromkeys(p.name for pair in zip(*predictions, strict=True) for p in pair)
    first = predictions[0][0].name
    chosen = st.selectbox(
        "Class to explain",
        index=None,
        placeholder=f"Predicted: {first}",
        help="Any class, by search; likely ones first. Empty: what AlexNet predicts.",
        width=200,
        **choice("class", list(ranked)),
    )
    return list(classes).index(chosen or first)


def choose_other_class(
    classes: Sequence[str], predictions: Sequence[Sequence[Prediction]], target: int
) -> int | None:
    """Draw the choice of a class to hold against the explained one; None without one."""
    ranked = dict.fromkeys(p.name for pair in zip(*predictions, strict=True) for p in pair)
    chosen = st.selectbox(
        "And not",
        index=None,
        placeholder="another class",
        help="Why this class and not that one: a slider goes over to the difference of the two.",
        width=200,
        **choice("against", list(ranked)),
    )
    return None if chosen is None or classes[target] == chosen else list(classes).index(chosen)
