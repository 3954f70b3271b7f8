"""Train the embedded pair: an AlexNet and the same network without biases.

    python -m xdnn_core train caltech101 --data DIR --features FILE

Both start from ImageNet-trained convolutions and are fine-tuned as a whole: SGD, one cycle,
small crops first, full size at the end. Every random choice is drawn from (seed, epoch, image),
so a run that was killed and resumed sees the same crops as one that was not, and so do one and
several processes under torchrun.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from xdnn_core.data.images import ImageSet
from xdnn_core.data.preprocessing import Preprocessing
from xdnn_core.device import resolve_device
from xdnn_core.models.alexnet import AlexNet, AlexNetConfig


@dataclass(frozen=True)
class TrainConfig:
    """The recipe.

    Attributes
    ----------
    epochs, final_epochs
        Epochs at `small_size`, then epochs at `full_size`.
    small_size, full_size
        Side of the training input, pixels.
    crop
        Smallest side of a random crop as a share of the image's short side.
    stretch
        Largest change of a crop's aspect ratio (1.2: 5:6 to 6:5).
    batch
        Images a step, over all processes.
    features_rate, head_rate
        Peak learning rate of the convolutions and of the fully connected layers.
    bias_decay_epochs
        X network only: the pretrained convolutions' biases fade to zero over this many epochs
        instead of vanishing at once.
    """

    biases: bool
    head: int = 512
    epochs: int = 14
    final_epochs: int = 4
    small_size: int = 192
    full_size: int = 224
    crop: float = 0.65
    stretch: float = 1.15
    batch: int = 64
    features_rate: float = 0.004
    head_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.1
    dropout: float = 0.5
    bias_decay_epochs: int = 0
    seed: int = 0
    bf16: bool = True
    workers: int = 1

    @property
    def total_epochs(self) -> int:
        """Epochs at both sizes."""
        return self.epochs + self.final_epochs

    def size_at(self, epoch: int) -> int:
        """Side of the training input in this epoch, pixels."""
        return self.small_size if epoch < self.epochs else self.full_size


class CropDataset(Dataset[tuple[Tensor, int]]):
    """Random crops and flips of decoded images, drawn from (seed, epoch, image).

    Parameters
    ----------
    images
        The training set; decoded once and kept, since decoding costs more than a crop.
    config
        Crop range and seed.
    """

    def __init__(self, images: ImageSet, config: TrainConfig) -> None:
        self.config = config
        self.epoch = 0
        self.pixels: list[Tensor] = []
        self.labels: list[int] = []
        self.unreadable: list[str] = []
        for index in tqdm(range(len(images)), desc="decode", unit="image"):
            try:
                array = np.asarray(images.read(index))  # (H, W, 3)
            except OSError:
                self.unreadable.append(images.names[index])
                continue
            self.pixels.append(torch.from_numpy(array.transpose(2, 0, 1).copy()))  # (3, H, W)
            self.labels.append(images.labels[index])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        rng = np.random.default_rng((self.config.seed, self.epoch, index))
        pixels = self.pixels[index]
        height, width = pixels.shape[1:]
        side = min(height, width) * rng.uniform(self.config.crop, 1)
        stretch = self.config.stretch ** rng.uniform(-1, 1)
        h = min(height, round(side * math.sqrt(stretch)))
        w = min(width, round(side / math.sqrt(stretch)))
        top, left = rng.integers(height - h + 1), rng.integers(width - w + 1)
        crop = pixels[:, top : top + h, left : left + w]
        if rng.random() < 0.5:
            crop = crop.flip(2)
        size = self.config.size_at(self.epoch)
        resized = nn.functional.interpolate(
            crop[None], (size, size), mode="bilinear", antialias=True
        )  # (1, 3, size, size), uint8
        return resized[0], self.labels[index]


def build_network(
    config: TrainConfig, classes: int, features: dict[str, Tensor]
) -> AlexNet:
    """Make the network to train: pretrained convolutions, fresh seeded head.

    Parameters
    ----------
    config
        Recipe; `biases` decides which of the pair.
    classes
        Number of logits.
    features
        ``features.N.weight`` and ``features.N.bias`` of the pretrained convolutions.
    """
    torch.manual_seed(config.seed)
    shape = AlexNetConfig(classes, config.head, config.biases, config.dropout)
    network = AlexNet(shape)
    wanted = network.features.state_dict(prefix="features.")
    network.load_state_dict({k: features[k] for k in wanted}, strict=False)
    return network


def _schedule(config: TrainConfig, step: int, steps: int) -> float:
    """One cycle: linear warm-up over the first tenth, then a cosine to zero."""
    warm = max(1, steps // 10)
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


@dataclass(frozen=True)
class _Rank:
    """This process's place among the processes of a torchrun."""

    rank: int
    world: int
    device: torch.device

    @property
    def leads(self) -> bool:
        return self.rank == 0


