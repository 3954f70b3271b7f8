"""Parameter gradients of BCE + λ·Ω(attribution) in closed form, for a stack of perceptrons.

With the ReLU gates m_l fixed, a perceptron is a product of matrices, and so is its input
gradient. Write h_0 = x, h_l = m_l ⊙ (W_l h_{l-1} + b_l), z = w·h_last + b for the logit and

    u_last = m_last ⊙ w,   u_l = m_l ⊙ (u_{l+1} W_{l+1}),   g = u_1 W_1 = ∂z/∂x.

If v = dΩ/dg and t_0 = v, t_l = m_l ⊙ (t_{l-1} W_lᵀ), then the loss and the penalty share one
product a layer:

    dW_l = Σ_rows u_lᵀ (dz · h_{l-1} + t_{l-1}),   db_l = Σ_rows dz · u_l,

with u = 1 for the output layer. That is 5 products of the size of a forward pass an epoch (one
of them for the validation rows that ride along) where double backward takes 9.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, pad

from xdnn_core.priors.methods import PriorMethod
from xdnn_core.priors.penalties import Penalty, PenaltyValue, gini
from xdnn_core.priors.stack import Buffers, Layers

# relu'(h) ⊙ gradient in one pass over memory; autograd's own kernel, here in place.
_threshold_backward = torch.ops.aten.threshold_backward.grad_input


@dataclass(frozen=True)
class Rows:
    """The inputs of T perceptrons in one step."""

    # (T, n + s + v, D): n training rows, s path points (0 unless the method is sampled), v rows
    # that are only run forward; D is d padded with zeros, see `padded`.
    x: Tensor
    labels: Tensor  # of the training rows, (T, n)
    features: int  # d
    # Sampled methods: what the gradient at each path point is multiplied by, (T, n, k, D), x −
    # reference times the point's weight; s = n·k.
    delta: Tensor | None = None


class StepValues(NamedTuple):
    """What one step measured, before the parameters move."""

    loss: Tensor  # binary cross-entropy alone, (T,)
    penalty: Tensor  # Ω alone, not multiplied by λ, (T,); NaN if no attribution was taken
    gini: Tensor  # of the profile, (T,); NaN where the profile is zero or not taken
    profile: Tensor  # mean absolute attribution of every feature, (T, d); NaN if not taken
    undefined: Tensor  # (T,), True where the penalty is not defined and was left out
    logits: Tensor  # of all rows but the path points: (T, n + v)


def step_gradients(
    layers: Layers,
    gradients: Layers,
    rows: Rows,
    method: PriorMethod,
    penalty: Penalty,
    strength: float,
    buffers: Buffers,
    measure: bool = True,
) -> StepValues:
    """Write the gradients of BCE + λ·Ω into `gradients` and return what was measured."""
    n = rows.labels.shape[1]
    points = 0 if rows.delta is None else rows.delta.shape[1] * rows.delta.shape[2]
    active = n + points
    hidden, logits = layers.forward(rows.x, buffers)
    z = logits[:, :n]
    dz = (z.sigmoid() - rows.labels) / n  # (T, n)
    u = _backward(layers, hidden, active, buffers)
    at = slice(n, active) if points else slice(0, n)  # rows the attribution is taken at
    penalised = method.card.regularised and strength > 0
    profile = rows.x.new_full((len(z), rows.features), float("nan"))
    value = _not_measured(profile)
    t: list[Tensor] = []
    if penalised or measure:
        g = _product("g", u[0][:, at], layers.weights[0], buffers)  # (T, n or n*k, D)
        attribution = _attribution(method, rows, z, g)  # (T, n, D)
        profile = attribution[..., : rows.features].abs().mean(dim=1)  # (T, n, D) -> (T, d)
        value = penalty.at_profile(profile)
    if penalised:
        v, extra = _penalty_slopes(method, rows, z, g, attribution, value, strength)
        t = _forward_slopes(layers, hidden, at, v, buffers)
        if extra is not None:
            dz = dz + extra
    _write_gradients(gradients, hidden, u, t, dz, at)
    return StepValues(
        loss=binary_cross_entropy_with_logits(z, rows.labels, reduction="none").mean(dim=1),
        penalty=value.value,
        gini=_gini(penalty, value, profile),
        profile=profile,
        undefined=value.undefined,
        logits=torch.cat([z, logits[:, active:]], dim=1),
    )


def _not_measured(profile: Tensor) -> PenaltyValue:
    """NaN for a profile (T, d) that was not taken."""
    nan = profile[:, 0]
    return PenaltyValue(nan, profile, torch.zeros_like(nan, dtype=torch.bool))


def _gini(penalty: Penalty, value: PenaltyValue, profile: Tensor) -> Tensor:
    """Gini of the profile, (T,), which the Gini penalty has computed already."""
    if penalty.name == "gini":
        return (-value.value).masked_fill(value.undefined, float("nan"))
    return gini(profile)


def _product(name: str, left: Tensor, right: Tensor, buffers: Buffers) -> Tensor:
    """Batched product into working memory: (T, m, a) @ (T, a, b) -> (T, m, b)."""
    shape = (*left.shape[:2], right.shape[2])
    return torch.bmm(left, right, out=buffers.take(name, shape, left))


def _gate(values: Tensor, activations: Tensor) -> Tensor:
    """m ⊙ values in place, m the gates of ReLU activations."""
    return _threshold_backward(values, activations, 0, grad_input=values)


def _backward(layers: Layers, hidden: list[Tensor], active: int, buffers: Buffers) -> list[Tensor]:
    """u_1 .. u_last and the output's u = 1, of the first `active` rows, (T, active, width)."""
    gates = [h[:, :active] for h in hidden[1:]]
    last = buffers.take("u", tuple(gates[-1].shape), gates[-1])
    last.copy_(layers.weights[-1])  # (T, 1, width) -> (T, active, width)
    u = [torch.ones_like(last[..., :1]), _gate(last, gates[-1])]
    for layer in range(len(gates) - 1, 0, -1):
        product = _product(f"u{layer}", u[-1], layers.weights[layer], buffers)
        u.append(_gate(product, gates[layer - 1]))
    return u[::-1]


