"""What a measurement of convergence gives: one curve a rule, and what it cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from torch import Tensor

COUNTS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)
# The numbers of calls whose maps are kept to be looked at.
PICTURED: Final = (1, 4, 16, 64, 256)
TOLERANCES: Final = (0.05, 0.025, 0.01)

Reference = Literal["paper", "fine", "quick"]
REFERENCES: Final[dict[str, tuple[str, int]]] = {
    "paper": ("gauss_legendre", 300),
    "fine": ("graded", 2048),
    "quick": ("graded", 64),
}


@dataclass(frozen=True)
class RuleCurve:
    """Error of one rule against the number of gradient calls."""

    rule: str  # one of `quadrature.RULES`, or "captum"
    # gradient calls n, ascending. The trapezoid has one point more than cells: 2, 3, 5, 9, …
    counts: tuple[int, ...]
    errors: tuple[float, ...]  # ‖I_n − R‖₁ / ‖R‖₁ against the reference R, one a count
    completeness_gaps: tuple[float, ...]  # relative, one a count
    # ‖I_n − I_m‖₁ / ‖I_n‖₁ with m the count before; NaN for the first
    estimated_errors: tuple[float, ...]
    # channel-summed I_n by n of `PICTURED` (the trapezoid's by cells + 1), (H, W), logits
    maps: dict[int, Tensor]

    def calls_needed(self, tolerance: float) -> int | None:
        """The count from which on the estimated error stays at or below; None if none does."""
        needed = None
        for count, error in zip(self.counts[::-1], self.estimated_errors[::-1], strict=True):
            if not error <= tolerance:
                break
            needed = count
        return needed


@dataclass(frozen=True)
class Convergence:
    """What the Convergence page shows of one network, one image and one class."""

    curves: tuple[RuleCurve, ...]  # one a rule, in the order asked for
    captum: RuleCurve | None  # Captum's Gauss–Legendre, None unless asked for
    fast_error: float  # ‖A − R‖₁ / ‖R‖₁ of Input×Gradient (X-Gradient), which is one gradient call
    # reference, reference_calls: "paper", "fine" or "quick" (see `measure_convergence`), and how
    # many points it has
    reference: Reference
    reference_calls: int
    # points, point_weights: all points t > 0 that were evaluated, ascending, and the widths of
    # their cells, (n,) each
    points: Tensor
    point_weights: Tensor
    path_gradient: Tensor  # ⟨∇F(tx), x⟩ at the points, (n,)
    # output_at_zero, output_at_one: F(0) and F(x)
    output_at_zero: float
    output_at_one: float
    # spent on everything but Captum's curve, the reference and the single gradient included; points
    # that coincide were evaluated once
    gradient_calls: int
    # what the same costs when every rule is computed at every count on its own
    gradient_calls_separately: int
    captum_calls: int  # spent by Captum's curve
    reference_values: Tensor  # R, (1, C, H, W), logits
    seconds: float  # wall-clock time

    @property
    def path_area(self) -> float:
        """∫₀¹ ⟨∇F(tx), x⟩ dt, which should be F(x) − F(0)."""
        return float(self.point_weights @ self.path_gradient.double())

    @property
    def slope_spread(self) -> float:
        """Largest distance of the path gradient from its mean, relative; 0 for an X-DNN."""
        slope = self.path_gradient.double()
        mean = float(slope.mean())
        return float((slope - mean).abs().max()) / abs(mean) if mean else float("inf")

    @property
    def path_gap(self) -> float:
        """|area − (F(x) − F(0))| / |F(x) − F(0)|."""
        rise = self.output_at_one - self.output_at_zero
        return abs(self.path_area - rise) / abs(rise) if rise else float(self.path_area != 0)
