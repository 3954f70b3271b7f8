"""What a network says about one image at every contrast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from xdnn_core.attribution.contrast_mesh import position_of_one

Route = Literal["sweep", "scaling"]


@dataclass(frozen=True)
class RaySweep:
    """What a network says about one image at every contrast α; all tensors on the CPU.

    Attributes
    ----------
    stops
        α, (S,), float64, ascending; 1 is among them.
    integrated
        Integrated Gradients of αx with the zero baseline, channels summed, (S, H, W), logits.
    fast
        Input×Gradient (X-Gradient) of αx, channels summed, (S, H, W), logits.
    logits
        All outputs at αx, (S, K).
    target
        The class attributed, fixed for the whole sweep.
    top_class
        Class with the largest logit at every stop, (S,); where that of α = 1 ties, that one.
    estimated_error
        Of `integrated`, (S,): relative L1 distance, over all input elements, to the rule made of
        every other point of the same mesh; 0 where no integral was approximated.
    completeness_gap
        |Σ IG(αx) − (F(αx) − F(0))| / |F(αx) − F(0)|, (S,); 0 at α = 0.
    points, point_weights
        Points t of the mesh, ascending, (n,), and their weights in the integral from 0 to 1, (n,),
        which are 0 beyond 1.
    path_gradient
        ⟨∇F(tx), x⟩ at the points, (n,): its area from 0 to α is F(αx) − F(0).
    gradient_calls
        Gradients spent on all of it.
    seconds
        Wall-clock time of all of it.
    route
        "sweep", or "scaling": one gradient, everything else by F(αx) = αF(x).

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(12, 1, bias=False))
    >>> from xdnn_core import ray_sweep
    >>> ray_sweep(network, torch.ones(1, 3, 2, 2), 0, cells=8).integrated.shape
    torch.Size([31, 2, 2])
    """

    stops: Tensor
    integrated: Tensor
    fast: Tensor
    logits: Tensor
    target: int
    top_class: Tensor
    estimated_error: Tensor
    completeness_gap: Tensor
    points: Tensor
    point_weights: Tensor
    path_gradient: Tensor
    gradient_calls: int
    seconds: float
    route: Route

    @property
    def at_one(self) -> int:
        """Position of α = 1 among the stops."""
        return position_of_one(self.stops)

    @property
    def target_logits(self) -> Tensor:
        """F(αx), (S,)."""
        return self.logits[:, self.target]

    @property
    def confidences(self) -> Tensor:
        """Softmax of the target, (S,), 0 to 1."""
        return self.logits.softmax(dim=1)[:, self.target]

    @property
    def changes(self) -> Tensor:
        """The contrasts at which the top class is another than at α = 1; empty if none."""
        return self.stops[self.top_class != self.top_class[self.at_one]]

    @property
    def integrated_similarity(self) -> Tensor:
        """Cosine of the maps of Integrated Gradients with that at α = 1, (S,); NaN for no map."""
        return _cosine_to(self.integrated, self.at_one)

    @property
    def fast_similarity(self) -> Tensor:
        """Cosine of the single-gradient maps with that at α = 1, (S,); NaN for no map."""
        return _cosine_to(self.fast, self.at_one)

    @property
    def path_area(self) -> float:
        """∫₀¹ ⟨∇F(tx), x⟩ dt by the mesh, which should be F(x) − F(0)."""
        return float(self.point_weights @ self.path_gradient.double())

    @property
    def output_at_zero(self) -> float:
        """F(0) of the target."""
        return float(self.logits[0, self.target])

    @property
    def output_at_one(self) -> float:
        """F(x) of the target."""
        return float(self.target_logits[self.at_one])


def _cosine_to(maps: Tensor, number: int) -> Tensor:
    """Cosine of every map (S, H, W) with one of them, (S,), float64; NaN where a map is 0."""
    flat = maps.double().flatten(1)  # (S, H * W)
    cosines = cosine_similarity(flat, flat[number : number + 1], dim=1)
    empty = ~flat.any(dim=1)
    return cosines.masked_fill(empty | empty[number], torch.nan)
