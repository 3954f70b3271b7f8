"""Nonnegative homogeneity F(αx) = αF(x), α ≥ 0: find what breaks it, and remove biases.

Source: Hesse et al. 2021, Definition 3.1 and Propositions 3.2 to 3.4.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from xdnn_core.checks import check_inputs
from xdnn_core.errors import UserError
from xdnn_core.layer_kinds import WITH_BIAS, FoldedBatchNorm, known_verdict

ALPHAS = (0.0, 0.25, 0.5, 2.0, 8.0)
TOLERANCE = 1e-6  # of float64; one ReLU gate flipped by rounding costs far less


class NotHomogeneousError(UserError):
    """The network does not satisfy F(αx) = αF(x), so X-Gradient is not Integrated Gradients."""


@dataclass(frozen=True)
class LayerVerdict:
    """What one layer does to homogeneity.

    Attributes
    ----------
    name
        Path of the layer in the network.
    kind
        Class of the layer.
    is_homogeneous
        The verdict: by what the layer is where that is known, else by the numbers.
    reason
        One phrase that says why.
    max_relative_error
        Largest ‖L(αh) − αL(h)‖∞ / ‖αL(h)‖∞ over α, in float64, at what the layer received for
        the example; NaN if the example did not reach it.
    """

    name: str
    kind: str
    is_homogeneous: bool
    reason: str
    max_relative_error: float


@dataclass(frozen=True)
class HomogeneityReport:
    """Whether F(αx) = αF(x), layer by layer and for the whole network.

    Attributes
    ----------
    is_homogeneous
        Every layer is, and the whole network passes the numerical check.
    layers
        One verdict a layer, in the order of the network.
    max_relative_error
        Of the whole network, over `alphas`, float64.
    alphas
        The contrasts tried.
    """

    is_homogeneous: bool
    layers: tuple[LayerVerdict, ...]
    max_relative_error: float
    alphas: tuple[float, ...]

    @property
    def first_break(self) -> LayerVerdict | None:
        """The first layer that breaks homogeneity, if any."""
        return next((layer for layer in self.layers if not layer.is_homogeneous), None)


def remove_biases(network: nn.Module) -> nn.Module:
    """Return a copy of a network with every bias gone.

    Linear, convolution and transposed convolution lose their bias. Batch normalisation in
    evaluation mode is x ↦ s·x + shift: it becomes the factor s, the shift is dropped. Biases that a
    composite module holds itself, as Fixup's scalars, become 0.

    Parameters
    ----------
    network
        Any module; it is left as it is.

    Returns
    -------
    nn.Module
        A new network in evaluation mode.

    Raises
    ------
    ValueError
        If a batch normalisation keeps no running statistics, so that it has no fixed factor.

    Source: Hesse et al. 2021, Section 3.2.
    """
    stripped = copy.deepcopy(network).eval()
    if isinstance(stripped, _BatchNorm):
        return FoldedBatchNorm(stripped, "the network")
    # Also under every further name of a shared module.
    for name, module in list(stripped.named_modules(remove_duplicate=False)):
        if isinstance(module, WITH_BIAS):
            module.register_parameter("bias", None)
        elif isinstance(module, _BatchNorm):
            parent = stripped.get_submodule(name.rpartition(".")[0])
            setattr(parent, name.rpartition(".")[2], FoldedBatchNorm(module, name))
    for _, bias in _loose_biases(stripped):
        bias.data.zero_()
    return stripped


def inspect_homogeneity(network: nn.Module, example: Tensor) -> HomogeneityReport:
    """Check F(αx) = αF(x) layer by layer and for the whole network.

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
    ValueError
        If the network is in training mode (dropout and batch statistics change every call).
    """
    if network.training:
        raise UserError("The network is in training mode; call .eval() on it first.")
    check_inputs(example, "example")
    double = copy.deepcopy(network).double()
    seen: dict[str, float] = {}

    def checker(name: str) -> Callable[..., None]:
        def check(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
            if all(isinstance(a, Tensor) for a in (*args, output)):
                error = _relative_error(module.forward, args, output)
                seen[name] = max(error, seen.get(name, 0.0))

        return check

    leaves = [(n, m) for n, m in double.named_modules() if not list(m.children())]
    handles = [m.register_forward_hook(checker(n)) for n, m in leaves]
    x = example.detach().double()
    with torch.no_grad():
        output = double(x)
        for handle in handles:
            handle.remove()
        error = _relative_error(double, (x,), output)
    layers = [_verdict(n or "network", m, seen.get(n, float("nan"))) for n, m in leaves]
    layers += _loose_verdicts(double)
    whole = error <= TOLERANCE
    if not whole and all(layer.is_homogeneous for layer in layers):
        reason = "an operation in forward() outside any layer breaks it"
        layers.append(LayerVerdict("forward()", type(network).__name__, False, reason, error))
    is_homogeneous = whole and all(layer.is_homogeneous for layer in layers)
    return HomogeneityReport(is_homogeneous, tuple(layers), error, ALPHAS)


def require_homogeneous_layers(network: nn.Module) -> None:
    """Raise if a layer of a known kind breaks homogeneity; reads the network, runs nothing.

    Raises
    ------
    NotHomogeneousError
        Naming the first layer that breaks F(αx) = αF(x).
    """
    for name, module in network.named_modules():
        if list(module.children()):
            continue
        known = known_verdict(module)
        if known is not None and not known[0]:
            raise NotHomogeneousError(
                f"X-Gradient needs F(αx) = αF(x), which layer {name or 'network'!r} "
                f"({type(module).__name__}: {known[1]}) breaks; use remove_biases, or "
                "input_x_gradient."
            )


def _relative_error(
    function: Callable[..., Tensor], args: tuple[Tensor, ...], output: Tensor
) -> float:
    """Largest ‖L(αh) − αL(h)‖∞ / ‖αL(h)‖∞ over ALPHAS; at α = 0 relative to ‖L(h)‖∞."""
    size = float(output.abs().max())
    worst = 0.0
    for alpha in ALPHAS:
        scaled = function(*(alpha * h for h in args))
        error = float((scaled - alpha * output).abs().max())
        if not math.isfinite(error):
            return math.inf
        scale = (alpha or 1.0) * size
        worst = max(worst, error / scale if scale else (float("inf") if error else 0.0))
    return worst


def _verdict(name: str, module: nn.Module, error: float) -> LayerVerdict:
    known = known_verdict(module)
    if known is None:
        homogeneous = error <= TOLERANCE
        known = (homogeneous, "by the numbers only" if error == error else "not reached")
    return LayerVerdict(name, type(module).__name__, known[0], known[1], error)


def _loose_biases(network: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Biases that a composite module holds itself, where no layer would show them."""
    for name, module in network.named_modules():
        if not list(module.children()):
            continue
        for key, parameter in module.named_parameters(recurse=False):
            if "bias" in key:
                yield (f"{name}.{key}" if name else key), parameter


def _loose_verdicts(network: nn.Module) -> list[LayerVerdict]:
    return [
        LayerVerdict(path, "Parameter", False, "its bias does not scale", float("nan"))
        for path, bias in _loose_biases(network)
        if bool(bias.detach().any())
    ]
