"""Exact Integrated Gradients from few gradients, where the degree of the network allows it.

Along the ray from zero to x a network may be a sum of powers, F(αx) = F(0) + Σ_k αᵏ f_k(x), α > 0.
Its gradient there is then a polynomial in α, which few points of Gauss and Legendre integrate
exactly: ⌈K/2⌉ for degrees up to K. Of one degree k alone one gradient is enough (Euler's theorem):

    IG(x) = x ⊙ ∂F/∂x / k.

k = 1 is X-Gradient (Hesse et al. 2021, Equation 4); for other degrees we did not find it stated.
What holds is measured: gradients at twelve points of the ray, in float64.
"""

from __future__ import annotations

import copy
import time
from typing import Final, Literal

import torch
from torch import Tensor, nn

from xdnn_core.attribution.cached_check import cached_check, input_signature, value_state
from xdnn_core.attribution.gate import check_repeatable
from xdnn_core.attribution.quadrature import quadrature
from xdnn_core.attribution.result import Attribution, completeness_gap
from xdnn_core.attribution.target import (
    Classes,
    Target,
    check_request,
    input_gradient,
    output_at_zero,
    select_target,
)
from xdnn_core.device import full_float32, synchronise
from xdnn_core.errors import UserError
from xdnn_core.homogeneity.inspection import NotHomogeneousError

MAX_DEGREE: Final = 8
# α at which gradients are taken, more of them than a polynomial of so many terms can follow.
_PROBES: Final = (0.0625, 0.125, 0.1875, 0.25, 0.375, 0.5, 0.625, 0.75, 1.0, 1.25, 1.5, 2.0)
_TOLERANCE: Final = 1e-6  # of float64, relative to the largest gradient along the ray
_INCOMPLETE: Final = 1e-3  # relative to Σ|values|: float32 stays far below


