"""What Hesse et al. 2021 published in Tables 2 and 3 and Section B.3, all of it on ImageNet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SOURCE: Final = "Hesse, Schaub-Meyer and Roth 2021, Fast Axiomatic Attribution for Neural Networks"


@dataclass(frozen=True)
class PublishedPair:
    """Table 2: one architecture with and without biases; per cent."""

    title: str  # of the architecture
    # top5, top5_x: of the regular network and the X network
    top5: float
    top5_x: float
    # mard, mard_x: batch definition
    mard: float
    mard_x: float


TABLE2: Final = (
    PublishedPair("AlexNet", 79.21, 78.54, 79.0, 1.2),
    PublishedPair("VGG16", 90.44, 90.25, 97.8, 0.4),
    PublishedPair("ResNet-50", 92.56, 91.12, 93.8, 0.0),
)

TABLE3_METRICS: Final = ("KPM", "KNM", "KAM", "RAM")
# Network, then method as in `table3_summary.QUALITY_METHODS`; in the order of `TABLE3_METRICS`.
TABLE3: Final[dict[str, dict[str, tuple[float, float, float, float]]]] = {
    "AlexNet": {
        "ig": (7.57, 1.67, 25.22, 11.12),
        "random": (3.68, 3.68, 14.12, 14.10),
        "gradient": (3.62, 3.88, 20.78, 11.82),
        "eg_1": (4.92, 2.97, 20.49, 13.76),
    },
    "X-AlexNet": {
        "ig": (7.38, 2.21, 21.79, 11.68),
        "random": (3.81, 3.81, 13.52, 13.50),
        "gradient": (3.87, 4.34, 19.75, 11.25),
        "eg_1": (5.41, 3.19, 19.47, 13.19),
        "fast": (7.38, 2.21, 21.83, 11.68),
    },
}


@dataclass(frozen=True)
class PublishedStep:
    """Section B.3: one training step of a ResNet-50, two images, on an A100."""

    title: str  # of the prior
    seconds: float  # a step
    gigabytes: float  # of GPU memory


COST: Final = (
    PublishedStep("Expected Gradients (k = 32)", 1.12, 14.57),
    PublishedStep("X-Gradient", 0.0086, 4.21),
)
COST_SETTING: Final = "ResNet-50, 2 images a step, A100 40 GB"
