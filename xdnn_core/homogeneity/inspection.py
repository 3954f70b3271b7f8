"""Nonnegative homogeneity F(αx) = αF(x), α ≥ 0: find what breaks it.

Source: Hesse et al. 2021, Definitions 3.3 and 3.5, Propositions 3.8 and 3.9.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map_only

from xdnn_core.device import full_float32
from xdnn_core.errors import UserError
from xdnn_core.homogeneity.biases import loose_biases, remove_biases as remove_biases
from xdnn_core.homogeneity.checks import check_differentiable, check_inputs, detached
from xdnn_core.homogeneity.layer_kinds import COMPOSITES, known_verdict, leaf_layers

ALPHAS = (0.0, 0.25, 0.5, 2.0, 8.0)
TOLERANCE = 1e-6  # of float64; one ReLU gate flipped by rounding costs far less


class NotHomogeneousError(UserError):
    """The network does not satisfy F(αx) = αF(x), so X-Gradient is not Integrated Gradients.

    Examples
    --------
    >>> import torch
    >>> from xdnn_core import x_gradient
    >>> x_gradient(torch.nn.Linear(2, 1), torch.ones(1, 2))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    xdnn_core.homogeneity.inspection.NotHomogeneousError: ...
    """


@dataclass(frozen=True)
class LayerVerdict:
    """What one layer does to homogeneity."""

    name: str  # path of the layer in the network
    kind: str  # class of the layer
    # By what the layer is where that is known, else by the numbers.
    is_homogeneous: bool
    reason: str  # one phrase that says why
    # Largest ‖L(αh) − αL(h)‖∞ / ‖αL(h)‖∞ over α, in float64, at what the layer received for the
    # example; NaN of a bias that no layer holds.
    max_relative_error: float


@dataclass(frozen=True)
class HomogeneityReport:
    """Whether F(αx) = αF(x), layer by layer and for the whole network.

    Attributes
    ----------
    is_homogeneous
        Every layer is, and the whole network passes the numerical check.
    layers
        One verdict a layer that the example reached, in the order of the network.
    max_relative_error
        Of the whole network, over `alphas`, float64.
    alphas
        The contrasts tried.
    unreached
        Modules that were not called for the example, and so are not judged: an auxiliary head, a
        softmax that only predict() uses. What forward() does with their weights itself, the check
        of the whole network sees.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> network = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Linear(2, 1, bias=False))
    >>> network = network.eval()
    >>> from xdnn_core import inspect_homogeneity
    >>> len(inspect_homogeneity(network, torch.ones(1, 2)).layers)
    3
    """

    is_homogeneous: bool
    layers: tuple[LayerVerdict, ...]
    max_relative_error: float
    alphas: tuple[float, ...]
    unreached: tuple[str, ...]

    @property
    def first_break(self) -> LayerVerdict | None:
        """The first layer that breaks homogeneity, if any."""
        return next((layer for layer in self.layers if not layer.is_homogeneous), None)


@full_float32()
def inspect_homogeneity(network: nn.Module, example: Tensor) -> HomogeneityReport:
    """Check F(αx) = αF(x) layer by layer and for the whole network, in float64.

    A caller's autocast is switched off inside.

    Parameters
    ----------
    network
        Any module in evaluation mode; it is left as it is.
    example
        A batch (B, ...) the network takes.

    Returns
    -------
    HomogeneityReport

    Raises
    ------
    UserError
        If the network is in training mode (dropout and batch statistics change every call).

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> network = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Linear(2, 1, bias=False))
    >>> network = network.eval()
    >>> inspect_homogeneity(network, torch.ones(1, 2)).is_homogeneous
    True
    """
    if network.training:
        raise UserError("The network is in training mode; call .eval() on it first.")
    check_inputs(example, "example")
    check_differentiable(network)
    return _inspect(copy.deepcopy(network).double(), detached(example).double())


def first_break(network: nn.Module, example: Tensor) -> LayerVerdict | None:
    """The first layer that breaks F(αx) = αF(x), None if none; in the network's mode and dtype.

    ALPHAS are powers of 2, by which floating-point numbers are multiplied exactly in any precision.
    """
    return _inspect(copy.deepcopy(network), example).first_break


def require_homogeneous_layers(network: nn.Module, example: Tensor) -> None:
    """Raise if a layer that the example reaches is of a kind known to break homogeneity.

    The layers are read; the network is run, on the example, only where one breaks.
    """
    broken = [
        (name, module, verdict[1])
        for name, module in leaf_layers(network)
        if (verdict := known_verdict(module)) is not None and not verdict[0]
    ]
    if not broken:
        return
    # A copy that shares all tensors: hooks on it are not on a network that others run too.
    shared = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
    reached = _Watch(copy.deepcopy(network, shared))
    with torch.no_grad():
        reached.run(example)
    for name, module, reason in broken:
        if name in reached.names:
            raise NotHomogeneousError(
                f"X-Gradient needs F(αx) = αF(x), which layer {name or 'network'!r} "
                f"({type(module).__name__}: {reason}) breaks; use remove_biases, or "
                "input_x_gradient."
            )


class _Watch:
    """Runs a network of its own and notes which modules were called, `names`.

    With `errors`, also the largest relative error of every layer, by name.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.names: set[str] = set()
        self.errors: dict[str, float] = {}

    def run(self, x: Tensor, errors: bool = False) -> Any:
        """Return the network's output."""
        layers = {module for _, module in leaf_layers(self.network)} if errors else set()
        handles = [
            module.register_forward_hook(self._note(name, module in layers), with_kwargs=True)
            for name, module in self.network.named_modules()
        ]
        output = self.network(x)
        for handle in handles:
            handle.remove()
        return output

    def _note(self, name: str, judge: bool) -> Callable[..., None]:
        @torch.no_grad()
        def note(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            self.names.add(name)
            if judge:
                error = _relative_error(lambda alpha: _at(module, args, kwargs, alpha), output)
                self.errors[name] = max(error, self.errors.get(name, 0.0))

        return note


def _at(module: nn.Module, args: Any, kwargs: Any, alpha: float) -> Any:
    """L(αh): what depends on the network's input is scaled, constants are not."""
    follows = any(tensor.requires_grad for tensor in _floating((args, kwargs)))

    def scale(tensor: Tensor) -> Tensor:
        scaled = tensor.is_floating_point() and (tensor.requires_grad or not follows)
        return alpha * tensor if scaled else tensor

    args, kwargs = tree_map_only(Tensor, scale, (args, kwargs))
    return module.forward(*args, **kwargs)


def _inspect(network: nn.Module, x: Tensor) -> HomogeneityReport:
    """The report of a network of its own, whose parameters it freezes."""
    network.requires_grad_(False)
    watch = _Watch(network)
    with torch.enable_grad():
        # Times 1: a leaf of the graph may not be changed in place.
        output = watch.run(1 * x.clone().requires_grad_(), errors=True)
    with torch.no_grad():
        error = _relative_error(lambda alpha: network(alpha * x), output)
    unreached = tuple(_unreached(network, watch.names))
    hidden = tuple(f"{name}." for name in unreached)
    layers = []
    for name, module in leaf_layers(network):
        if name in watch.errors:
            layer_error = watch.errors[name]
            known = known_verdict(module) or (layer_error <= TOLERANCE, "by the numbers only")
            kind = type(module).__name__
            layers.append(LayerVerdict(name or "network", kind, *known, layer_error))
    layers += [
        LayerVerdict(path, "Parameter", False, "its bias does not scale", float("nan"))
        for path in _shifting_biases(network)
        if not path.startswith(hidden)
    ]
    whole = error <= TOLERANCE
    if not whole and all(layer.is_homogeneous for layer in layers):
        reason = "an operation in forward() outside any layer breaks it"
        layers.append(LayerVerdict("forward()", type(network).__name__, False, reason, error))
    is_homogeneous = whole and all(layer.is_homogeneous for layer in layers)
    return HomogeneityReport(is_homogeneous, tuple(layers), error, ALPHAS, unreached)


def _relative_error(at: Callable[[float], Any], output: Any) -> float:
    """Largest ‖L(αh) − αL(h)‖∞ / ‖αL(h)‖∞ over ALPHAS; at α = 0 relative to ‖L(h)‖∞."""
    plain = _floating(output)
    size = max((float(tensor.abs().max()) for tensor in plain), default=0.0)
    worst = 0.0
    for alpha in ALPHAS:
        scaled = _floating(at(alpha))
        for one, other in zip(scaled, plain, strict=True):
            error = float((one - alpha * other).abs().max())
            if not math.isfinite(error):
                return math.inf
            scale = (alpha or 1.0) * size
            worst = max(worst, error / scale if scale else (math.inf if error else 0.0))
    return worst


def _floating(tree: Any) -> list[Tensor]:
    """The floating-point tensors in nested tuples, lists and dicts."""
    return [
        leaf
        for leaf in tree_leaves(tree)
        if isinstance(leaf, Tensor) and leaf.is_floating_point() and leaf.numel() > 0
    ]


def _unreached(network: nn.Module, reached: set[str]) -> Iterator[str]:
    """Modules of which nothing was called, without those inside them."""
    judged = {f"{name}." for name, module in leaf_layers(network) if isinstance(module, COMPOSITES)}
    unreached: tuple[str, ...] = ()
    for name, _ in network.named_modules():
        inside = f"{name}."
        called = name in reached or any(other.startswith(inside) for other in reached)
        if name and not called and not name.startswith((*judged, *unreached)):
            unreached = (*unreached, inside)
            yield name


def _shifting_biases(network: nn.Module) -> Iterator[str]:
    """Biases other than 0 that a composite module holds, where no layer would show them."""
    layers = {name for name, _ in leaf_layers(network)}
    for name, key, bias in loose_biases(network):
        if name not in layers and bool(bias.detach().any()):
            yield f"{name}.{key}" if name else key
