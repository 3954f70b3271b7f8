"""Is the network what a method takes it for? Checked once a network and shape of input.

X-Gradient needs F(αx) = αF(x). Beside Euler's sum, which x alone can satisfy by chance, three
consequences of it are tried, at the cost of one forward pass and one gradient:

    F(0) = 0,    F(x/2) = F(x)/2,    ∇F(x/2) = ∇F(x).

Halving a binary floating-point number is exact, and so are halved products and sums: unless a
value underflows, an X-DNN's activations at x/2 are those at x halved, bit by bit. No rounding can
flip a ReLU gate or the winner of a maximum between the two, so the tolerance is a few roundings
wide, for machines that add in another order each time, and not the size of a flipped gate.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Literal, NoReturn, get_args

import torch
from torch import Tensor, nn

from xdnn_core.attribution.cached_check import (
    cached_check,
    input_signature,
    structure_state,
    value_state,
)
from xdnn_core.attribution.target import (
    Classes,
    check_outputs,
    input_gradient,
    output_at_zero,
    select_target,
)
from xdnn_core.errors import UserError
from xdnn_core.homogeneity.inspection import (
    NotHomogeneousError,
    first_break,
    require_homogeneous_layers,
)
from xdnn_core.homogeneity.layer_kinds import DROPOUTS

Check = Literal["full", "once", "off"]

# Relative to the largest value: room for sums that are added in another order.
_ROUNDINGS = 256
# Euler's theorem, relative to Σ|x·∇F|: float32 rounding stays far below, a broken layer far above.
_EULER_TOLERANCE = 1e-3


def check_choice(check: str) -> None:
    """Refuse a `check` that is none of `Check`."""
    if check not in get_args(Check):
        raise UserError(f"check is {check!r}; choose one of {', '.join(get_args(Check))}.")


def check_repeatable(network: nn.Module, inputs: Tensor) -> None:
    """Refuse a network that gives the same inputs another output at every call.

    It costs two forward passes, once a network and shape. `check_network` names layers that draw at
    random; this finds what no layer shows.
    """

    def twice() -> None:
        x = inputs.clone()
        version = x._version
        with torch.no_grad():
            first, second = network(x), network(inputs.clone())
        if x._version != version:
            raise UserError(
                "The network overwrites its input: its first operation works in place; use one "
                "that does not."
            )
        check_outputs(first)
        _refuse_random(first, second)

    if bool(inputs.any()):
        cached_check(
            network, ("repeatable", *input_signature(inputs)), structure_state(network), twice
        )
    else:
        twice()  # of zeros dropout leaves zeros, which says little of other inputs


def _refuse_random(first: Tensor, second: Tensor) -> None:
    size = float(first.abs().max())
    difference = float((first - second).abs().max())
    if difference > _ROUNDINGS * torch.finfo(first.dtype).eps * size:
        raise UserError(
            "The network draws at random: two passes over the same input differ by "
            f"{difference / size if size else 1:.1%}; switch that off, for instance with "
            "F.dropout(..., training=self.training)."
        )


def require_layers(network: nn.Module, inputs: Tensor, check: Check) -> None:
    """Raise NotHomogeneousError where the inputs reach a layer known to break F(αx) = αF(x)."""
    key = ("layers", *input_signature(inputs))
    _as_often_as(check, network, key, lambda: require_homogeneous_layers(network, inputs))


def require_scaling(
    network: nn.Module, x: Tensor, outputs: Tensor, gradients: Tensor, target: Classes, check: Check
) -> None:
    """Raise unless Euler's sum holds, always, and the scaling with it, as often as `check` says."""
    broken = _euler_break(x, select_target(outputs, target), gradients)
    if broken is not None:
        _refuse(network, x, outputs, broken)

    def scale() -> None:
        broken = _scaling_break(network, x, outputs, gradients, target)
        if broken is not None:
            _refuse(network, x, outputs, broken)

    # Zeros, and an input whose gradient is 0, say little of other inputs.
    telling = bool(x.any()) and bool(gradients.any())
    _as_often_as(check if telling else "full", network, ("scaling", *input_signature(x)), scale)


def require_homogeneous_while_trained(network: nn.Module, inputs: Tensor) -> None:
    """Raise unless F(αx) = αF(x) whatever values training gives the parameters.

    A copy is checked whose trained parameters were moved at random, so a bias that is still 0
    counts, and a frozen one does not. Dropout is of no account: for one draw of the elements it
    drops, F(αx) = αF(x) holds. The check is made once a network and shape, and again when a layer
    is exchanged, frozen or released.
    """
    key = ("while trained", *input_signature(inputs))
    cached_check(network, key, structure_state(network), lambda: _check_moved(network, inputs))


