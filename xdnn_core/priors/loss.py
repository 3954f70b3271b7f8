"""Attribution priors for any network: the penalty as a loss that autograd can go through.

The stacked trainer has the same penalties in closed form; this is the general route, and what
its gradients are tested against::

    loss = criterion(network(x), y) + strength * attribution_prior_loss(network, x, "x_gradient")
    loss.backward()
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax, logsigmoid

from xdnn_core.attribution.expected import PathDraws, path_points
from xdnn_core.attribution.gate import require_homogeneous_while_trained
from xdnn_core.attribution.quadrature import quadrature
from xdnn_core.attribution.target import Classes, Target, input_gradient, read_target
from xdnn_core.device import full_float32
from xdnn_core.errors import UserError
from xdnn_core.homogeneity.checks import check_differentiable, check_inputs, detached
from xdnn_core.priors.methods import PriorMethod, parse_method
from xdnn_core.priors.penalties import find_penalty

PenaltyFunction = Callable[[Tensor], Tensor]


@full_float32()
def attribution_prior_loss(
    network: nn.Module,
    inputs: Tensor,
    method: str | PriorMethod,
    penalty: str | PenaltyFunction = "gini",
    *,
    target: Target = None,
    references: Tensor | None = None,
    draws: PathDraws | None = None,
) -> Tensor:
    """Return Ω(attributions) of a batch, to be added to a training loss.

    A caller's autocast, TF32 and inference mode are switched off inside.

    Parameters
    ----------
    network
        Maps (B, ...) to logits (B, classes), (B, 1) or (B,). Its own training or evaluation
        mode is used. Dropout in training mode is allowed: the attributions are those of the network
        that the dropped elements leave.
    inputs
        x, (B, ...).
    method
        A name such as ``"x_gradient"`` or ``"expected_gradients:8"``, see `METHODS`.
    penalty
        ``"gini"``, ``"l1"``, or any function from attributions (B, ...) to a scalar.
    target, references, draws
        As in `training_attributions`.

    Returns
    -------
    Tensor
        A scalar that can be differentiated by the network's parameters. Methods without a prior
        give 0.

    Raises
    ------
    UserError
        If the method or penalty is unknown, does not fit, or the inputs are not finite.
    NotHomogeneousError
        X-Gradient on a network that breaks F(αx) = αF(x), or will once trained: a bias that is 0
        but requires a gradient counts, a frozen one does not. Checked once a network and shape, by
        layers and numbers, on a copy whose parameters were moved.

    References
    ----------
    Erion et al. 2021, Equation 1.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> network = nn.Linear(2, 1, bias=False)
    >>> network.weight.data = torch.tensor([[2.0, -1.0]])
    >>> x = torch.tensor([[1.0, 3.0]])
    >>> loss = attribution_prior_loss(network, x, "x_gradient", "l1")
    >>> loss.requires_grad
    True
    """
    method = parse_method(method)
    if not method.card.regularised:
        return inputs.new_zeros(())
    omega = find_penalty(penalty) if isinstance(penalty, str) else penalty
    value = omega(
        training_attributions(
            network, inputs, method, target=target, references=references, draws=draws
        )
    )
    if value.numel() != 1:
        raise UserError(
            f"The penalty returned a tensor of shape {tuple(value.shape)}; it must return one "
            "number."
        )
    return value.reshape(())


@full_float32()
def training_attributions(
    network: nn.Module,
    inputs: Tensor,
    method: str | PriorMethod,
    *,
    target: Target = None,
    references: Tensor | None = None,
    draws: PathDraws | None = None,
) -> Tensor:
    """Return attributions of a batch with the graph to differentiate them again.

    A caller's autocast, TF32 and inference mode are switched off inside.

    Parameters
    ----------
    network, inputs, method
        As in `attribution_prior_loss`.
    target
        Class index; one per input (B,), as tensor, array or list; or None for a network with one
        output. RRR sums the log-probabilities of all classes and takes none.
    references
        Expected Gradients: rows to draw from, (M, ...); None for the inputs themselves.
    draws
        Expected Gradients: the random choices, of one replicate (1, B, k); None draws new ones
        from torch's generator, references as a permutation of copies of `references`.

    Returns
    -------
    Tensor
        (B, ...), the shape of the inputs.

    Raises
    ------
    UserError, NotHomogeneousError
        As in `attribution_prior_loss`.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> network = nn.Linear(2, 1, bias=False)
    >>> network.weight.data = torch.tensor([[2.0, -1.0]])
    >>> x = torch.tensor([[1.0, 3.0]])
    >>> training_attributions(network, x, "x_gradient").tolist()
    [[2.0, -3.0]]
    """
    check_inputs(inputs)
    check_differentiable(network)
    inputs, target = detached(inputs), read_target(target, len(inputs))
    method = parse_method(method)
    if method.name == "expected_gradients":
        return _expected_gradients(network, inputs, method.samples, target, references, draws)
    if method.name == "integrated_gradients":
        return _integrated_gradients(network, inputs, method.samples, target)
    if method.name == "rrr":
        return input_gradient(
            lambda rows: _summed_log_probabilities(network(rows)), inputs, None, create_graph=True
        )[1]
    if method.name == "x_gradient":
        require_homogeneous_while_trained(network, inputs)
    _, gradients = input_gradient(network, inputs, target, create_graph=True)
    return gradients if method.name == "gradient" else inputs * gradients


def _summed_log_probabilities(outputs: Tensor) -> Tensor:
    """Σ over classes of log p, (B,); one output is a logit of two classes."""
    if outputs.ndim == 1 or outputs.shape[1] == 1:
        return (logsigmoid(outputs) + logsigmoid(-outputs)).reshape(len(outputs))
    return log_softmax(outputs, dim=1).sum(dim=1)


def _expected_gradients(
    network: nn.Module,
    inputs: Tensor,
    samples: int,
    target: Classes,
    references: Tensor | None,
    draws: PathDraws | None,
) -> Tensor:
    """Mean over k draws of (x − r) ⊙ F'(r + t(x − r)); samples folded into rows."""
    pool = inputs if references is None else detached(references).to(inputs)
    if pool.shape[1:] != inputs.shape[1:] or len(pool) == 0:
        raise UserError(
            f"references have shape {tuple(pool.shape)}; needed are rows shaped like the inputs, "
            f"{tuple(inputs.shape[1:])}."
        )
    if draws is None:
        draws = _draw(len(inputs), samples, len(pool), inputs.device)
    drawn = pool[draws.references[0]]  # (B, k, ...)
    t = draws.positions[0].to(inputs)
    t = t.view(*t.shape, *[1] * (inputs.ndim - 1))  # (B, k) -> (B, k, 1, ...)
    points, delta = path_points(inputs[:, None], drawn, t)
    gradients = _gradients_at(network, points, target)
    return (delta * gradients).mean(dim=1)  # (B, k, ...) -> (B, ...)