def _join_processes(device: str | None) -> _Rank:
    """Join the group torchrun made, or stand alone."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    chosen = resolve_device(device)
    if world == 1:
        return _Rank(0, 1, chosen)
    if chosen.type == "cuda":
        chosen = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(chosen)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    return _Rank(dist.get_rank(), world, chosen)


def train_network(
    images: CropDataset,
    classes: int,
    features: dict[str, Tensor],
    config: TrainConfig,
    work: Path,
    name: str,
    device: str | None = None,
) -> AlexNet:
    """Train one network of the pair, resuming from the last finished epoch.

    Parameters
    ----------
    images
        Training crops.
    classes
        Number of logits.
    features
        Pretrained convolutions, see `build_network`.
    config
        The recipe.
    work
        Folder for the checkpoint of every epoch.
    name
        Name of the checkpoint and of the progress bar.
    device
        Where to train; None for the best at hand.

    Returns
    -------
    AlexNet
        The network after the last epoch, float32, on the CPU.

    Raises
    ------
    ValueError
        If the checkpoint in `work` was made with another recipe.
    """
    place = _join_processes(device)
    network = build_network(config, classes, features).to(place.device)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.SGD(
        [
            {"params": network.features.parameters(), "peak": config.features_rate},
            {"params": network.classifier.parameters(), "peak": config.head_rate},
        ],
        lr=config.head_rate,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        nesterov=True,
    )
    fading = _FadingBiases(config, features, place.device)
    checkpoint = work / f"{name}.pt"
    first_epoch = _resume(checkpoint, network, optimizer, config)
    model: nn.Module = network if place.world == 1 else DistributedDataParallel(network)
    steps = math.ceil(len(images) / config.batch)
    total = steps * config.total_epochs
    with tqdm(
        total=total, initial=first_epoch * steps, desc=name, unit="step", disable=not place.leads
    ) as bar:
        for epoch in range(first_epoch, config.total_epochs):
            mean_loss = _train_epoch(
                model, optimizer, images, config, place, epoch, total, bar, fading
            )
            bar.set_postfix(epoch=epoch + 1, loss=f"{mean_loss:.3f}")
            if place.leads:
                _save_checkpoint(checkpoint, network, optimizer, config, epoch + 1)
    return network.float().to("cpu", memory_format=torch.contiguous_format).eval()


class _FadingBiases:
    """Pretrained biases of the convolutions, scaled from 1 to 0, for the X network's start.

    Taking all biases away at once changes every feature the pretrained convolutions compute.
    Fading them lets the weights follow. They are never parameters: after the last faded epoch
    nothing of them is left.
    """

    def __init__(
        self, config: TrainConfig, features: dict[str, Tensor], device: torch.device
    ) -> None:
        self.config = config
        self.biases = {
            key.removesuffix(".bias").removeprefix("features."): value.to(device)
            for key, value in features.items()
            if key.endswith(".bias")
        }

    def attach(self, network: AlexNet, progress: float) -> list[torch.utils.hooks.RemovableHandle]:
        """Hook the faded biases onto the convolutions; `progress` is in epochs."""
        span = self.config.bias_decay_epochs
        if self.config.biases or progress >= span:
            return []
        scale = 1 - progress / span
        handles = []
        for index, bias in self.biases.items():
            shift = (scale * bias).view(1, -1, 1, 1)
            handles.append(
                network.features[int(index)].register_forward_hook(
                    lambda _m, _i, out, shift=shift: out + shift.to(out.dtype)
                )
            )
        return handles


def _batches(
    images: CropDataset, config: TrainConfig, place: _Rank, epoch: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """This process's share of every batch of the epoch, in the epoch's seeded order."""
    images.epoch = epoch
    order = np.random.default_rng((config.seed, epoch)).permutation(len(images)).tolist()
    groups = [order[i : i + config.batch] for i in range(0, len(order), config.batch)]
    shares = [group[place.rank :: place.world] for group in groups]
    # A last group smaller than the number of processes would leave one without images.
    shares = [share or group[:1] for share, group in zip(shares, groups, strict=True)]
    yield from DataLoader(images, batch_sampler=shares, num_workers=config.workers)


def _train_epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: CropDataset,
    config: TrainConfig,
    place: _Rank,
    epoch: int,
    total_steps: int,
    bar: tqdm,
    fading: _FadingBiases,
) -> float:
    """One pass over the training set; returns the mean loss."""
    model.train()
    torch.manual_seed(config.seed * 1000 + epoch * place.world + place.rank)  # dropout
    normalise = Preprocessing().normalise
    steps = total_steps // config.total_epochs
    losses: list[float] = []
    network = model.module if isinstance(model, DistributedDataParallel) else model
    for step, (pixels, labels) in enumerate(_batches(images, config, place, epoch)):
        rate = _schedule(config, epoch * steps + step, total_steps)
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * rate
        inputs = normalise(pixels.to(place.device).float() / 255)
        inputs = inputs.to(memory_format=torch.channels_last)
        handles = fading.attach(network, epoch + step / steps)
        with torch.autocast(place.device.type, torch.bfloat16, enabled=config.bf16):
            logits = model(inputs)
        for handle in handles:
            handle.remove()
        loss = nn.functional.cross_entropy(
            logits.float(), labels.to(place.device), label_smoothing=config.label_smoothing
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
        bar.update()
    return float(np.mean(losses))


def _resume(
    checkpoint: Path, network: AlexNet, optimizer: torch.optim.Optimizer, config: TrainConfig
) -> int:
    """Load the last finished epoch, if any; returns the epoch to start with."""
    if not checkpoint.exists():
        return 0
    state = torch.load(checkpoint, weights_only=True, map_location="cpu")
    if json.loads(state["config"]) != asdict(config):
        raise ValueError(
            f"{checkpoint} was made with another recipe; delete it or give another --work folder."
        )
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["epoch"])


def _save_checkpoint(
    checkpoint: Path,
    network: AlexNet,
    optimizer: torch.optim.Optimizer,
    config: TrainConfig,
    epoch: int,
) -> None:
    """Write beside, then rename: a kill leaves the old checkpoint or the new one, never half."""
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    temporary = checkpoint.with_suffix(".tmp")
    torch.save(
        {
            "epoch": epoch,
            "config": json.dumps(asdict(config)),
            "network": network.state_dict(),
            "optimizer": optimizer.state_dict(),
        },
        temporary,
    )
    os.replace(temporary, checkpoint)


def load_features(source: str) -> dict[str, Tensor]:
    """Read pretrained convolutions: a safetensors file, or ``"torchvision"``.

    Raises
    ------
    ValueError
        If the file lacks one of the five convolutions.
    """
    if source == "torchvision":
        from xdnn_core.vision import torchvision

        weights = torchvision.models.AlexNet_Weights.IMAGENET1K_V1
        state = weights.get_state_dict(progress=True, check_hash=True)
    else:
        if not Path(source).is_file():
            raise ValueError(
                f"--features {source} is not a file; give a safetensors file or 'torchvision'."
            )
        state = load_file(source)
    wanted = AlexNet(AlexNetConfig(classes=1, head=1)).features.state_dict(prefix="features.")
    missing = sorted(set(wanted) - set(state))
    if missing:
        raise ValueError(
            f"--features {source} lacks {', '.join(missing)}; needed are torchvision's names for "
            "AlexNet's five convolutions."
        )
    return {key: state[key] for key in wanted}
