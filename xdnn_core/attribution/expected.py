"""Expected Gradients: Integrated Gradients averaged over references from the data."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from xdnn_core.attribution.gate import check_repeatable
from xdnn_core.attribution.path import Progress
from xdnn_core.attribution.result import Attribution, completeness_gap
from xdnn_core.attribution.target import (
    Classes,
    Target,
    check_request,
    input_gradient,
    target_outputs,
)
from xdnn_core.device import full_float32, synchronise
from xdnn_core.errors import UserError
from xdnn_core.homogeneity.checks import check_inputs

_ROWS = 32


@dataclass(frozen=True)
class PathDraws:
    """The random choices of Expected Gradients: k samples of B inputs, or of n rows a replicate."""

    references: Tensor  # index of each sample's reference, (B, k) or (R, n, k), int64
    positions: Tensor  # t of each sample, uniform in [0, 1), of the same shape, float64


def draw_samples(inputs: int, samples: int, references: int, seed: int) -> PathDraws:
    """Draw references and positions, (B, k), in the order Captum's GradientShap draws them."""
    rng = np.random.RandomState(seed)
    shape = (inputs, samples)
    chosen = torch.from_numpy(rng.choice(references, inputs * samples))
    positions = torch.from_numpy(rng.uniform(0.0, 1.0, inputs * samples))
    return PathDraws(chosen.view(shape), positions.view(shape))


def path_points(inputs: Tensor, references: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """The points x' + t (x − x') and the differences x − x'; the three broadcast to each other."""
    delta = inputs - references
    return torch.addcmul(references, t, delta), delta


@full_float32()
def expected_gradients(
    network: nn.Module,
    inputs: Tensor,
    target: Target = None,
    *,
    references: Tensor,
    samples: int = 32,
    seed: int = 0,
    progress: Progress | None = None,
) -> Attribution:
    """Return Expected Gradients E[(x − x') ⊙ ∂F(x' + t(x − x'))/∂x], x' from data, t uniform.

    A caller's autocast, TF32 and inference mode are switched off inside.

    Parameters
    ----------
    network
        Maps (B, ...) to logits (B, classes), (B, 1) or (B,); in evaluation mode.
    inputs
        x, (B, ...).
    target
        Class index; one per input (B,), as tensor, array or list; or None for a network with one
        output.
    references
        Data to draw x' from, (R, ...).
    samples
        Draws of (x', t) for each input, that is gradient calls.
    seed
        Of the draws.
    progress
        Called with (samples done, samples of all inputs) after every chunk; may raise to cancel.

    Returns
    -------
    Attribution
        `values` (B, ...); `baseline_outputs` is the mean of F over the drawn references, (B,).

    Raises
    ------
    UserError
        If inputs or references are not finite or do not match, or the target is out of range; and
        for a network as `gradient` refuses it.

    References
    ----------
    Erion et al. 2021, Equation 2.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> network = nn.Linear(2, 1, bias=False)
    >>> network.weight.data = torch.tensor([[2.0, -1.0]])
    >>> x = torch.tensor([[1.0, 3.0]])
    >>> expected_gradients(network, x, references=torch.zeros(1, 2)).values.round(decimals=3)
    tensor([[ 2., -3.]])
    """
    x, classes = check_request(network, inputs, target)
    check_inputs(references, "references")
    if references.shape[1:] != inputs.shape[1:]:
        raise UserError(
            f"references have shape {tuple(references.shape)}; needed is (R, "
            f"{', '.join(map(str, inputs.shape[1:]))}) like the inputs."
        )
    if samples < 1:
        raise UserError(f"samples is {samples}; give 1 or more.")
    check_repeatable(network, x)
    began = time.perf_counter()
    outputs = target_outputs(network, x, classes)
    draws = draw_samples(len(x), samples, len(references), seed)
    values = torch.zeros_like(x)
    for row in range(len(x)):
        for first in range(0, samples, _ROWS):
            part = slice(first, first + _ROWS)
            chosen = references[draws.references[row, part]].detach().to(x)  # (k, ...)
            t = draws.positions[row, part].to(x).view(-1, *[1] * (x.ndim - 1))  # (k, 1, ...)
            points, delta = path_points(x[row], chosen, t)  # (k, ...)
            _, gradients = input_gradient(network, points, _target_of(classes, row))
            values[row] += (delta * gradients).sum(dim=0) / samples
            if progress is not None:
                done = row * samples + min(first + _ROWS, samples)
                progress(done, len(x) * samples)
    synchronise(x.device)
    seconds = time.perf_counter() - began
    baseline_outputs = torch.stack(
        [
            _mean_output(network, references, draws.references[row], _target_of(classes, row), x)
            for row in range(len(x))
        ]
    ).to(outputs)
    return Attribution(
        values=values,
        outputs=outputs,
        baseline_outputs=baseline_outputs,
        completeness_gap=completeness_gap(values, outputs, baseline_outputs),
        gradient_calls=samples,
        seconds=seconds,
        method="expected_gradients",
    )


def _mean_output(
    network: nn.Module, references: Tensor, drawn: Tensor, target: Classes, like: Tensor
) -> Tensor:
    """Mean of F over the references one input drew, a scalar; each reference is run once."""
    chosen, counts = drawn.unique(return_counts=True)  # (r,) each
    total = torch.zeros((), dtype=torch.float64)
    for first in range(0, len(chosen), _ROWS):
        part = slice(first, first + _ROWS)
        outputs = target_outputs(network, references[chosen[part]].to(like), target).double().cpu()
        total += (outputs * counts[part]).sum()
    return total / len(drawn)


def _target_of(target: Classes, row: int) -> Classes:
    """The target of one input, for all its samples."""
    return int(target[row]) if isinstance(target, Tensor) and target.ndim == 1 else target
