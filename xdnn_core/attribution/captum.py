"""The same attributions by Captum, as a cross-check.

Captum is run in float64 on a copy of the network, so that a difference is a difference of the
formula and not of rounding: in float32 a ReLU gate that rounding flips moves single values by up
to 0.3 % of the largest.
"""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from captum.attr import GradientShap, InputXGradient, IntegratedGradients, Saliency
from torch import Tensor, nn

from xdnn_core.attribution.baseline import baseline_like
from xdnn_core.attribution.expected import expected_gradients
from xdnn_core.attribution.gate import check_repeatable
from xdnn_core.attribution.gradients import gradient, input_x_gradient, x_gradient
from xdnn_core.attribution.integrated import integrated_gradients
from xdnn_core.attribution.path import Progress
from xdnn_core.attribution.quadrature import quadrature
from xdnn_core.attribution.result import Attribution, completeness_gap
from xdnn_core.attribution.target import Classes, Target, check_request, target_outputs
from xdnn_core.device import full_float32
from xdnn_core.errors import UserError
from xdnn_core.homogeneity.checks import detached

METHODS = (
    "gradient",
    "input_x_gradient",
    "x_gradient",
    "integrated_gradients",
    "expected_gradients",
)

# Captum's own names. It has no graded rule, and the weights of its trapezoid sum to (n-1)/n, so
# both get our points and weights.
_CAPTUM_RULES = {
    "gauss_legendre": "gausslegendre",
    "midpoint": "riemann_middle",
    "left": "riemann_left",
    "right": "riemann_right",
}

# GradientShap draws from numpy's global generator; seeding it must not be interleaved.
_GLOBAL_GENERATOR = threading.Lock()


_AGREES = 1e-6
# Of the inputs' standard deviation: tells equal pixels apart, and moves nothing else.
_NOISE = 1e-9


@dataclass(frozen=True)
class Agreement:
    """How far an attribution is from Captum's, in float64.

    In a surface of one colour several positions of a max-pool are equal but for rounding, which
    then decides where the gradient goes: such ties have more than one right attribution, and two
    computations that round differently may take different ones.
    """

    largest_difference: float  # max|A − C| / max|C| over all elements
    method: str  # name of the method compared
    seconds: float  # wall-clock time of both, seconds
    # Where they differ: the same once a little noise has told equal pixels apart; else None.
    difference_without_ties: float | None = None

    @property
    def agrees(self) -> bool:
        """Whether the two are one formula: equal but for rounding and, it may be, ties."""
        return self.agrees_but_for_ties or self.largest_difference <= _AGREES

    @property
    def agrees_but_for_ties(self) -> bool:
        """Whether ties are all that they differ by."""
        untied = self.difference_without_ties
        return untied is not None and untied <= _AGREES


@full_float32()
def captum_attribution(
    method: str,
    network: nn.Module,
    inputs: Tensor,
    target: Target = None,
    *,
    baseline: Tensor | None = None,
    steps: int = 128,
    rule: str = "gauss_legendre",
    internal_batch_size: int | None = None,
    references: Tensor | None = None,
    samples: int = 32,
    seed: int = 0,
    progress: Progress | None = None,
) -> Attribution:
    """Return an attribution computed by Captum.

    A caller's autocast, TF32 and inference mode are switched off inside.

    Parameters
    ----------
    method
        One of `METHODS`; X-Gradient is Captum's InputXGradient, Expected Gradients its
        GradientShap without noise.
    network, inputs, target
        As for our own methods.
    baseline, steps, rule
        For Integrated Gradients. In float64, and for ``"graded"`` and ``"trapezoid"``, Captum is
        given our points and weights: see `_captum_ig`.
    internal_batch_size
        Captum's; rows a gradient call for Integrated Gradients, None for all at once.
    references, samples, seed
        For Expected Gradients; the same seed draws the same samples as `expected_gradients`.
    progress
        Called with (points done, steps) where points are taken one at a time; may raise to cancel.

    Returns
    -------
    Attribution

    Raises
    ------
    UserError
        As for our own methods, and for an unknown method.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> network = nn.Linear(2, 1, bias=False)
    >>> network.weight.data = torch.tensor([[2.0, -1.0]])
    >>> x = torch.tensor([[1.0, 3.0]])
    >>> captum_attribution("input_x_gradient", network, x).values
    tensor([[ 2., -3.]])
    """
    if method not in METHODS:
        raise UserError(f"Method {method!r} is not known; choose one of {', '.join(METHODS)}.")
    x, classes = check_request(network, inputs, target)
    check_repeatable(network, x)
    outputs = target_outputs(network, x, classes)
    start = baseline_like(x, baseline)
    x = x.clone()
    began = time.perf_counter()
    if method == "gradient":
        values = Saliency(network).attribute(x, classes, abs=False)
        calls = 1
    elif method in ("input_x_gradient", "x_gradient"):
        values = InputXGradient(network).attribute(x, classes)
        calls = 1
    elif method == "integrated_gradients":
        values = _captum_ig(network, x, start, classes, steps, rule, internal_batch_size, progress)
        calls = steps
    else:
        if references is None:
            raise UserError("Expected Gradients needs references, a batch (R, ...) of data.")
        values = _captum_eg(network, x, detached(references).to(x), classes, samples, seed)
        calls = samples
    seconds = time.perf_counter() - began
    baseline_outputs = target_outputs(network, start, classes)
    return Attribution(
        values=values.detach(),
        outputs=outputs,
        baseline_outputs=baseline_outputs,
        completeness_gap=completeness_gap(values.detach(), outputs, baseline_outputs),
        gradient_calls=calls,
        seconds=seconds,
        method=method,
    )


