"""The sentences of Convergence, made of the numbers that stand beside them."""

from __future__ import annotations

from collections.abc import Sequence

from pages.convergence_parts.controls import RULE_TITLES
from xdnn_core.experiments.comparison import IntegrationSettings
from xdnn_core.experiments.convergence_result import TOLERANCES, Convergence, RuleCurve
from xdnn_core.text import percent


def default_curve(one: Convergence) -> RuleCurve:
    """The curve of the rule that is the app's default."""
    return next(curve for curve in one.curves if curve.rule == IntegrationSettings.rule)


def calls_needed(name: str, is_xdnn: bool, one: Convergence) -> str:
    """How many gradient calls a network needs for which estimated error."""
    if is_xdnn:
        return (
            f"**{name}** needs **1 gradient call**: X-Gradient is within "
            f"**{percent(one.fast_error)}** of Integrated Gradients."
        )
    curve = default_curve(one)
    needed = {percent(goal): curve.calls_needed(goal) for goal in TOLERANCES}
    met = [(str(calls), goal) for goal, calls in needed.items() if calls is not None]
    missed = [goal for goal, calls in needed.items() if calls is None]
    (calls, goal), *rest = met + [(f"more than {curve.counts[-1]}", goal) for goal in missed[:1]]
    more = "".join(f", **{calls}** for {goal}" for calls, goal in rest)
    return (
        f"**{name}** needs **{calls} gradient calls** for an estimated error of {goal}{more}: "
        f"Integrated Gradients, {RULE_TITLES[curve.rule]} rule."
    )


def least_telling_gap(one: Convergence, rules: Sequence[str]) -> str:
    """Where the completeness gap is smallest beside the error, among the curves on screen."""
    curve, at = most_misleading(one, rules)
    return (
        f"Where the gap says least: with {curve.counts[at]} calls ({RULE_TITLES[curve.rule]}) it "
        f"is **{percent(curve.completeness_gaps[at])}** while the map is off by "
        f"**{percent(curve.errors[at])}**. Errors of opposite sign cancel in it."
    )


def most_misleading(measured: Convergence, rules: Sequence[str]) -> tuple[RuleCurve, int]:
    """Where the error is the largest multiple of the completeness gap: curve and position."""
    chosen = [curve for curve in measured.curves if curve.rule in rules] or measured.curves
    places = [(curve, at) for curve in chosen for at in range(len(curve.counts))]
    return max(places, key=lambda p: p[0].errors[p[1]] / max(p[0].completeness_gaps[p[1]], 1e-12))


def slope_along_the_path(name: str, one: Convergence) -> str:
    """How constant the slope of a network without biases is."""
    return (
        f"Along {name}'s path, t > 0, the slope stays within **{percent(one.slope_spread)}** of "
        "its mean. At t = 0 every ReLU of a network without biases stands on its kink; trapezoid "
        "and left take this point."
    )
