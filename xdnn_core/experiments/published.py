"""What Hesse et al. 2021 published in Tables 2 and 3 and Section B.3, all of it on ImageNet."""

from __future__ import annotations

from typing import Final

SOURCE: Final = "Hesse, Schaub-Meyer and Roth 2021, Fast Axiomatic Attribution for Neural Networks"


# Network, top-5 accuracy, MARD over batches; per cent.
TABLE2: Final = (
    ("AlexNet", 79.21, 79.0), ("X-AlexNet", 78.54, 1.2),
    ("VGG16", 90.44, 97.8), ("X-VGG16", 90.25, 0.4),
    ("ResNet-50", 92.56, 93.8), ("X-ResNet-50", 91.12, 0.0),
)  # fmt: skip

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

# Section B.3: prior, seconds a training step, gigabytes of GPU memory.
COST: Final = (("Expected Gradients (k = 32)", 1.12, 14.57), ("X-Gradient", 0.0086, 4.21))
COST_SETTING: Final = "ResNet-50, 2 images a step, A100 40 GB"
