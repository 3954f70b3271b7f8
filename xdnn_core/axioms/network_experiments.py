"""The columns of Table 1 on one real network and one image.

Each experiment says how badly an axiom is violated, relative, and up to where that may be rounding
or, for Integrated Gradients, the error of its finitely many steps. What holds for every weighted
sum of gradients (all but completeness and homogeneity) is asked to hold to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch

from xdnn_core.attribution.result import Attribution
from xdnn_core.axioms.experiments import relative_distance
from xdnn_core.axioms.network_bench import Bench
from xdnn_core.axioms.network_methods import NetworkMethod, NetworkSettings
from xdnn_core.axioms.wrappers import IgnoringRegion, LogitSum, RegionFeatures, Symmetrised
from xdnn_core.text import percent

# Relative. Float64 rounding through a deep network stays below; a violation is far above.
ROUNDING: Final = 1e-8
_WEIGHTS: Final = (0.7, -1.3)  # a and b of linearity
_NO_CHANGE: Final = 1e-9  # of the largest change: below, F does not depend on a region


@dataclass(frozen=True)
class NetworkFinding:
    """What one experiment showed.

    Attributes
    ----------
    violation
        Relative size of the violation, 0 if there is none.
    tolerance
        Up to where it counts as none.
    witness
        The numbers, in a sentence.
    """

    violation: float
    tolerance: float
    witness: str


def _tolerance(*found: Attribution) -> float:
    """Rounding, or what the steps of Integrated Gradients may be off by in all."""
    errors = [float(one.estimated_error) for one in found if one.estimated_error is not None]
    return max(ROUNDING, sum(errors))


def sensitivity_a(method: NetworkMethod, bench: Bench) -> list[NetworkFinding]:
    """Put one region of the image on the mean image, as one feature; its attribution is not 0.

    The finding with the smallest attribution comes first. A region that does not change F asks
    nothing.
    """
    count = method.grid**2
    features = RegionFeatures(bench.network, bench.inputs, method.grid)
    each = torch.eye(count).to(bench.inputs)  # (G, G): every row has one region
    found = bench.run(method, features, each, references=torch.zeros_like(each[:1]))
    rises = found.outputs - found.baseline_outputs  # (G,)
    given = found.values.diagonal()  # (G,)
    asked = rises.abs() > _NO_CHANGE * rises.abs().max()
    if not bool(asked.any()):
        return [NetworkFinding(0.0, 0.0, "no region changes F, so nothing is asked")]
    order = (given / rises).abs().where(asked, torch.inf).argsort()[: int(asked.sum())].tolist()
    return [
        NetworkFinding(
            float(abs(given[g]) <= 1e-12 * abs(rises[g])),
            0.0,
            f"region {g + 1} of {count}, alone on the mean image, changes F by "
            f"{float(rises[g]):.3g}; its attribution is {float(given[g]):.3g}",
        )
        for g in order
    ]


def sensitivity_b(method: NetworkMethod, bench: Bench) -> list[NetworkFinding]:
    """A region that the network does not look at gets 0."""
    seen = torch.ones_like(bench.inputs[:, :1])  # (1, 1, H, W)
    height, width = seen.shape[-2:]
    seen[..., height // 4 : height - height // 4, width // 4 : width - width // 4] = 0
    given = bench.run(method, IgnoringRegion(bench.network, seen)).values
    inside, size = float((given * (1 - seen)).abs().sum()), float(given.abs().sum())
    sentence = (
        f"the network does not see the middle of the image; {inside:.3g} of {size:.3g}, the sum "
        "of all |attributions|, lies there"
    )
    return [NetworkFinding(inside / size if size else 0.0, ROUNDING, sentence)]


def implementation_invariance(method: NetworkMethod, bench: Bench) -> list[NetworkFinding]:
    """The same function built differently gets the same attribution."""
    rebuilt = bench.rebuilt
    given = bench.run(method, rebuilt.network)
    violation = relative_distance(given.values, bench.plain(method).values)
    sentence = (
        f"channels of {rebuilt.layers} hidden layers shuffled and rescaled, an identity layer in "
        f"front: outputs differ by {percent(rebuilt.gap)}, attributions by {percent(violation)}"
    )
    return [NetworkFinding(violation, ROUNDING, sentence)]


def completeness(method: NetworkMethod, bench: Bench) -> list[NetworkFinding]:
    """Attributions sum to F(x) − F(x')."""
    found = bench.plain(method)
    start = bench.reference_output if method.expected else float(found.baseline_outputs)
    rise, total = float(found.outputs) - start, float(found.values.sum())
    everything = float(found.values.abs().sum())
    size, gap = max(everything, abs(rise)), abs(total - rise)
    off = f", {percent(gap / abs(rise))} off" if rise else ""
    sentence = (
        f"attributions sum to {total:.5g}, F(x) − F(x') is {rise:.5g}{off}; the sum of all "
        f"|attributions| is {everything:.3g}"
    )
    return [NetworkFinding(gap / size if size else 0.0, _tolerance(found), sentence)]


def linearity(method: NetworkMethod, bench: Bench) -> list[NetworkFinding]:
    """The attribution of a·F + b·G, G another logit, is a times that of F plus b times G's."""
    a, b = _WEIGHTS
    other = next(i for i in bench.outputs[0].argsort(descending=True).tolist() if i != bench.target)
    both = LogitSum(bench.network, a, bench.target, b, other)
    whole = bench.run(method, both, target=0).values
    parts = a * bench.plain(method).values + b * bench.run(method, target=other).values
    violation = relative_distance(whole, parts)
    sentence = (
        f"of {a:g}·F {'+' if b > 0 else '−'} {abs(b):g}·G, G the logit of class {other}, it is "
        f"{percent(violation)} away from the sum of the parts"
    )
    return [NetworkFinding(violation, ROUNDING, sentence)]


def symmetry(method: NetworkMethod, bench: Bench) -> list[NetworkFinding]:
    """Two regions with equal pixels that F(x) + F(x, swapped) cannot tell apart get the same."""
    height, width = bench.inputs.shape[-2:]
    side = max(1, min(height, width) // 5)
    rows = slice((height - side) // 2, (height + side) // 2)
    margin = width // 8
    first = rows, slice(margin, margin + side)
    second = rows, slice(width - margin - side, width - margin)
    network = Symmetrised(bench.network, first, second)
    x = bench.inputs.clone()
    x[:, :, *second] = x[:, :, *first]
    # The set of references is symmetric, a single one need not be.
    references = torch.cat([bench.references, network.swapped(bench.references)])
    given = bench.run(method, network, x, references=references, passes=2).values
    one, two = given[:, :, *first], given[:, :, *second]
    violation = relative_distance(one, two)
    sentence = (
        f"two regions of {side} × {side} pixels get {float(one.sum()):.5g} and "
        f"{float(two.sum()):.5g}; pixel by pixel they differ by {percent(violation)}"
    )
    return [NetworkFinding(violation, ROUNDING, sentence)]


def homogeneity(method: NetworkMethod, bench: Bench) -> list[NetworkFinding]:
    """The attribution of αx is α times that of x, α ≥ 0, the baseline scaled alike."""
    plain = bench.plain(method)
    findings = []
    for alpha in bench.settings.alphas:
        inputs, references = alpha * bench.inputs, alpha * bench.references
        scaled = bench.run(method, inputs=inputs, references=references)
        violation = relative_distance(scaled.values, alpha * plain.values)
        sentence = (
            f"at α = {alpha:g} it is {percent(violation)} away from α times that of x; F(αx) is "
            f"{float(scaled.outputs):.4g}, αF(x) is {alpha * float(plain.outputs):.4g}"
        )
        findings.append(NetworkFinding(violation, _tolerance(plain, scaled), sentence))
    return findings


@dataclass(frozen=True)
class NetworkExperiment:
    """How an axiom is tried on a network.

    Attributes
    ----------
    run
        Tries it.
    inputs
        How many inputs it attributes, beside the image as it is.
    """

    run: Callable[[NetworkMethod, Bench], list[NetworkFinding]]
    inputs: Callable[[NetworkMethod, NetworkSettings], int]


# By the names of `AXIOMS`, in their order.
NETWORK_EXPERIMENTS: Final = {
    "sensitivity_a": NetworkExperiment(sensitivity_a, lambda method, _: method.grid**2),
    "sensitivity_b": NetworkExperiment(sensitivity_b, lambda *_: 1),
    "implementation_invariance": NetworkExperiment(implementation_invariance, lambda *_: 1),
    "completeness": NetworkExperiment(completeness, lambda *_: 0),
    "linearity": NetworkExperiment(linearity, lambda *_: 2),
    "symmetry_preserving": NetworkExperiment(symmetry, lambda *_: 2),
    "homogeneity": NetworkExperiment(homogeneity, lambda _, settings: len(settings.alphas)),
}
