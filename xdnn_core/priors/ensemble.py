"""Train R perceptrons with an attribution prior as one stack.

Every replicate has its own split, initial weights and random draws, all from its own seed, so a
stack trains what R separate runs would. An epoch is one full-batch step, as in the paper:
measure, keep the parameters if their validation ROC-AUC is the best so far, then move them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from xdnn_core.attribution.expected import path_points
from xdnn_core.attribution.quadrature import quadrature
from xdnn_core.device import memory_budget
from xdnn_core.metrics.ranking import roc_auc
from xdnn_core.models.mlp import PAPER_HIDDEN, MLPConfig
from xdnn_core.priors.closed_form import Rows, StepValues, step_gradients
from xdnn_core.priors.methods import PriorMethod
from xdnn_core.priors.penalties import find_penalty
from xdnn_core.priors.sampling import draw_path, replicate_seeds
from xdnn_core.priors.splits import SplitStack
from xdnn_core.priors.stack import Buffers, FlatAdam, ParameterStack

# Rows that one tile of replicates runs at once on the CPU: 20 replicates of the paper's
# experiment. Larger tiles are no faster, and commands wait for the tile at work.
CPU_TILE_ROWS = 4000
BUFFERS = 4  # activations, u, t and a product held at once

ShouldStop = Callable[[], bool]


def _never() -> bool:
    return False


@dataclass(frozen=True)
class EnsembleConfig:
    """Settings of one training."""

    method: PriorMethod  # attribution method of the prior
    penalty: str = "gini"  # ``"gini"`` or ``"l1"``
    hidden: tuple[int, ...] = PAPER_HIDDEN  # widths of the hidden layers
    learning_rate: float = 1e-3  # of Adam
    independent_references: bool = False
    measure: bool = True  # take attributions also where nothing is penalised, for the curves


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch measured, before its step; tensors on the ensemble's device."""

    epoch: int  # steps taken before this measurement, from 0
    loss: Tensor  # (R,) each
    penalty: Tensor  # (R,) each
    gini: Tensor  # (R,) each
    validation_auc: Tensor  # (R,) each
    profile: Tensor  # mean absolute attribution of every feature, (R, d)
    undefined: Tensor  # (R,), True where the profile was zero and the penalty was left out


