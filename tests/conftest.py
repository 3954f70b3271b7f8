"""What all tests share: repeatable randomness, few threads, and small networks."""

import random
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import settings
from torch import Tensor, nn

settings.register_profile("xdnn", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("xdnn")


# Small tensors gain nothing from more threads, and threads that wait for a busy core cost 50 times
# the work itself; pytest's workers use the other cores.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


class OneMinusRelu(nn.Module):
    """F(x) = 1 − ReLU(1 − x) for x (B, 1): the gradient at x = 2 is 0 though F rose from 0 to 1."""

    def forward(self, x: Tensor) -> Tensor:
        return 1 - torch.relu(1 - x)


@pytest.fixture
def one_minus_relu() -> nn.Module:
    return OneMinusRelu()


@pytest.fixture
def linear_net() -> nn.Module:
    """F(x) = 2x₁ − 3x₂ + 5, (B, 2) -> (B, 1), float64."""
    net = nn.Linear(2, 1).double().eval()
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[2.0, -3.0]]))
        net.bias.copy_(torch.tensor([5.0]))
    return net


@pytest.fixture
def conv_net() -> nn.Module:
    """A small convolutional ReLU network with biases, (B, 3, 9, 9) -> (B, 4), float64."""
    net = nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 5, 2),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(5, 4),
    )
    return net.double().eval()


@pytest.fixture
def x_net() -> nn.Module:
    """A small X-DNN, (B, 3, 9, 9) -> (B, 4), float64."""
    net = nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2, padding=1, bias=False),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(24, 4, bias=False),
    )
    return net.double().eval()


@pytest.fixture
def images() -> Tensor:
    """Three random inputs (3, 3, 9, 9), float64."""
    return torch.randn(3, 3, 9, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def untouched() -> Callable[[nn.Module], Callable[[], None]]:
    """Photograph a network; the returned function asserts that nothing about it has changed."""

    def watch(network: nn.Module) -> Callable[[], None]:
        before = _snapshot(network)

        def check() -> None:
            after = _snapshot(network)
            assert before.keys() == after.keys()
            for key, (value, traits) in before.items():
                assert torch.equal(value, after[key][0]), key
                assert traits == after[key][1], key

        return check

    return watch


def _snapshot(network: nn.Module) -> dict[str, tuple[Tensor, object]]:
    found: dict[str, tuple[Tensor, object]] = {}
    for name, parameter in network.named_parameters():
        traits = (id(parameter), parameter.requires_grad, parameter.grad is None)
        found[f"parameter {name}"] = (parameter.detach().clone(), traits)
    for name, buffer in network.named_buffers():
        found[f"buffer {name}"] = (buffer.clone(), id(buffer))
    for name, module in network.named_modules():
        hooks = [
            len(getattr(module, kind))
            for kind in (
                "_forward_hooks",
                "_forward_pre_hooks",
                "_backward_hooks",
                "_backward_pre_hooks",
            )
        ]
        found[f"module {name}"] = (torch.zeros(0), (id(module), module.training, hooks))
    return found