@full_float32()
def closed_form_attribution(
    network: nn.Module,
    inputs: Tensor,
    target: Target = None,
    *,
    check: Literal["once", "full"] = "once",
) -> Attribution:
    """Return exact Integrated Gradients from zero by as few gradients as the network's degree asks.

    A caller's autocast, TF32 and inference mode are switched off inside.

    Parameters
    ----------
    network
        Maps (B, ...) to logits (B, classes), (B, 1) or (B,); in evaluation mode. A constant in its
        output does no harm: the values sum to F(x) − F(0).
    inputs
        x, (B, ...).
    target
        Class index; one per input (B,), as tensor, array or list; or None for a network with one
        output.
    check
        How often the degrees are measured. "once": a network and shape of input, on the inputs
        that come first, and again when a value or layer has changed. "full": at every call. Either
        way the sum of the values is compared with F(x) − F(0) at every call.

    Returns
    -------
    Attribution
        `values` (B, ...); `degrees`, those that were found; `gradient_calls`, 1 for one degree,
        ⌈K/2⌉ for several up to K. The measurement is not counted.

    Raises
    ------
    NotHomogeneousError
        If F along the ray is no such sum of degrees up to 8, with what to use instead; of degree 0,
        as behind a normalised input, F has no Integrated Gradients from zero.
    UserError
        As for `gradient`.

    References
    ----------
    Euler's theorem; Hesse et al. 2021, Equation 4, for degree 1.

    Examples
    --------
    >>> import torch
    >>> class Square(torch.nn.Module):
    ...     def forward(self, x):
    ...         return (x * x).sum(dim=1)
    >>> found = closed_form_attribution(Square().eval(), torch.tensor([[1.0, 3.0]]))
    >>> found.values, found.degrees, found.gradient_calls
    (tensor([[1., 9.]]), (2,), 1)
    """
    if check not in ("once", "full"):
        raise UserError(f"check is {check!r}; choose once or full.")
    x, classes = check_request(network, inputs, target)
    check_repeatable(network, x)
    degrees = _degrees(network, x, classes, check)
    began = time.perf_counter()
    if len(degrees) == 1:
        outputs, gradients = input_gradient(network, x, classes)
        values, calls = x * gradients / degrees[0], 1
    else:
        points, weights = quadrature("gauss_legendre", calls := -(-degrees[-1] // 2))
        values = torch.zeros_like(x)
        for t, weight in zip(points.tolist(), weights.tolist(), strict=True):
            values += weight * x * input_gradient(network, t * x, classes)[1]
        with torch.no_grad():
            outputs = network(x)
    synchronise(x.device)
    seconds = time.perf_counter() - began
    at_zero = output_at_zero(network, x)  # (1, classes) or (1,)
    picked = select_target(outputs, classes)  # (B,)
    baseline = select_target(at_zero.expand(len(x), *at_zero.shape[1:]), classes)
    _require_completeness(values, picked - baseline)
    return Attribution(
        values, picked, baseline, completeness_gap(values, picked, baseline), calls, seconds,
        "closed_form", degrees=degrees,
    )  # fmt: skip


def _degrees(network: nn.Module, x: Tensor, target: Classes, check: str) -> tuple[int, ...]:
    """The degrees k ≥ 1 of F along the rays of the inputs, ascending."""

    def measure() -> tuple[int, ...]:
        return measured_degrees(network, x, target)

    if check == "full" or not bool(x.any()):
        return measure()
    key = ("degrees", *input_signature(x))
    return cached_check(network, key, value_state(network), measure)


def measured_degrees(network: nn.Module, x: Tensor, target: Classes) -> tuple[int, ...]:
    """The degrees of F along the rays of x, (B, ...), from gradients in float64.

    Raises
    ------
    NotHomogeneousError
        If it is no sum of degrees from 1 to `MAX_DEGREE`.
    """
    double, rows = copy.deepcopy(network).double().requires_grad_(False), x.double()
    alphas = torch.tensor(_PROBES, dtype=torch.float64)  # (P,)
    gradients = torch.stack(
        [input_gradient(double, alpha * rows, target)[1].flatten().cpu() for alpha in _PROBES]
    )  # (P, B * n)
    size = float(gradients.abs().max())
    if size == 0:
        return (1,)  # constant: every closed form gives 0
    if float((alphas[:, None] * gradients - gradients[_PROBES.index(1.0)]).abs().max()) <= (
        _TOLERANCE * size
    ):
        raise NotHomogeneousError(
            "F(αx) = F(x): the network is of degree 0, as behind a normalised input, so Σ x·∂F/∂x "
            "is 0 and there are no Integrated Gradients from zero; use gradient, or "
            "integrated_gradients from another baseline."
        )
    for highest in range(1, MAX_DEGREE + 1):
        powers = alphas[:, None] ** torch.arange(highest)  # (P, K): αᵏ⁻¹
        terms = torch.linalg.lstsq(powers, gradients).solution  # (K, B * n): k f_k's gradient
        off = float((powers @ terms - gradients).abs().max()) / size
        if off <= _TOLERANCE:
            counts = terms.abs().amax(dim=1) > _TOLERANCE * size  # (K,)
            return tuple(int(k) + 1 for k in counts.nonzero()[:, 0])
    raise NotHomogeneousError(
        f"Along the ray from zero the network is no sum of degrees up to {MAX_DEGREE}: its "
        f"gradients are {off:.1%} of the largest away from one; use remove_biases, or "
        "integrated_gradients."
    )


def _require_completeness(values: Tensor, change: Tensor) -> None:
    """Refuse what does not sum to F(x) − F(0), (B,)."""
    flat = values.flatten(1)  # (B, ...) -> (B, n)
    size = flat.abs().sum(dim=1).clamp_min(torch.finfo(flat.dtype).tiny)
    worst = float(((flat.sum(dim=1) - change).abs() / size).max())
    if not worst <= _INCOMPLETE:
        raise NotHomogeneousError(
            f"The values differ from F(x) − F(0) by {worst:.1%} of their size: for these inputs "
            'the network is not of the degrees that were measured; use check="full", or '
            "integrated_gradients."
        )
