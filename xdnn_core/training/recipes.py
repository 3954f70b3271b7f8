"""What the embedded pair is trained with."""

from __future__ import annotations

from dataclasses import dataclass, field

from xdnn_core.data.crops import CropConfig


@dataclass(frozen=True)
class TrainConfig:
    """The recipe.

    Attributes
    ----------
    biases
        False trains the X network.
    head
        Width of the hidden fully connected layers.
    crops
        How images are cut, for how many epochs, and the seed.
    batch
        Images a step, over all processes.
    features_rate, head_rate
        Peak learning rate of the convolutions and of the fully connected layers.
    weight_decay
        Of AdamW, for the weights of all layers.
    label_smoothing, dropout
        Regularisation; the losses printed include the smoothing.
    mixup
        Both parameters of the Beta distribution that images and labels are mixed by; 0: not mixed.
    teacher
        Name of the network of the pair to start from and to learn the logits of, beside the
        labels; None: start from pretrained convolutions, learn labels alone.
    distillation, temperature
        Weight of the teacher's part of the loss, and what both networks' logits are divided by.
    bf16
        Forward pass in bfloat16.
    workers
        Processes that cut images.
    """

    biases: bool
    head: int = 512
    crops: CropConfig = field(default_factory=CropConfig)
    batch: int = 64
    features_rate: float = 5e-5
    head_rate: float = 5e-4
    weight_decay: float = 0.3
    label_smoothing: float = 0.1
    dropout: float = 0.5
    mixup: float = 0.2
    teacher: str | None = None
    distillation: float = 0.7
    temperature: float = 2.0
    bf16: bool = True
    workers: int = 1


# Names of the embedded pair, in the order they are trained.
RECIPES = {
    "alexnet-caltech101": TrainConfig(biases=True),
    # Without biases the convolutions must change more: larger steps.
    "xalexnet-caltech101": TrainConfig(
        biases=False, features_rate=2e-4, dropout=0.4, teacher="alexnet-caltech101"
    ),
}
