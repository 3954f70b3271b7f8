"""The network and the image on which the axioms are tried, and every attribution of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor, nn

from xdnn_core.attribution.path import Progress
from xdnn_core.attribution.result import Attribution
from xdnn_core.attribution.target import select_target
from xdnn_core.axioms.network_methods import Call, NetworkMethod, NetworkSettings
from xdnn_core.axioms.rebuilding import Rebuilt, rebuilt_network


class Bench:
    """The network and the image of all experiments, and the gradient calls they have cost.

    Parameters
    ----------
    network
        Float64, eval mode, parameters frozen.
    inputs
        x, (1, C, H, W), float64.
    target
        Class index.
    references
        For Expected Gradients, (R, C, H, W), float64.
    settings
        How much is tried.
    spend
        Makes the progress of a part out of the gradient calls it costs.
    """

    def __init__(
        self,
        network: nn.Module,
        inputs: Tensor,
        target: int,
        references: Tensor,
        settings: NetworkSettings,
        spend: Callable[[int], Progress],
    ) -> None:
        self.network, self.inputs, self.target = network, inputs, target
        self.references, self.settings = references, settings
        self._spend = spend
        self._cell, self._draws = 0, 0
        self._plain: dict[str, Attribution] = {}

    @cached_property
    def outputs(self) -> Tensor:
        """F(x) of all classes, (1, classes)."""
        with torch.no_grad():
            return self.network(self.inputs)

    @cached_property
    def reference_output(self) -> float:
        """F(x') of the target, mean over the references."""
        with torch.no_grad():
            outputs = [self.network(one[None]) for one in self.references]
        return float(select_target(torch.cat(outputs), self.target).mean())

    @cached_property
    def rebuilt(self) -> Rebuilt:
        """The same function built differently."""
        rng = torch.Generator().manual_seed(self.settings.seed)
        return rebuilt_network(self.network, self.inputs, rng)

    def begin(self, cell: int) -> None:
        """Begin a cell: its draws hang on its number only, not on what was tried before."""
        self._cell, self._draws = cell, 0

    def plain(self, method: NetworkMethod) -> Attribution:
        """The attribution of network and image as they are, computed once."""
        if method.name not in self._plain:
            self._plain[method.name] = self._attribute(method, seed=0)
        return self._plain[method.name]

    def run(
        self,
        method: NetworkMethod,
        network: nn.Module | None = None,
        inputs: Tensor | None = None,
        target: int | None = None,
        references: Tensor | None = None,
        passes: int = 1,
    ) -> Attribution:
        """Attribute; what is not given is the bench's own. Every run has draws of its own.

        Parameters
        ----------
        passes
            How often the given network runs the bench's.
        """
        self._draws += 1
        return self._attribute(
            method, network, inputs, target, references, passes,
            seed=100 * (1 + self._cell) + self._draws,
        )  # fmt: skip

    def _attribute(
        self,
        method: NetworkMethod,
        network: nn.Module | None = None,
        inputs: Tensor | None = None,
        target: int | None = None,
        references: Tensor | None = None,
        passes: int = 1,
        *,
        seed: int,
    ) -> Attribution:
        """Attribute with given draws."""
        rows = self.inputs if inputs is None else inputs
        progress = self._spend(method.calls(self.settings) * len(rows) * passes)
        found = method.attribute(
            Call(
                network=self.network if network is None else network,
                inputs=rows,
                target=self.target if target is None else target,
                references=self.references if references is None else references,
                settings=self.settings,
                seed=(10_000 * self.settings.seed + seed) % 2**32,
                progress=progress,
            )
        )
        progress(1, 1)
        return found
