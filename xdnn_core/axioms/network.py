"""A network that was loaded and one image, as the axioms ask for them.

What holds for every weighted sum of gradients (all axioms but completeness and homogeneity) is
asked to hold to rounding; the other two may be off by the error of Integrated Gradients' steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import torch
from torch import Tensor, nn

from xdnn_core.attribution.expected import expected_gradients
from xdnn_core.attribution.gradients import gradient, input_x_gradient, x_gradient
from xdnn_core.attribution.integrated import integrated_gradients
from xdnn_core.attribution.path import Progress
from xdnn_core.attribution.result import Attribution
from xdnn_core.attribution.target import select_target
from xdnn_core.axioms.axioms import Arguments, Finding, Values, Witness, larger_sum
from xdnn_core.axioms.functions import IgnoringRegion, LogitSum, RegionFeatures, Symmetrised
from xdnn_core.axioms.rebuild import rebuilt_network
from xdnn_core.text import percent

# Relative. Float64 rounding through a deep network stays below; a violation is far above.
ROUNDING: Final = 1e-8
_WEIGHTS: Final = (0.7, -1.3)  # a and b of linearity
_NO_CHANGE: Final = 1e-9  # of the largest change: below, F does not depend on a region
_ROWS: Final = 8  # a gradient call in float64: few, so that whoever cancels does not wait
_RULE: Final = "graded"


@dataclass(frozen=True)
class NetworkSettings:
    """How much is tried on a network."""

    steps: int = 32  # gradient calls of Integrated Gradients, 2 or more
    samples: int = 8  # draws of Expected Gradients
    alphas: tuple[float, ...] = (0.3, 0.6, 2.0)  # for nonnegative homogeneity, above 0
    seed: int = 0  # of all that is drawn


@dataclass(frozen=True)
class NetworkMethod:
    """An attribution method of the core to be tried on a network."""

    name: str
    title: str  # on screen; may hold {steps} and {samples}, with their unit
    calls: Callable[[NetworkSettings], int] = lambda _: 1  # gradient calls an input
    grid: int = 4  # Sensitivity (a) is tried on grid · grid regions; fewer where calls are more
    single: Callable[..., Attribution] | None = None  # the method, if it takes one gradient

    @property
    def expected(self) -> bool:
        """Whether its baseline is a set of references; else it is zero."""
        return self.name == "expected_gradients"


NETWORK_METHODS: Final = {
    method.name: method
    for method in (
        NetworkMethod("integrated_gradients", "Integrated Gradients, {steps}",
                      lambda settings: settings.steps, 2),
        NetworkMethod("expected_gradients", "Expected Gradients, {samples}",
                      lambda settings: settings.samples, 2),
        NetworkMethod("gradient", "Gradient, 1 call", single=gradient),
        NetworkMethod("input_x_gradient", "Input×Gradient, 1 call", single=input_x_gradient),
        NetworkMethod("x_gradient", "X-Gradient, 1 call", single=x_gradient),
    )
}  # fmt: skip


def method_title(name: str, settings: NetworkSettings) -> str:
    """Name of a method on screen, with its number of calls."""
    samples = "1 sample" if settings.samples == 1 else f"{settings.samples} samples"
    return NETWORK_METHODS[name].title.format(steps=f"{settings.steps} calls", samples=samples)


class LoadedNetwork:
    """The network, the image and the method that are tried, a `Subject`.

    `inputs`: x, (1, C, H, W), float64. `references`: for Expected Gradients, (R, C, H, W),
    float64.
    """

    rounding = ROUNDING

    def __init__(
        self,
        network: nn.Module,
        inputs: Tensor,
        target: int,
        references: Tensor,
        settings: NetworkSettings,
        progress_for: Callable[[int], Progress],
    ) -> None:
        self.network, self.inputs, self.target = network, inputs, target
        self.references, self.settings = references, settings
        self.method = NETWORK_METHODS["gradient"]
        self._progress_for = progress_for
        self._cell, self._draws = 0, 0
        self._plain: dict[str, Attribution] = {}

    @cached_property
    def outputs(self) -> Tensor:
        """F(x) of all classes, (1, classes)."""
        with torch.no_grad():
            return self.network(self.inputs)

    @cached_property
    def _reference_output(self) -> float:
        """F(x') of the target, mean over the references."""
        with torch.no_grad():
            outputs = [self.network(reference[None]) for reference in self.references]
        return float(select_target(torch.cat(outputs), self.target).mean())

    @cached_property
    def _rebuilt(self) -> tuple[Arguments, Witness]:
        rng = torch.Generator().manual_seed(self.settings.seed)
        other = rebuilt_network(self.network, self.inputs, rng)
        return {"network": other.network}, lambda violation, *_: (
            f"channels of {other.layers} hidden layers shuffled and rescaled, an identity "
            f"layer in front: outputs differ by {percent(other.gap)}, attributions by "
            f"{percent(violation)}"
        )  # fmt: skip

    def begin(self, method: NetworkMethod, cell: int) -> None:
        """Begin a cell: its draws hang on its number only, not on what was tried before."""
        self.method, self._cell, self._draws = method, cell, 0

    def run(self, **other: Any) -> Values:
        """Attribute; see `Subject`. `passes` is how often a given network runs the one here."""
        return _values(self._run(**other))

    def plain(self) -> Values:
        """The attribution of network and image as they are, computed once a method."""
        return _values(self._plain_attribution())

    def _plain_attribution(self) -> Attribution:
        if self.method.name not in self._plain:
            self._plain[self.method.name] = self._attribute(seed=0)
        return self._plain[self.method.name]

    def _run(self, **other: Any) -> Attribution:
        self._draws += 1
        return self._attribute(seed=100 * (1 + self._cell) + self._draws, **other)

    def _attribute(
        self,
        seed: int,
        network: nn.Module | None = None,
        inputs: Tensor | None = None,
        target: int | None = None,
        references: Tensor | None = None,
        passes: int = 1,
    ) -> Attribution:
        """Attribute with given draws."""
        method, settings = self.method, self.settings
        network = self.network if network is None else network
        inputs = self.inputs if inputs is None else inputs
        target = self.target if target is None else target
        progress = self._progress_for(method.calls(settings) * len(inputs) * passes)
        if method.single is not None:
            attribution = method.single(network, inputs, target)
        elif method.expected:
            attribution = expected_gradients(
                network, inputs, target, samples=settings.samples, progress=progress,
                references=self.references if references is None else references,
                seed=(10_000 * settings.seed + seed) % 2**32,
            )  # fmt: skip
        else:
            attribution = integrated_gradients(
                network, inputs, target, steps=settings.steps, rule=_RULE, chunk=_ROWS,
                progress=progress,
            )  # fmt: skip
        progress(1, 1)
        return attribution

    def output_change(self) -> tuple[float, Witness]:
        plain = self._plain_attribution()
        start = self._reference_output if self.method.expected else float(plain.baseline_outputs)

        def witness(total: float, change: float, everything: float) -> str:
            off = f", {percent(abs(total - change) / abs(change))} off" if change else ""
            return (
                f"attributions sum to {total:.5g}, F(x) − F(x') is {change:.5g}{off}; the sum of "
                f"all |attributions| is {everything:.3g}"
            )

        return float(plain.outputs) - start, witness

    def sensitivity_a(self) -> list[Finding]:
        """Put one region of the image on the mean image, as one feature; its attribution is not 0.

        The finding with the smallest attribution comes first. A region that does not change F asks
        nothing.
        """
        count = self.method.grid**2
        features = RegionFeatures(self.network, self.inputs, self.method.grid)
        regions = torch.eye(count).to(self.inputs)  # (G, G): every row has one region
        attribution = self._run(
            network=features, inputs=regions, references=torch.zeros_like(regions[:1])
        )
        changes = attribution.outputs - attribution.baseline_outputs  # (G,)
        values = attribution.values.diagonal()  # (G,)
        asked = changes.abs() > _NO_CHANGE * changes.abs().max()
        if not bool(asked.any()):
            return [Finding(0.0, 0.0, "no region changes F, so nothing is asked")]
        maps = features.spread(changes), features.spread(values)
        output = float(select_target(self.outputs, self.target))
        ratio = (values / changes).abs().where(asked, torch.inf)
        return [
            Finding(
                float(abs(values[g]) <= 1e-12 * abs(changes[g])),
                0.0,
                f"region {g + 1} of {count}, alone on the mean image, changes F by "
                f"{float(changes[g]):.3g}; its attribution is {float(values[g]):.3g}",
                maps,
                output,
            )
            for g in ratio.argsort()[: int(asked.sum())].tolist()
        ]

    def ignoring(self) -> tuple[Arguments, Tensor, Witness]:
        """A network that does not look at the middle of the image."""
        seen = torch.ones_like(self.inputs[:, :1])  # (1, 1, H, W)
        height, width = seen.shape[-2:]
        seen[..., height // 4 : height - height // 4, width // 4 : width - width // 4] = 0
        network = IgnoringRegion(self.network, seen)
        return {"network": network}, 1 - seen, lambda _, inside, size: (
            f"the network does not see the middle of the image; {inside:.3g} of {size:.3g}, "
            "the sum of all |attributions|, lies there"
        )  # fmt: skip

    def rebuilt(self) -> tuple[Arguments, Witness]:
        """F, built differently, once."""
        return self._rebuilt

    def weighted_sum(self) -> tuple[Arguments, tuple[float, float], Arguments, Witness]:
        """a·F + b·G, G the highest other logit."""
        a, b = _WEIGHTS
        ranked = self.outputs[0].argsort(descending=True).tolist()
        other = next(index for index in ranked if index != self.target)
        both = {"network": LogitSum(self.network, a, self.target, b, other), "target": 0}
        return both, _WEIGHTS, {"target": other}, lambda violation, *_: (
            f"of {a:g}·F {'+' if b > 0 else '−'} {abs(b):g}·G, G the logit of class {other}, "
            f"it is {percent(violation)} away from the sum of the parts"
        )  # fmt: skip

    def symmetric(self) -> tuple[Arguments, Any, Any, Callable[..., float], Witness]:
        """F(x) + F(x, swapped), which cannot tell two regions apart, their pixels equal."""
        height, width = self.inputs.shape[-2:]
        side = max(1, min(height, width) // 5)
        rows = slice((height - side) // 2, (height + side) // 2)
        margin = width // 8
        first = rows, slice(margin, margin + side)
        second = rows, slice(width - margin - side, width - margin)
        network = Symmetrised(self.network, first, second)
        x = self.inputs.clone()
        x[:, :, *second] = x[:, :, *first]
        # The set of references is symmetric, a single one need not be.
        references = torch.cat([self.references, network.swapped(self.references)])
        arguments = {"network": network, "inputs": x, "references": references, "passes": 2}

        def witness(violation: float, one: Tensor, two: Tensor) -> str:
            return (
                f"two regions of {side} × {side} pixels get {float(one.sum()):.5g} and "
                f"{float(two.sum()):.5g}; pixel by pixel they differ by {percent(violation)}"
            )

        return arguments, (..., *first), (..., *second), lambda _, *two: larger_sum(*two), witness

    def scalings(self) -> Iterator[tuple[float, Witness]]:
        """The settings' α."""
        for alpha in self.settings.alphas:
            yield (
                alpha,
                lambda violation, scaled, plain, alpha=alpha: (
                    f"at α = {alpha:g} it is {percent(violation)} away from α times that of x; "
                    f"F(αx) is {scaled.output:.4g}, αF(x) is {alpha * plain.output:.4g}"
                ),
            )


def _values(attribution: Attribution) -> Values:
    """Of one input."""
    error = attribution.estimated_error
    return Values(
        attribution.values, 0.0 if error is None else float(error), float(attribution.outputs)
    )
