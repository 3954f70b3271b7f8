"""What is minimised: cross-entropy on mixed images, and the distance from a teacher's logits."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from xdnn_core.training.recipes import TrainConfig


def mix(inputs: Tensor, labels: Tensor, classes: int, mixup: float) -> tuple[Tensor, Tensor]:
    """Blend every image (B, 3, H, W) and its label with another of the batch; labels (B, K).

    Source: Zhang et al. 2018, mixup: Beyond Empirical Risk Minimization, Section 2.
    """
    wanted = nn.functional.one_hot(labels, classes).float()  # (B,) -> (B, K)
    if mixup == 0:
        return inputs, wanted
    share = float(torch.distributions.Beta(mixup, mixup).sample())
    other = torch.randperm(len(inputs))
    return (
        share * inputs + (1 - share) * inputs[other],
        share * wanted + (1 - share) * wanted[other],
    )


def loss(logits: Tensor, labels: Tensor, taught: Tensor | None, config: TrainConfig) -> Tensor:
    """Cross-entropy to the labels (B, K), mixed with the divergence from the teacher's logits.

    Source: Hinton et al. 2015, Distilling the Knowledge in a Neural Network, Section 2.
    """
    from_labels = nn.functional.cross_entropy(
        logits, labels, label_smoothing=config.label_smoothing
    )
    if taught is None:
        return from_labels
    t = config.temperature
    from_teacher = nn.functional.kl_div(
        (logits / t).log_softmax(dim=1),
        (taught / t).log_softmax(dim=1),
        reduction="batchmean",
        log_target=True,
    )
    # t² keeps the gradient's size when the temperature changes.
    return (1 - config.distillation) * from_labels + config.distillation * t * t * from_teacher
