"""What every attribution method returns."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from xdnn_core.errors import UserError


@dataclass(frozen=True)
class PartialIntegral:
    """What the points of an integral are worth to a finer one by the same rule."""

    rule: str  # of the finer integral
    steps: int  # of the finer integral
    points: Tensor  # its points that were evaluated, (n,)
    # Σ w_i ∇F(x' + t_i (x − x')) over them, by its weights and by those of its half rule, (2, B,
    # ...).
    sums: Tensor


@dataclass(frozen=True)
class Attribution:
    """An attribution and what it cost.

    Attributes
    ----------
    values
        Attribution of every input element, (B, ...), the shape of the inputs.
    outputs
        F(x), the target output of every input, (B,).
    baseline_outputs
        F(x'), the target output at the baseline, (B,); for Expected Gradients its mean over the
        references.
    completeness_gap
        |Σ values − (F(x) − F(x'))| / |F(x) − F(x')|, (B,), relative.
    gradient_calls
        Gradient evaluations spent on each input.
    seconds
        Wall-clock time of the whole batch, seconds.
    method
        Name of the method.
    estimated_error
        Integrated Gradients: relative L1 distance to the integral with half the points, (B,),
        which is about twice that to the exact one (see `integrated_gradients`). None elsewhere.
    tolerance_met
        Integrated Gradients with a tolerance: whether the estimated error came down to it before
        the cap was reached, (B,) bool. None elsewhere.
    steps
        Integrated Gradients: points of the integral that was taken. None elsewhere.
    begun
        Integrated Gradients with `finer`: where the finer integral goes on. None elsewhere.
    degrees
        Closed form: the degrees k of αᵏ that F(αx) − F(0) is a sum of. None elsewhere.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> network = nn.Linear(2, 1, bias=False)
    >>> network.weight.data = torch.tensor([[2.0, -1.0]])
    >>> x = torch.tensor([[1.0, 3.0]])
    >>> from xdnn_core import gradient
    >>> attribution = gradient(network, x)
    >>> attribution.outputs, attribution.gradient_calls
    (tensor([-1.]), 1)
    """

    values: Tensor
    outputs: Tensor
    baseline_outputs: Tensor
    completeness_gap: Tensor
    gradient_calls: int
    seconds: float
    method: str
    estimated_error: Tensor | None = None
    tolerance_met: Tensor | None = None
    steps: int | None = None
    begun: PartialIntegral | None = field(default=None, repr=False, compare=False)
    degrees: tuple[int, ...] | None = None


def completeness_gap(values: Tensor, outputs: Tensor, baseline_outputs: Tensor) -> Tensor:
    """Return |Σ values − (F(x) − F(x'))| / |F(x) − F(x')| for every input, (B,).

    Source: Sundararajan et al. 2017, Completeness.
    """
    difference = outputs - baseline_outputs  # (B,)
    gap = (values.flatten(1).sum(dim=1) - difference).abs()  # (B, ...) -> (B,)
    return torch.where(gap == 0, torch.zeros_like(gap), gap / difference.abs())


def relative_l1(attribution: Tensor, reference: Tensor) -> Tensor:
    """Return ‖A − R‖₁ / ‖R‖₁ for every input, (B,).

    Parameters
    ----------
    attribution, reference
        A and R, (B, ...).

    Returns
    -------
    Tensor
        (B,); 0 where both are zero, infinite where only R is. Its mean over images is the MARD,
        mean absolute relative difference. Lower is better.

    Raises
    ------
    UserError
        If the shapes differ.

    References
    ----------
    After Hesse et al. 2021, Equation 14, which averages |A − R|/|R| element by element and
    so is ruled by the elements where R is near 0; here it is a ratio of sums, image by image.

    Examples
    --------
    >>> import torch
    >>> relative_l1(torch.tensor([[1.0, 1.0]]), torch.tensor([[2.0, 2.0]]))
    tensor([0.5000])
    """
    if attribution.shape != reference.shape:
        raise UserError(
            f"The attributions have shapes {tuple(attribution.shape)} and "
            f"{tuple(reference.shape)}; they must be equal."
        )
    distance = (attribution - reference).abs().flatten(1).sum(dim=1)  # (B, ...) -> (B,)
    size = reference.abs().flatten(1).sum(dim=1)
    return torch.where(distance == 0, distance, distance / size)
