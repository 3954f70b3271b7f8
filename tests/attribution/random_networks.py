"""Hypothesis strategies: small random networks of convolution, activation, pooling, linear."""

from dataclasses import dataclass

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

CLASSES = 3


@dataclass(frozen=True)
class Case:
    """A network and a batch it takes, float64.

    Attributes
    ----------
    network
        Maps (B, C, H, W) to (B, CLASSES), eval mode.
    inputs
        (B, C, H, W).
    target
        A class.
    """

    network: nn.Module
    inputs: Tensor
    target: int


@st.composite
def cases(draw: st.DrawFn, biases: bool = False) -> Case:
    """Draw a network, without biases unless told, and inputs for it.

    Values come from one seed, so that no pre-activation is exactly 0, where gradients of ReLU
    and of maxima are a matter of convention.
    """
    torch.manual_seed(draw(st.integers(0, 2**31)))
    channels, side = draw(st.sampled_from([(1, 5), (2, 6), (4, 5)])), draw(st.integers(0, 2))
    in_channels, size = channels[0], channels[1] + side
    groups = 2 if in_channels % 2 == 0 and draw(st.booleans()) else 1
    first = nn.Conv2d(
        in_channels,
        4,
        draw(st.integers(1, 3)),
        stride=draw(st.integers(1, 2)),
        padding=draw(st.integers(0, 1)),
        groups=groups,
        bias=biases,
    )
    layers = [first, draw(st.sampled_from(["relu", "leaky", "prelu"])), draw(_POOLINGS)]
    if draw(st.booleans()):
        layers += [nn.Conv2d(4, 3, 2, padding=1, bias=biases), "relu"]
    features = nn.Sequential(*[_layer(part) for part in layers], nn.Flatten())
    inputs = torch.randn(draw(st.integers(1, 3)), in_channels, size, size, dtype=torch.float64)
    width = features.double()(inputs).shape[1]
    hidden = draw(st.integers(1, 6))
    head = [nn.Linear(width, hidden, bias=biases), nn.ReLU(), nn.Linear(hidden, CLASSES, biases)]
    network = nn.Sequential(*features, *head).double().eval()
    return Case(network, inputs, draw(st.integers(0, CLASSES - 1)))


_POOLINGS = st.sampled_from(["max", "average", "adaptive", "none"])


def _layer(part: nn.Module | str) -> nn.Module:
    made = {
        "relu": nn.ReLU,
        "leaky": lambda: nn.LeakyReLU(0.2),
        "prelu": lambda: nn.PReLU(4, init=0.1),
        "max": lambda: nn.MaxPool2d(2, ceil_mode=True),
        "average": lambda: nn.AvgPool2d(2, ceil_mode=True),
        "adaptive": lambda: nn.AdaptiveAvgPool2d(2),
        "none": nn.Identity,
    }
    return made[part]() if isinstance(part, str) else part