def _captum_ig(
    network: nn.Module,
    x: Tensor,
    start: Tensor,
    target: Classes,
    steps: int,
    rule: str,
    internal_batch_size: int | None,
    progress: Progress | None,
) -> Tensor:
    """Captum's Integrated Gradients; in float64 with points and weights in float64 too.

    Captum rounds its weights, and the points of its Riemann rules, to float32 whatever the dtype,
    which alone costs 2e-8. In float64 it is therefore asked for one point at a time with weight
    1, and the sum is weighted here.
    """
    captum = IntegratedGradients(network)
    points, weights = quadrature(rule, steps)
    # Captum's Riemann rules want two points at least.
    if x.dtype != torch.float64 and rule in _CAPTUM_RULES and steps > 1:
        return captum.attribute(
            x,
            baselines=start,
            target=target,
            n_steps=steps,
            method=_CAPTUM_RULES[rule],
            internal_batch_size=internal_batch_size,
        )
    total = torch.zeros_like(x)
    for done, (t, w) in enumerate(zip(points.tolist(), weights.tolist(), strict=True), start=1):
        (at_point,) = captum._attribute(
            (x,), (start,), target=target, n_steps=1, step_sizes_and_alphas=([1.0], [t])
        )
        total += w * at_point
        if progress is not None:
            progress(done, steps)
    return total


def _captum_eg(
    network: nn.Module, x: Tensor, references: Tensor, target: Classes, samples: int, seed: int
) -> Tensor:
    with _GLOBAL_GENERATOR:
        state = np.random.get_state()
        np.random.seed(seed)
        try:
            return GradientShap(network).attribute(
                x, baselines=references, target=target, n_samples=samples, stdevs=0.0
            )
        finally:
            np.random.set_state(state)


_OURS: dict[str, Callable[..., Attribution]] = {
    "gradient": gradient,
    "input_x_gradient": input_x_gradient,
    "x_gradient": x_gradient,
    "integrated_gradients": integrated_gradients,
    "expected_gradients": expected_gradients,
}


@full_float32()
def compare_with_captum(
    method: str,
    network: nn.Module,
    inputs: Tensor,
    target: Target = None,
    progress: Progress | None = None,
    **options: Any,
) -> Agreement:
    """Compute an attribution twice in float64, by us and by Captum, and compare.

    A caller's autocast, TF32 and inference mode are switched off inside.

    Parameters
    ----------
    method
        One of `METHODS`.
    network, inputs, target
        As for the method; the network is copied.
    progress
        Called with (points done, steps) while Captum integrates, a second time if the two differ
        and ties are looked for; may raise to cancel.
    **options
        Of the method: steps, rule, baseline; references, samples, seed.

    Returns
    -------
    Agreement

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> network = nn.Linear(2, 1, bias=False)
    >>> network.weight.data = torch.tensor([[2.0, -1.0]])
    >>> x = torch.tensor([[1.0, 3.0]])
    >>> compare_with_captum("input_x_gradient", network, x).largest_difference
    0.0
    """
    began = time.perf_counter()
    double = copy.deepcopy(network).double()
    x = inputs.double()

    def difference(x: Tensor) -> float:
        ours = _OURS[method](double, x, target, **options).values
        theirs = captum_attribution(method, double, x, target, progress=progress, **options).values
        return float((ours - theirs).abs().max()) / (float(theirs.abs().max()) or 1.0)

    largest, untied = difference(x), None
    if largest > _AGREES:
        rng = torch.Generator().manual_seed(0)
        noise = torch.randn(x.shape, generator=rng, dtype=x.dtype).to(x.device)
        untied = difference(x + _NOISE * x.std() * noise)
    return Agreement(largest, method, time.perf_counter() - began, untied)
