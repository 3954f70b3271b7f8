"""Train one network of the pair, alone or as one of the processes of a torchrun."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader
from tqdm import tqdm

from tools.training.checkpoint import resume, save_checkpoint
from tools.training.crops import CropDataset
from tools.training.frozen import FrozenFeatures, is_frozen
from tools.training.objective import loss
from tools.training.recipes import TrainConfig
from xdnn_core.data.preprocessing import Preprocessing
from xdnn_core.experiments.workers import Worker, join_workers
from xdnn_core.models.networks import AlexNet, NetworkConfig


def build_network(config: TrainConfig, classes: int, features: dict[str, Tensor]) -> AlexNet:
    """Make the network to train: pretrained convolutions, fresh seeded head."""
    torch.manual_seed(config.crops.seed)
    shape = NetworkConfig(classes, config.head, config.biases, config.dropout)
    network = AlexNet(shape)
    pretrained = network.features.state_dict(prefix="features.")
    network.load_state_dict({k: features[k] for k in pretrained}, strict=False)
    return network


def _take_weights(network: nn.Module, teacher: nn.Module) -> None:
    """Copy what the two networks have in common: all weights, no biases."""
    weights = teacher.state_dict()
    network.load_state_dict({key: weights[key] for key in network.state_dict()})


def _schedule(config: TrainConfig, step: int, steps: int) -> float:
    """One cycle: linear warm-up over the first tenth, then a cosine to zero."""
    warm = max(1, steps // 10)
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def train_network(
    images: CropDataset,
    classes: int,
    features: dict[str, Tensor],
    config: TrainConfig,
    work: Path,
    name: str,
    device: str | None = None,
    teacher: nn.Module | None = None,
) -> AlexNet:
    """Train one network of the pair, resuming from the last finished epoch."""
    if (teacher is None) != (config.teacher is None):
        raise TypeError("train_network needs a teacher exactly where the recipe names one")
    worker = join_workers(device)
    network = build_network(config, classes, features)
    if teacher is not None:
        _take_weights(network, teacher)
        teacher = copy.deepcopy(teacher).to(worker.device).eval()
    network.features.requires_grad_(config.features_rate > 0)
    network = network.to(worker.device)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(
        [
            {"params": network.features.parameters(), "peak": config.features_rate},
            {"params": network.classifier.parameters(), "peak": config.head_rate},
        ],
        lr=config.head_rate,
        weight_decay=config.weight_decay,
    )
    checkpoint = work / f"{name}.pt"
    first_epoch = resume(checkpoint, network, optimizer, config)
    model: nn.Module = network
    data: CropDataset | FrozenFeatures = images
    prepare: Callable[[Tensor], Tensor] = _normalised
    if is_frozen(config):
        model = network.classifier
        data = FrozenFeatures(images, network, config, worker.device)
        prepare = nn.Identity()
    if worker.world_size > 1:
        model = DistributedDataParallel(model)
    steps = math.ceil(len(images) / config.batch)
    total = steps * config.crops.epochs
    with tqdm(
        total=total, initial=first_epoch * steps, desc=name, unit="step", disable=not worker.is_main
    ) as bar:
        for epoch in range(first_epoch, config.crops.epochs):
            mean_loss = _train_epoch(
                model, teacher, optimizer, data, prepare, config, worker, epoch, total, bar
            )
            bar.set_postfix(epoch=epoch + 1, loss=f"{mean_loss:.3f}")
            if worker.is_main:
                save_checkpoint(checkpoint, network, optimizer, config, epoch + 1)
    return network.float().to("cpu", memory_format=torch.contiguous_format).eval()


def _normalised(pixels: Tensor) -> Tensor:
    """Pixels (B, 3, H, W), uint8, as the network's input."""
    inputs = Preprocessing().normalise(pixels.float() / 255)
    return inputs.to(memory_format=torch.channels_last)


def _batches(
    images: CropDataset | FrozenFeatures, config: TrainConfig, worker: Worker, epoch: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """This process's share of every batch of the epoch, in the epoch's seeded order."""
    images.epoch = epoch
    order = np.random.default_rng((config.crops.seed, epoch)).permutation(len(images)).tolist()
    groups = [order[i : i + config.batch] for i in range(0, len(order), config.batch)]
    shares = [group[worker.rank :: worker.world_size] for group in groups]
    # A last group smaller than the number of processes would leave one without images.
    shares = [share or group[:1] for share, group in zip(shares, groups, strict=True)]
    yield from DataLoader(
        images, batch_sampler=shares, num_workers=0 if is_frozen(config) else config.workers
    )


def _train_epoch(
    model: nn.Module,
    teacher: nn.Module | None,
    optimizer: torch.optim.Optimizer,
    images: CropDataset | FrozenFeatures,
    prepare: Callable[[Tensor], Tensor],
    config: TrainConfig,
    worker: Worker,
    epoch: int,
    total_steps: int,
    bar: tqdm,
) -> float:
    """One pass over the training set; returns the mean loss."""
    model.train()
    torch.manual_seed(config.crops.seed * 1000 + epoch * worker.world_size + worker.rank)  # dropout
    steps = total_steps // config.crops.epochs
    losses: list[float] = []
    for step, (images_of_step, labels) in enumerate(_batches(images, config, worker, epoch)):
        rate = _schedule(config, epoch * steps + step, total_steps)
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * rate
        inputs = prepare(images_of_step.to(worker.device))
        with torch.autocast(worker.device.type, torch.bfloat16, enabled=config.bf16):
            logits = model(inputs)
            with torch.no_grad():
                teacher_logits = teacher(inputs).float() if teacher is not None else None
        objective = loss(logits.float(), labels.to(worker.device), teacher_logits, config)
        optimizer.zero_grad(set_to_none=True)
        objective.backward()
        optimizer.step()
        losses.append(float(objective.detach()))
        bar.update()
    return float(np.mean(losses))