def _check_moved(network: nn.Module, inputs: Tensor) -> None:
    moved, x = copy.deepcopy(network), _moved(inputs)
    for module in moved.modules():
        if isinstance(module, (*DROPOUTS, nn.RReLU)):
            module.eval()
    with torch.no_grad():
        for parameter in moved.parameters():
            if parameter.requires_grad:
                parameter.copy_(_moved(parameter))
    gpus = [x.device] if x.device.type == "cuda" else []

    def drawn(rows: Tensor) -> Tensor:
        """Σ over classes, (B,), with the same draw at every call where forward() draws itself."""
        with torch.random.fork_rng(gpus):
            torch.manual_seed(0)
            outputs = moved(rows)
        check_outputs(outputs)
        return outputs.flatten(1).sum(dim=1) if outputs.ndim > 1 else outputs

    try:
        require_homogeneous_layers(moved, x)
        outputs, gradients = input_gradient(drawn, x, None)
        broken = _euler_break(x, outputs, gradients) or _scaling_break(
            drawn, x, outputs, gradients, None
        )
        if broken is not None:
            # In evaluation mode, or what draws would be named in place of what breaks.
            _refuse(moved.eval(), x, None, broken)
    except NotHomogeneousError as error:
        raise NotHomogeneousError(
            f"{str(error).removesuffix('.')} (checked with its parameters moved, as training moves "
            "them: a bias of 0 counts unless it is frozen)."
        ) from error


def _moved(tensor: Tensor) -> Tensor:
    """The tensor and a tenth of its size in noise, or noise alone where it is 0."""
    rng = torch.Generator(tensor.device).manual_seed(0)
    size = float(tensor.detach().square().mean().sqrt()) or 1.0
    return tensor.detach() + 0.1 * size * torch.empty_like(tensor).normal_(generator=rng)


def _as_often_as(
    check: Check, network: nn.Module, key: tuple[object, ...], made: Callable[[], None]
) -> None:
    if check == "full":
        made()
    elif check == "once":
        cached_check(network, key, value_state(network), made)


def _euler_break(x: Tensor, outputs: Tensor, gradients: Tensor) -> str | None:
    """What of Euler's theorem, Σ x·∂F/∂x = F(x), does not hold."""
    parts = (x * gradients).flatten(1)  # (B, ...) -> (B, n)
    size = parts.abs().sum(dim=1).clamp_min(torch.finfo(parts.dtype).tiny)
    worst = float(((parts.sum(dim=1) - outputs).abs() / size).max())
    if not worst <= _EULER_TOLERANCE:
        return f"Σ x·∂F/∂x differs from F(x) by {worst:.1%} of its size"
    return None


def _scaling_break(
    network: Callable[[Tensor], Tensor],
    x: Tensor,
    outputs: Tensor,
    gradients: Tensor,
    target: Classes,
) -> str | None:
    """Which of F(0) = 0, F(x/2) = F(x)/2, ∇F(x/2) = ∇F(x) does not hold, and by how much."""
    at_zero = output_at_zero(network, x)
    half, half_gradients = input_gradient(network, x / 2, target)
    size, steepest = float(outputs.abs().max()), float(gradients.abs().max())
    allowed = _ROUNDINGS * torch.finfo(outputs.dtype).eps
    # Asked this way round, what is not a number does not pass.
    error = float(at_zero.abs().max())
    if not error <= allowed * size:
        return f"F(0) is {error:.3g} and not 0"
    error = float((2 * half - outputs).abs().max())
    if not error <= allowed * size:
        return f"2·F(x/2) differs from F(x) by {_share(error, size)}"
    error = float((half_gradients - gradients).abs().max())
    if not error <= allowed * steepest:
        return f"the gradient at x/2 differs from that at x by {_share(error, steepest)}"
    return None


def _share(error: float, size: float) -> str:
    return f"{error / size:.2g} of the largest" if size else f"{error:.2g} where that is 0"


def _refuse(network: nn.Module, x: Tensor, outputs: Tensor | None, broken: str) -> NoReturn:
    """Raise with the layer that breaks it, where the numbers show one."""
    if outputs is not None:
        with torch.no_grad():
            _refuse_random(outputs, network(x))
    layer = first_break(network, x[:1])
    where = "an operation outside the layers"
    if layer is not None and layer.name not in ("forward()", "network"):
        where = f"layer {layer.name!r} ({layer.kind}: {layer.reason})"
    raise NotHomogeneousError(
        f"X-Gradient needs F(αx) = αF(x), but {broken}: {where} breaks it; use remove_biases, or "
        "input_x_gradient."
    )
