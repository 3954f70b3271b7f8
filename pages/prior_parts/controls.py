"""The settings of a run; every one of them is in the address, so that a configuration is a link."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from pages.common.address import choice, choices, number, text
from pages.common.terms import explain
from pages.prior_parts.scales import (
    LEARNING_RATES,
    SAMPLES,
    STRENGTHS,
    decimal_label,
    parse_hidden,
    strength_label,
)
from xdnn_core.errors import UserError
from xdnn_core.priors.live_state import MAX_EPOCHS, MAX_REPLICATES, LiveConfig
from xdnn_core.priors.methods import METHODS, PriorMethod
from xdnn_core.priors.penalties import PENALTIES

# Epochs a second at most; None is as fast as the machine goes. By what stands in the address.
_PACES: dict[str, float | None] = {"5/s": 5.0, "15/s": 15.0, "full speed": None}
_DRAWS = {"permuted": False, "independent": True}
# 0.1 is what validation chooses on the cohort that comes with the app.
_DEFAULT = LiveConfig(strength=0.1)
_BY_TITLE = {card.title: name for name, card in METHODS.items()}


def choose_config() -> LiveConfig:
    """Draw the settings, all but λ, which is set while training."""
    titles = st.pills(
        "Methods",
        selection_mode="multi",
        wrap=True,
        default=[method.card.title for method in _DEFAULT.methods],
        label_visibility="collapsed",
        **choices("methods", list(_BY_TITLE)),
    )
    with st.popover("Settings", icon=":material/tune:"):
        chosen = [name for title, name in _BY_TITLE.items() if title in titles]
        samples, independent = _sampling(chosen)
        settings = _training()
        explain("penalty", "replicate", "references", label="What is this?", key="explain_settings")
    return LiveConfig(
        methods=tuple(PriorMethod(name, samples.get(name, 0)) for name in chosen),
        strength=chosen_strength(),
        independent_references=independent,
        **settings,
    )


def _sampling(chosen: list[str]) -> tuple[dict[str, int], bool]:
    """References and steps, by the method that takes them; whether draws are independent."""
    left, right = st.columns(2)
    samples = {}
    for column, name, label, key in (
        (left, "expected_gradients", "references k", "k"),
        (right, "integrated_gradients", "steps n", "n"),
    ):
        samples[name] = column.select_slider(
            f"{METHODS[name].title}: {label}",
            value=METHODS[name].default_samples,
            disabled=name not in chosen,
            **choice(key, SAMPLES),
        )
    draws = st.segmented_control(
        "References are drawn",
        default="permuted",
        required=True,
        disabled="expected_gradients" not in chosen,
        help="Permuted: every training row is used exactly k times an epoch, as in the published "
        "code.",
        **choice("draws", list(_DRAWS)),
    )
    return samples, _DRAWS[draws]


def _training() -> dict[str, Any]:
    """What all methods of a run have in common."""
    titles = {penalty.title: name for name, penalty in PENALTIES.items()}
    penalty = st.segmented_control(
        "Penalty on the attributions",
        default=PENALTIES[_DEFAULT.penalty].title,
        required=True,
        **choice("penalty", list(titles)),
    )
    left, right = st.columns(2)
    hidden = left.text_input(
        "Hidden layers",
        ", ".join(map(str, _DEFAULT.hidden)),
        help="Neurons of each, from the input to the output; 1 to 4 layers.",
        **text("layers", 40, _are_layers),
    )
    rate = right.select_slider(
        "Learning rate",
        value=_DEFAULT.learning_rate,
        **choice("rate", LEARNING_RATES, decimal_label),
    )
    replicates = left.slider(
        "Replicates",
        value=_DEFAULT.replicates,
        help="Random splits and initial weights trained side by side; the band is over them.",
        **number("replicates", 1, MAX_REPLICATES),
    )
    seed = right.number_input(
        "Seed", value=_DEFAULT.seed, help="Of the first replicate.", **number("seed", 0, 2**31 - 1)
    )
    left, right = st.columns([1, 1.4])
    epochs = left.number_input(
        "Epochs",
        value=_DEFAULT.epochs,
        help="May be changed while training; more let a finished run go on.",
        **number("epochs", 1, MAX_EPOCHS),
    )
    pace = right.segmented_control(
        "Epochs a second, at most",
        default="15/s",
        required=True,
        help="So that there is something to steer; may be changed while training.",
        **choice("pace", list(_PACES)),
    )
    return {
        "penalty": titles[penalty],
        "hidden": parse_hidden(hidden),
        "learning_rate": rate,
        "replicates": replicates,
        "seed": seed,
        "epochs": epochs,
        "epochs_per_second": _PACES[pace],
    }


def _are_layers(typed: str) -> bool:
    try:
        LiveConfig(hidden=parse_hidden(typed))
    except UserError:
        return False
    return True


def choose_strength() -> float:
    """Draw the slider of λ."""
    return st.select_slider(
        "λ, weight of the penalty",
        value=_DEFAULT.strength,
        help="Acts while training goes on, from the next epoch. Off: the penalty is measured but "
        "not trained with. Methods without a prior do not change.",
        **choice("lambda", STRENGTHS, strength_label),
    )


def chosen_strength() -> float:
    """λ of the slider, also before it is drawn."""
    return float(st.session_state.get("lambda", _DEFAULT.strength))


def show_config(config: LiveConfig) -> None:
    """Put a configuration into the controls; for callbacks, before anything is drawn.

    What is no stop of its slider, as another version may have kept it, becomes the nearest.
    """
    paces = {pace: title for title, pace in _PACES.items()}
    state = st.session_state
    state["methods"] = [method.card.title for method in config.methods]
    for method in config.methods:
        if method.name == "expected_gradients":
            state["k"] = _nearest(SAMPLES, method.samples)
        elif method.name == "integrated_gradients":
            state["n"] = _nearest(SAMPLES, method.samples)
    state["draws"] = "independent" if config.independent_references else "permuted"
    state["penalty"] = PENALTIES[config.penalty].title
    state["layers"] = ", ".join(map(str, config.hidden))
    state["rate"] = _nearest(LEARNING_RATES, config.learning_rate)
    state["replicates"] = config.replicates
    state["seed"] = config.seed
    state["epochs"] = config.epochs
    state["pace"] = paces.get(config.epochs_per_second, "15/s")
    state["lambda"] = _nearest(STRENGTHS, config.strength)


def _nearest(stops: Sequence[float], value: float) -> float:
    return min(stops, key=lambda stop: abs(stop - value))
