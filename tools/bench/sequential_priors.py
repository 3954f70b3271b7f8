"""The sequential loop that `bench priors` measures against, in the style of the published code.

One model at a time, attributions by autograd with a graph, the Gini over all pairs of features,
double backward, and a deep copy of every new best model.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from xdnn_core.models.mlp import MLPConfig
from xdnn_core.priors.methods import PriorMethod
from xdnn_core.priors.splits import SplitStack

STRENGTH = 1.0

Score = Callable[[Tensor, Tensor], float]


def train_sequentially(
    splits: SplitStack, replicate: int, method: PriorMethod, epochs: int, score: Score
) -> nn.Module:
    """Train one model in the published style and return the best."""
    n = splits.train
    rows = splits.x[replicate, :, : splits.features]
    x, x_valid = rows[:n].clone(), rows[n:].clone()
    y, y_valid = splits.y[replicate, :n, None], splits.y[replicate, n:]
    widths = MLPConfig(splits.features).widths
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out, bias=method.card.biases), nn.ReLU()]
    model = nn.Sequential(*layers[:-1]).to(x.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    criterion = nn.BCEWithLogitsLoss()
    copies = TensorDataset(torch.cat([x] * max(1, method.samples)))
    loader = DataLoader(copies, batch_size=len(copies), shuffle=True)
    best, best_score = model, -math.inf
    for _ in range(epochs):
        model.train()
        loss = criterion(model(x), y)
        if method.card.regularised:
            loss = loss + STRENGTH * _pairwise_penalty(_attributions(model, x, method, loader))
        model.eval()
        reached = score(model(x_valid).detach()[:, 0], y_valid)
        if reached > best_score:
            best, best_score = copy.deepcopy(model), reached
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return best


def _attributions(
    model: nn.Module, x: Tensor, method: PriorMethod, loader: DataLoader[tuple[Tensor, ...]]
) -> Tensor:
    """Attributions (n, d) by autograd, with the graph for the second backward."""
    if method.name == "expected_gradients":
        n, k = len(x), method.samples
        (drawn,) = next(iter(loader))
        references = drawn.view(n, k, -1).to(x.device)
        t = torch.rand(n, k, 1, device=x.device)
        points = t * x[:, None] + (1 - t) * references
        slopes = [_input_gradient(model, points[:, i]) for i in range(k)]
        return ((x[:, None] - references) * torch.stack(slopes, dim=1)).mean(dim=1)
    slope = _input_gradient(model, x, log_probabilities=method.name == "rrr")
    return slope * x if method.name == "x_gradient" else slope


def _input_gradient(model: nn.Module, x: Tensor, log_probabilities: bool = False) -> Tensor:
    x = x.clone().requires_grad_()
    outputs = model(x)
    if log_probabilities:
        outputs = 2 * nn.functional.logsigmoid(outputs) - outputs
    (slope,) = torch.autograd.grad(outputs, x, torch.ones_like(outputs), create_graph=True)
    return slope


def _pairwise_penalty(attributions: Tensor) -> Tensor:
    """Negative Gini over all pairs of features."""
    profile = attributions.abs().mean(dim=0)
    differences = (profile[:, None] - profile[None, :]).abs().mean()
    return -0.5 * differences / profile.mean()
