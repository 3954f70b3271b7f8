"""The attribution methods a network can be trained with."""

from __future__ import annotations

import re
from dataclasses import dataclass

from xdnn_core.errors import UserError

MAX_SAMPLES = 512


@dataclass(frozen=True)
class MethodCard:
    """One attribution method in words."""

    title: str  # name on screen
    formula: str  # the attribution A of input x, F the logit, F' = ∂F/∂x
    biases: bool  # whether the network trained with it has biases
    regularised: bool  # whether a penalty on the attribution is trained with
    default_samples: int  # references k of Expected Gradients, steps n of Integrated Gradients
    source: str  # paper


METHODS: dict[str, MethodCard] = {
    "none": MethodCard(
        "No prior", "x · F'(x), measured only", True, False, 0, "the control, with biases"
    ),
    "none_without_bias": MethodCard(
        "No prior, no biases", "x · F'(x), measured only", False, False, 0,
        "the control, without biases",
    ),
    "gradient": MethodCard("Gradient", "F'(x)", True, True, 0, "Simonyan et al. 2014"),
    "rrr": MethodCard(
        "RRR", "∂/∂x [log p(x) + log(1 − p(x))] = (1 − 2p(x)) · F'(x)", True, True, 0,
        "Ross et al. 2017",
    ),
    "input_x_gradient": MethodCard(
        "Input×Gradient", "x · F'(x)", True, True, 0, "Shrikumar et al. 2016"
    ),
    "x_gradient": MethodCard(
        "X-Gradient", "x · F'(x), F without biases", False, True, 0, "Hesse et al. 2021"
    ),
    "expected_gradients": MethodCard(
        "Expected Gradients", "mean over k references r and t ~ U(0, 1) of "
        "(x − r) · F'(r + t(x − r))", True, True, 1, "Erion et al. 2021",
    ),
    "integrated_gradients": MethodCard(
        "Integrated Gradients", "Σ w_s · x · F'(t_s x), n Gauss–Legendre steps", True, True, 8,
        "Sundararajan et al. 2017",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class PriorMethod:
    """One method to train with.

    Attributes
    ----------
    name
        A key of `METHODS`.
    samples
        References k (Expected Gradients) or steps n (Integrated Gradients); 0 takes the
        method's default, and is what every other method has.

    Raises
    ------
    UserError
        If the name is unknown, or the samples do not fit the method.

    Examples
    --------
    >>> PriorMethod("expected_gradients", 8).key
    'expected_gradients:8'
    """

    name: str
    samples: int = 0

    def __post_init__(self) -> None:
        if self.name not in METHODS:
            raise UserError(f"Method {self.name!r} is not known; choose from {', '.join(METHODS)}.")
        default = METHODS[self.name].default_samples
        if not default and self.samples:
            raise UserError(
                f"{METHODS[self.name].title} takes no number of samples, {self.samples} was "
                "given; leave it out."
            )
        if not 0 <= self.samples <= MAX_SAMPLES:
            raise UserError(
                f"{self.samples} samples were given for {METHODS[self.name].title}; allowed are 1 "
                f"to {MAX_SAMPLES}."
            )
        if default and not self.samples:
            object.__setattr__(self, "samples", default)

    @property
    def card(self) -> MethodCard:
        """What the method is."""
        return METHODS[self.name]

    @property
    def key(self) -> str:
        """Text form that `parse_method` reads: ``"x_gradient"``, ``"expected_gradients:8"``."""
        return f"{self.name}:{self.samples}" if self.samples else self.name

    @property
    def title(self) -> str:
        """Name on screen, with its samples: ``"Expected Gradients (k = 8)"``."""
        if not self.samples:
            return self.card.title
        letter = "k" if self.name == "expected_gradients" else "n"
        return f"{self.card.title} ({letter} = {self.samples})"

    @property
    def sampled(self) -> bool:
        """Whether the attribution is taken at points of a path, not at x itself."""
        return self.samples > 0


def parse_method(text: str | PriorMethod) -> PriorMethod:
    """Read ``"x_gradient"``, ``"expected_gradients"`` or ``"expected_gradients:8"``."""
    if isinstance(text, PriorMethod):
        return text
    match = re.fullmatch(r"([a-z_]+)(?::(\d{1,4}))?", text.strip())
    if match is None:
        raise UserError(
            f"Method {text!r} cannot be read; write a name such as x_gradient, or with samples "
            "expected_gradients:8."
        )
    return PriorMethod(match[1], int(match[2] or 0))
