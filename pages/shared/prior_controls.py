"""The settings of a run; every one of them is in the address, so that a configuration is a link."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.shared.terms import explain
from xdnn_core.priors.live_controls import (
    LEARNING_RATES,
    SAMPLES,
    STRENGTHS,
    decimal_label,
    parse_hidden,
    strength_label,
)
from xdnn_core.priors.live_state import MAX_EPOCHS, MAX_REPLICATES, LiveConfig
from xdnn_core.priors.methods import METHODS, PriorMethod
from xdnn_core.priors.penalties import PENALTIES

_BOUND: dict[str, Any] = {"bind": "query-params", "persist_state": "session"}
# Epochs a second at most; None is as fast as the machine goes. By what stands in the address.
_PACES: dict[str, float | None] = {"5/s": 5.0, "15/s": 15.0, "full speed": None}
_DRAWS = {"permuted": False, "independent": True}
# 0.1 is what validation chooses on the cohort that comes with the app.
_DEFAULT = LiveConfig(strength=0.1)
_BY_TITLE = {card.title: name for name, card in METHODS.items()}


def choose_config() -> LiveConfig:
    """Draw the settings, all but λ, which is set while training.

    Raises
    ------
    UserError
        If they cannot be trained with.
    """
    titles = st.pills(
        "Methods",
        list(_BY_TITLE),
        selection_mode="multi",
        wrap=True,
        default=[method.card.title for method in _DEFAULT.methods],
        key="methods",
        label_visibility="collapsed",
        **_BOUND,
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
    for place, name, label, key in (
        (left, "expected_gradients", "references k", "k"),
        (right, "integrated_gradients", "steps n", "n"),
    ):
        samples[name] = place.select_slider(
            f"{METHODS[name].title}: {label}",
            SAMPLES,
            value=METHODS[name].default_samples,
            key=key,
            disabled=name not in chosen,
            **_BOUND,
        )
    draws = st.segmented_control(
        "References are drawn",
        list(_DRAWS),
        default="permuted",
        required=True,
        key="draws",
        disabled="expected_gradients" not in chosen,
        help="Permuted: every training row is used exactly k times an epoch, as in the published "
        "code.",
        **_BOUND,
    )
    return samples, _DRAWS[draws]


def _training() -> dict[str, Any]:
    """What all methods of a run have in common."""
    titles = {penalty.title: name for name, penalty in PENALTIES.items()}
    penalty = st.segmented_control(
        "Penalty on the attributions",
        list(titles),
        default=PENALTIES[_DEFAULT.penalty].title,
        required=True,
        key="penalty",
        **_BOUND,
    )
    left, right = st.columns(2)
    hidden = left.text_input(
        "Hidden layers",
        ", ".join(map(str, _DEFAULT.hidden)),
        key="layers",
        max_chars=40,
        help="Neurons of each, from the input to the output; 1 to 4 layers.",
        **_BOUND,
    )
    rate = right.select_slider(
        "Learning rate",
        LEARNING_RATES,
        value=_DEFAULT.learning_rate,
        format_func=decimal_label,
        key="rate",
        **_BOUND,
    )
    replicates = left.slider(
        "Replicates",
        1,
        MAX_REPLICATES,
        _DEFAULT.replicates,
        key="replicates",
        help="Random splits and initial weights trained side by side; the band is over them.",
        **_BOUND,
    )
    seed = right.number_input(
        "Seed", 0, 2**31 - 1, _DEFAULT.seed, key="seed", help="Of the first replicate.", **_BOUND
    )
    left, right = st.columns([1, 1.4])
    epochs = left.number_input(
        "Epochs",
        1,
        MAX_EPOCHS,
        _DEFAULT.epochs,
        key="epochs",
        help="May be changed while training; more let a finished run go on.",
        **_BOUND,
    )
    pace = right.segmented_control(
        "Epochs a second, at most",
        list(_PACES),
        default="15/s",
        required=True,
        key="pace",
        help="So that there is something to steer; may be changed while training.",
        **_BOUND,
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


def choose_strength() -> float:
    """Draw the slider of λ."""
    return st.select_slider(
        "λ, weight of the penalty",
        STRENGTHS,
        value=_DEFAULT.strength,
        format_func=strength_label,
        key="lambda",
        help="Acts while training goes on, from the next epoch. Off: the penalty is measured but "
        "not trained with. Methods without a prior do not change.",
        **_BOUND,
    )


def chosen_strength() -> float:
    """λ of the slider, also before it is drawn."""
    return float(st.session_state.get("lambda", _DEFAULT.strength))


def show_config(config: LiveConfig) -> None:
    """Put a configuration into the controls; for callbacks, before anything is drawn."""
    paces = {pace: title for title, pace in _PACES.items()}
    state = st.session_state
    state["methods"] = [method.card.title for method in config.methods]
    for method in config.methods:
        if method.name == "expected_gradients":
            state["k"] = method.samples
        elif method.name == "integrated_gradients":
            state["n"] = method.samples
    state["draws"] = "independent" if config.independent_references else "permuted"
    state["penalty"] = PENALTIES[config.penalty].title
    state["layers"] = ", ".join(map(str, config.hidden))
    state["rate"] = config.learning_rate
    state["replicates"] = config.replicates
    state["seed"] = config.seed
    state["epochs"] = config.epochs
    state["pace"] = paces.get(config.epochs_per_second, "15/s")
    state["lambda"] = config.strength