def _attribution(method: PriorMethod, rows: Rows, z: Tensor, g: Tensor) -> Tensor:
    """Attributions A of every training row, (T, n, D), from the input gradients g."""
    if rows.delta is not None:
        return (rows.delta * g.view_as(rows.delta)).sum(dim=2)  # (T, n, k, D) -> (T, n, D)
    if method.name == "gradient":
        return g
    if method.name == "rrr":
        return (1 - 2 * z.sigmoid())[..., None] * g
    return rows.x[:, : z.shape[1]] * g


def _penalty_slopes(
    method: PriorMethod,
    rows: Rows,
    z: Tensor,
    g: Tensor,
    attribution: Tensor,
    value: PenaltyValue,
    strength: float,
) -> tuple[Tensor, Tensor | None]:
    """v = λ·dΩ/dg, shaped like g, and what the penalty adds to dz, (T, n), if anything."""
    n = z.shape[1]
    at_feature = pad(value.slope, (0, g.shape[2] - rows.features)) * (strength / n)  # (T, D)
    slope = attribution.sign() * at_feature[:, None, :]  # λ·dΩ/dA, (T, n, D)
    if rows.delta is not None:
        return (rows.delta * slope[:, :, None, :]).view_as(g), None  # (T, n, k, D) -> (T, s, D)
    if method.name == "gradient":
        return slope, None
    if method.name == "rrr":  # A = (1 − 2σ(z)) g depends on z besides g
        p = z.sigmoid()
        return (1 - 2 * p)[..., None] * slope, -2 * p * (1 - p) * (slope * g).sum(dim=2)
    return rows.x[:, :n] * slope, None


def _forward_slopes(
    layers: Layers, hidden: list[Tensor], at: slice, v: Tensor, buffers: Buffers
) -> list[Tensor]:
    """t_0 = v, t_1 .. t_last at the attributed rows."""
    t = [v]
    for layer, weight in enumerate(layers.weights[:-1]):
        product = _product(f"t{layer + 1}", t[-1], weight.mT, buffers)
        t.append(_gate(product, hidden[layer + 1][:, at]))
    return t


def _write_gradients(
    gradients: Layers, hidden: list[Tensor], u: list[Tensor], t: list[Tensor], dz: Tensor, at: slice
) -> None:
    """dW_l = Σ u_lᵀ (dz·h_{l-1} + t_{l-1}) and db_l = Σ dz·u_l, layer by layer."""
    n = dz.shape[1]
    dz = dz[..., None]  # (T, n, 1)
    for layer, gradient in enumerate(gradients.weights):
        left = u[layer].mT  # (T, out, n + s)
        inputs = hidden[layer][:, :n]  # (T, n, in)
        shared = bool(t) and at.start == 0
        right = t[layer].addcmul_(dz, inputs) if shared else dz * inputs
        torch.bmm(left[..., :n], right, out=gradient)
        if t and at.start > 0:  # path points are rows of their own
            gradient.baddbmm_(left[..., at], t[layer])
    for layer, gradient in enumerate(gradients.biases):
        torch.bmm(dz.mT, u[layer][:, :n], out=gradient[:, None, :])  # (T, 1, out)
