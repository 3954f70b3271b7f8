"""What is minimised: cross-entropy, and the distance from a teacher's logits."""

from __future__ import annotations

from torch import Tensor, nn

from tools.training.recipes import TrainConfig


def loss(
    logits: Tensor, labels: Tensor, teacher_logits: Tensor | None, config: TrainConfig
) -> Tensor:
    """Cross-entropy to the labels (B,), mixed with the divergence from the teacher's logits.

    Source: Hinton et al. 2015, Distilling the Knowledge in a Neural Network, Section 2.
    """
    from_labels = nn.functional.cross_entropy(
        logits, labels, label_smoothing=config.label_smoothing
    )
    if teacher_logits is None:
        return from_labels
    t = config.temperature
    from_teacher = nn.functional.kl_div(
        (logits / t).log_softmax(dim=1),
        (teacher_logits / t).log_softmax(dim=1),
        reduction="batchmean",
        log_target=True,
    )
    # t² keeps the gradient's size when the temperature changes.
    return (1 - config.distillation) * from_labels + config.distillation * t * t * from_teacher
