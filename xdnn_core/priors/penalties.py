"""Penalties on attributions, as functions of the profile.

The profile a of a set of attributions A is a_j = mean over rows of |A_ij|: one number a feature,
the mean absolute attribution. Both penalties see nothing else, so each has its value and its
slope dΩ/da in closed form, and a differentiable form for any network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from xdnn_core.errors import UserError


@dataclass(frozen=True)
class PenaltyValue:
    """A penalty at a profile."""

    value: Tensor  # Ω, (...)
    slope: Tensor  # dΩ/da, (..., d)
    undefined: Tensor  # (...), True where the profile is zero everywhere, so that Ω is not defined


@dataclass(frozen=True)
class Penalty:
    """A penalty Ω(A) that training makes small."""

    name: str  # key in `PENALTIES`
    title: str  # name on screen
    at_profile: Callable[[Tensor], PenaltyValue]  # maps a profile (..., d) to its `PenaltyValue`
    differentiable: Callable[[Tensor], Tensor]  # maps a profile (d,) to Ω, for autograd

    def __call__(self, attributions: Tensor) -> Tensor:
        """Return Ω of attributions (B, ...), a scalar that autograd can go through."""
        return self.differentiable(profile(attributions))


def profile(attributions: Tensor) -> Tensor:
    """Return the mean absolute attribution of every feature: (B, ...) -> (d,)."""
    return attributions.abs().mean(dim=0).flatten()


def gini(values: Tensor) -> Tensor:
    """Return the Gini coefficient of nonnegative values: 0 all equal, 1 − 1/d all in one, (...).

    G = Σ_ij |a_i − a_j| / (2 d Σ a), by sorting: Σ_i (2i − d − 1) a_(i) / (d Σ a).

    References
    ----------
    Hurley and Rickard 2009; Erion et al. 2021, Section 4.3.
    """
    value = _negative_gini(values)
    return (-value.value).masked_fill(value.undefined, float("nan"))


def _floor(dtype: torch.dtype) -> float:
    """Σa below which a profile counts as zero.

    The slope is of size 1/Σa and Adam squares it: under this floor the square would overflow
    and poison Adam's second moment for the rest of the training.
    """
    return torch.finfo(dtype).tiny ** 0.25  # 3e-10 in float32


def _sort_coefficients(features: int, like: Tensor) -> Tensor:
    """2i − d − 1 for i = 1..d, (d,)."""
    index = torch.arange(1, features + 1, dtype=like.dtype, device=like.device)
    return 2 * index - features - 1


def _negative_gini(values: Tensor) -> PenaltyValue:
    """−G and its slope: dG/da_(i) = (2i − d − 1)/(d Σa) − G/Σa.

    The printed penalty is Ω = −Σ_ij |a_i − a_j| / (d Σa) = −2G (Erion et al. 2021, Section 4.3);
    this is half of it, as in the published code, so λ·(−G) is what λ/2 times the printed Ω is.
    """
    features = values.shape[-1]
    total = values.sum(dim=-1, keepdim=True)  # (..., 1)
    undefined = total <= _floor(values.dtype)
    total = total.masked_fill(undefined, 1.0)
    ascending, order = values.sort(dim=-1)
    share = _sort_coefficients(features, values) / (features * total)  # (..., d)
    coefficient = (share * ascending).sum(dim=-1, keepdim=True)  # (..., 1)
    slope = torch.empty_like(values).scatter_(-1, order, coefficient / total - share)
    return PenaltyValue(
        -coefficient.masked_fill(undefined, 0.0)[..., 0],
        slope.masked_fill(undefined, 0.0),
        undefined[..., 0],
    )


def _differentiable_negative_gini(values: Tensor) -> Tensor:
    total = values.sum()
    if total <= _floor(values.dtype):
        return total * 0  # stays in the graph, with zero gradient
    ascending = values.sort().values
    features = len(values)
    return -(_sort_coefficients(features, values) * ascending).sum() / (features * total)


def _l1(values: Tensor) -> PenaltyValue:
    """Mean absolute attribution over rows and features."""
    slope = torch.full_like(values, 1 / values.shape[-1])
    never = torch.zeros(values.shape[:-1], dtype=torch.bool, device=values.device)
    return PenaltyValue(values.mean(dim=-1), slope, never)


PENALTIES: dict[str, Penalty] = {
    "gini": Penalty("gini", "Sparse: negative Gini", _negative_gini, _differentiable_negative_gini),
    "l1": Penalty("l1", "Small: mean |attribution|", _l1, Tensor.mean),
}


def find_penalty(name: str) -> Penalty:
    """Return a penalty by name."""
    if name not in PENALTIES:
        raise UserError(f"Penalty {name!r} is not known; choose from {', '.join(PENALTIES)}.")
    return PENALTIES[name]
