"""Table 1 on a network of the user's own: every axiom tried for every method, on one image."""

from __future__ import annotations

import copy
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from xdnn_core.attribution.gradients import x_gradient
from xdnn_core.attribution.path import Progress
from xdnn_core.attribution.target import check_target
from xdnn_core.axioms.axioms import AXIOMS, Cell, make_cell, worst_of
from xdnn_core.axioms.network import NETWORK_METHODS, LoadedNetwork, NetworkMethod, NetworkSettings
from xdnn_core.errors import UserError
from xdnn_core.homogeneity.checks import check_inputs
from xdnn_core.homogeneity.inspection import NotHomogeneousError

# How far the image is moved off the kinks of max pooling, of its standard deviation. Equal pixels,
# a white background say, tie; which of them has the gradient then hangs on rounding.
OFF_KINKS = 1e-3

CellKey = tuple[str, str]  # method and axiom

# How many inputs an axiom attributes, beside the image as it is, by the names of `AXIOMS`.
_INPUTS: Final[dict[str, Callable[[NetworkMethod, NetworkSettings], int]]] = {
    "sensitivity_a": lambda method, _: method.grid**2,
    "sensitivity_b": lambda *_: 1,
    "implementation_invariance": lambda *_: 1,
    "completeness": lambda *_: 0,
    "linearity": lambda *_: 2,
    "symmetry_preserving": lambda *_: 2,
    "homogeneity": lambda _, settings: len(settings.alphas),
}


@dataclass(frozen=True)
class WitnessMaps:
    """The attributions that a cell's witness speaks of."""

    maps: tuple[np.ndarray, ...]  # channels summed, (H, W), float32, in the order of `Axiom.maps`
    output: float  # F(x) of the function that the first of them attributes

    @property
    def difference(self) -> np.ndarray:
        """The first less the second."""
        return self.maps[0] - self.maps[1]


def try_network(
    network: nn.Module,
    inputs: Tensor,
    target: int,
    references: Tensor,
    settings: NetworkSettings | None = None,
    progress: Progress | None = None,
    known: MutableMapping[CellKey, Cell] | None = None,
    witnesses: MutableMapping[CellKey, WitnessMaps] | None = None,
) -> tuple[Cell, ...]:
    """Try the axioms on a network, in float64.

    `network`: maps images (B, C, H, W) to logits (B, classes), two or more; in evaluation mode.
    It is left as it is. `inputs`: a normalised image, (1, C, H, W). `references`: images for
    Expected Gradients, (R, C, H, W). `progress`: called with (gradient calls done, in all); may
    raise to cancel. `known`: cells that are there already; every new one is added, so that a run
    that was cancelled goes on where it was. `witnesses`: the maps of every new cell are added, but
    where an axiom asked nothing. Returns cells method by method, axiom by axiom; X-Gradient only
    where F(αx) = αF(x).

    Source: Sundararajan et al. 2017, Sections 2 and 3; Hesse et al. 2021, Table 1.
    """
    chosen = settings or NetworkSettings()
    _check(network, inputs, references, chosen)
    double = copy.deepcopy(network).double().requires_grad_(False)
    rng = torch.Generator().manual_seed(chosen.seed)
    x = _off_kinks(inputs.detach().double(), rng)
    others = _off_kinks(references.to(inputs).double(), rng)
    meter = _Meter(progress)
    subject = LoadedNetwork(double, x, target, others, chosen, meter.progress_for)
    check_target(target, subject.outputs)
    if subject.outputs.numel() < 2:
        raise UserError("The network has 1 output; linearity needs two, give one with 2 or more.")
    try:
        x_gradient(double, x, target)
    except NotHomogeneousError:
        methods = _all(is_xdnn=False)
    else:
        methods = _all(is_xdnn=True)
    cells = {} if known is None else known
    requested = [(method, axiom) for method in methods for axiom in AXIOMS]
    missing = [(method, axiom) for method, axiom in requested if (method.name, axiom) not in cells]
    meter.total = _calls(missing, chosen)
    for method, axiom in missing:
        subject.begin(method, requested.index((method, axiom)))
        findings = AXIOMS[axiom].experiment(subject)
        worst = worst_of(findings)
        if witnesses is not None and worst.maps:
            witnesses[method.name, axiom] = WitnessMaps(
                tuple(values.sum(dim=1)[0].float().cpu().numpy() for values in worst.maps),
                worst.output,
            )
        cells[method.name, axiom] = make_cell(method.name, axiom, findings)
    return tuple(cells[method.name, axiom] for method, axiom in requested)


def gradient_calls(is_xdnn: bool, settings: NetworkSettings) -> int:
    """Gradient calls that `try_network` costs."""
    return _calls([(method, axiom) for method in _all(is_xdnn) for axiom in AXIOMS], settings)


def _all(is_xdnn: bool) -> list[NetworkMethod]:
    """The methods, X-Gradient only where it is defined."""
    return [one for name, one in NETWORK_METHODS.items() if is_xdnn or name != "x_gradient"]


class _Meter:
    """Counts gradient calls."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress, self._spent, self.total = progress, 0, 0

    def progress_for(self, calls: int) -> Progress:
        """The progress of a part that costs so many calls."""
        before = self._spent
        self._spent += calls

        def report_progress(done: int, of: int) -> None:
            if self._progress is not None:
                self._progress(before + calls * done // of, self.total)

        return report_progress


def _check(
    network: nn.Module, inputs: Tensor, references: Tensor, settings: NetworkSettings
) -> None:
    """Refuse what cannot be tried."""
    if network.training:
        raise UserError("The network is in training mode; call .eval() on it first.")
    check_inputs(inputs)
    check_inputs(references, "references")
    if inputs.ndim != 4 or len(inputs) != 1:
        raise UserError(
            f"inputs have shape {tuple(inputs.shape)}; needed is one image, (1, C, H, W)."
        )
    if references.shape[1:] != inputs.shape[1:]:
        raise UserError(
            f"references have shape {tuple(references.shape)}; needed is (R, "
            f"{', '.join(map(str, inputs.shape[1:]))}) like the inputs."
        )
    if settings.steps < 2 or settings.samples < 1:
        raise UserError(
            f"steps are {settings.steps} and samples {settings.samples}; give 2 steps and 1 sample "
            "or more."
        )
    if not settings.alphas or min(settings.alphas) <= 0:
        raise UserError(f"alphas are {settings.alphas}; give one or more above 0.")


def _off_kinks(images: Tensor, rng: torch.Generator) -> Tensor:
    """Move every pixel a little, so that no two tie, (B, C, H, W)."""
    noise = 2 * torch.rand(images.shape, generator=rng, dtype=images.dtype) - 1
    return images + OFF_KINKS * float(images.std()) * noise.to(images.device)


def _calls(cells: Sequence[tuple[NetworkMethod, str]], settings: NetworkSettings) -> int:
    """Gradient calls of these cells, and one attribution of the image as it is for each method."""
    plain = {method.name: method.calls(settings) for method, _ in cells}
    return sum(plain.values()) + sum(
        method.calls(settings) * _INPUTS[axiom](method, settings) for method, axiom in cells
    )
