"""Top-1, top-5 and mean per-class accuracy of a network over an image set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from xdnn_core.data.images import ImageSet
from xdnn_core.data.preprocessing import Preprocessing
from xdnn_core.errors import UserError
from xdnn_core.metrics.classification import mean_per_class


@dataclass(frozen=True)
class Accuracy:
    """Shares of images, 0 to 1."""

    # top1, top5: share of images whose label is the first, or among the first five, predictions
    top1: float
    top5: float
    # top-1 of every class that has images, averaged over the classes; what Caltech-101 is usually
    # reported with, since its classes are of very different size
    mean_per_class: float
    images: int  # how many were read and counted
    unreadable: tuple[str, ...]  # names of the images that could not be decoded


def measure_accuracy(
    network: nn.Module,
    images: ImageSet,
    preprocess: Preprocessing,
    device: torch.device,
    batch: int = 64,
    progress: bool = True,
) -> Accuracy:
    """Count how often the label is the first or among the first five predictions.

    `network`: maps (B, 3, H, W) to logits (B, classes).
    """
    network.eval()
    five = 0
    firsts: list[bool] = []
    seen: list[int] = []
    unreadable: list[str] = []
    starts = tqdm(range(0, len(images), batch), disable=not progress, unit="batch")
    for start in starts:
        tensors: list[Tensor] = []
        labels: list[int] = []
        for index in range(start, min(start + batch, len(images))):
            try:
                tensors.append(preprocess(images.read(index)))
            except OSError:
                unreadable.append(images.names[index])
                continue
            labels.append(images.labels[index])
        if not tensors:
            continue
        with torch.no_grad():
            logits = network(torch.stack(tensors).to(device))  # (B, classes)
        ranked = logits.topk(min(5, logits.shape[1]), dim=1).indices.cpu()  # (B, 5)
        hits = ranked == torch.tensor(labels)[:, None]  # (B, 5)
        firsts += hits[:, 0].tolist()
        five += int(hits.any(dim=1).sum())
        seen += labels
    if not seen:
        raise UserError(f"None of the {len(images)} images could be read; check the files.")
    top1, per_class = np.mean(firsts), mean_per_class(np.array(firsts), np.array(seen))
    return Accuracy(float(top1), five / len(seen), per_class, len(seen), tuple(unreadable))