class PriorEnsemble:
    """R perceptrons trained side by side."""

    def __init__(self, splits: SplitStack, config: EnsembleConfig, seed: int = 0) -> None:
        self.splits = splits
        self.config = config
        self.epoch = 0
        self._penalty = find_penalty(config.penalty)
        self._buffers = Buffers()
        like, count = splits.x, splits.replicates
        shape = MLPConfig(splits.features, config.hidden, config.method.card.biases)
        self.parameters = ParameterStack(shape, count, like.device, like.dtype)
        self.parameters.initialise(replicate_seeds(seed, count, "weights"))
        self._gradients = ParameterStack(shape, count, like.device, like.dtype)
        self._best = ParameterStack(shape, count, like.device, like.dtype)
        self._best.flat.copy_(self.parameters.flat)
        self._optimiser = FlatAdam(self.parameters.flat, self._gradients.flat, config.learning_rate)
        self._draw_seeds = torch.tensor(
            replicate_seeds(seed, count, "references"), device=like.device
        )
        self.best_auc = torch.full((count,), -torch.inf, dtype=torch.float64, device=like.device)
        self.best_epoch = torch.full((count,), -1, device=like.device)
        self.best_gini = torch.full((count,), torch.nan, dtype=like.dtype, device=like.device)
        self.zero_attributions = torch.zeros(count, dtype=torch.int64, device=like.device)
        self._tile = self._replicates_at_once()

    @torch.no_grad()
    def step(self, strength: float, should_stop: ShouldStop = _never) -> EpochRecord | None:
        """Train one epoch at λ ≥ 0; None if `should_stop`, asked between tiles, says yes.

        Then nothing has changed, and the next call repeats the epoch.
        """
        parts: list[StepValues] = []
        for first in range(0, self.splits.replicates, self._tile):
            if should_stop():
                return None
            part = slice(first, first + self._tile)
            parts.append(
                step_gradients(
                    self.parameters.part(part), self._gradients.part(part),
                    self._rows(part, self.epoch), self.config.method, self._penalty, strength,
                    self._buffers, self.config.measure,
                )
            )  # fmt: skip
        values = StepValues(*map(torch.cat, zip(*parts, strict=True)))  # (T, ...) -> (R, ...)
        record = EpochRecord(
            self.epoch,
            values.loss,
            values.penalty.masked_fill(values.undefined, torch.nan),
            values.gini,
            roc_auc(values.logits[:, self.splits.train :], self.splits.validation_labels),
            values.profile,
            values.undefined,
        )
        self._keep_best(record)
        self._optimiser.step()
        self.zero_attributions += record.undefined
        self.epoch += 1
        return record

    @torch.no_grad()
    def test_auc(
        self, replicates: list[int] | None = None, should_stop: ShouldStop = _never
    ) -> Tensor | None:
        """Test ROC-AUC of the parameters kept as best."""
        replicates = list(range(self.splits.replicates)) if replicates is None else replicates
        logits = []
        for replicate in replicates:
            if should_stop():
                return None
            layers = self._best.part(slice(replicate, replicate + 1))
            rows = self.splits.test_rows(replicate)[None]  # (1, m, d)
            parts = rows.split(self._rows_at_once(), dim=1)
            logits.append(
                torch.cat([layers.forward(p, self._buffers)[1].clone() for p in parts], dim=1)
            )
        areas = roc_auc(torch.cat(logits), self.splits.test_labels[replicates])
        return areas.masked_fill(self.best_epoch[replicates] < 0, float("nan"))

    def _rows(self, part: slice, step: int) -> Rows:
        """Training rows, path points and validation rows of some replicates."""
        n = self.splits.train
        x, labels = self.splits.x[part], self.splits.y[part, :n]
        method = self.config.method
        if not method.sampled:
            return Rows(x, labels, self.splits.features)
        points, delta = self._path(part, step)
        flat = points.flatten(1, 2)  # (T, n, k, D) -> (T, n*k, D)
        rows = torch.cat([x[:, :n], flat, x[:, n:]], dim=1)
        return Rows(rows, labels, self.splits.features, delta)

    def _path(self, part: slice, step: int) -> tuple[Tensor, Tensor]:
        """Points on the paths and what their gradients are multiplied by, (T, n, k, D) each."""
        n, samples = self.splits.train, self.config.method.samples
        train = self.splits.x[part, :n]
        if self.config.method.name == "integrated_gradients":
            nodes, weights = (part.to(train) for part in quadrature("gauss_legendre", samples))
            # The baseline is 0, the mean of the standardised rows.
            points, delta = path_points(train[:, :, None, :], train.new_zeros(1), nodes[:, None])
            return points, delta * weights[:, None]
        draws = draw_path(
            self._draw_seeds[part], step, n, samples, self.config.independent_references
        )
        index = draws.references.flatten(1)[..., None].expand(-1, -1, train.shape[2])
        references = train.gather(1, index).view(-1, n, samples, train.shape[2])
        points, delta = path_points(
            train[:, :, None, :], references, draws.positions[..., None].to(train)
        )
        return points, delta / samples

    def _keep_best(self, record: EpochRecord) -> None:
        """Copy the parameters of every replicate whose validation ROC-AUC has just risen."""
        risen = record.validation_auc > self.best_auc  # False for NaN
        index = risen.nonzero()[:, 0]
        if not len(index):
            return
        self._best.copy_replicates(self.parameters, index)
        self.best_auc = torch.where(risen, record.validation_auc, self.best_auc)
        self.best_gini = torch.where(risen, record.gini, self.best_gini)
        self.best_epoch = self.best_epoch.masked_fill(risen, record.epoch)

    def _rows_at_once(self) -> int:
        """How many rows' activations fit the device's memory."""
        device = self.splits.x.device
        width = sum(self.parameters.config.widths)
        if device.type == "cpu":
            return CPU_TILE_ROWS
        size = width * self.splits.x.element_size() * BUFFERS
        return max(1, memory_budget(device) // size)

    def _replicates_at_once(self) -> int:
        """How many replicates make a tile."""
        n = self.splits.train
        rows = self.splits.x.shape[1] + n * self.config.method.samples
        return min(self.splits.replicates, max(1, self._rows_at_once() // rows))