def _draw(rows: int, samples: int, references: int, device: torch.device) -> PathDraws:
    """Draw from torch's generator: permuted copies of the references, t uniform."""
    count = rows * samples
    copies = -(-count // references)
    index = torch.randperm(copies * references, device=device)[:count] % references
    positions = torch.rand(1, rows, samples, dtype=torch.float64, device=device)
    return PathDraws(index.view(1, rows, samples), positions)


def _integrated_gradients(
    network: nn.Module, inputs: Tensor, steps: int, target: Classes
) -> Tensor:
    """Σ_s w_s · x ⊙ F'(t_s x), Gauss–Legendre, baseline 0."""
    nodes, weights = (part.to(inputs) for part in quadrature("gauss_legendre", steps))
    shape = (1, steps, *[1] * (inputs.ndim - 1))
    points, _ = path_points(inputs[:, None], inputs.new_zeros(1), nodes.view(shape))  # (B, n, ...)
    gradients = _gradients_at(network, points, target)
    return inputs * (gradients * weights.view(shape)).sum(dim=1)


def _gradients_at(network: nn.Module, points: Tensor, target: Classes) -> Tensor:
    """Gradient of the target output at path points, (B, k, ...)."""
    if isinstance(target, Tensor) and target.ndim == 1:
        target = target.repeat_interleave(points.shape[1])  # (B,) -> (B*k,)
    rows = points.flatten(0, 1)  # (B, k, ...) -> (B*k, ...)
    return input_gradient(network, rows, target, create_graph=True)[1].view_as(points)
