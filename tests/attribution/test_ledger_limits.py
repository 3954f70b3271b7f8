"""The ledger: what it cannot explain, its map of the whole image, wrong calls, many threads."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, strategies as st
from torch import Tensor, nn

from tests.attribution.ledger_networks import awaken
from xdnn_core.attribution.ledger import Ledger, bias_attribution


class Hidden(nn.Module):
    """A constant that no parameter holds."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(torch.relu(x + 0.5))


class Attention(nn.Module):
    """Multi-head attention, whose biases nothing shows."""

    def __init__(self) -> None:
        super().__init__()
        self.attention, self.head = nn.MultiheadAttention(4, 2, batch_first=True), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.attention(x, x, x)[0].mean(1))


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)), (3,)),
        (lambda: nn.Sequential(nn.Linear(3, 4), nn.GELU(), nn.Linear(4, 2)), (3,)),
        (lambda: nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2)), (3,)),
        (lambda: nn.Sequential(nn.Linear(3, 4), nn.Hardtanh(-0.1, 0.1), nn.Linear(4, 2)), (3,)),
        (Hidden, (3,)),
        (Attention, (5, 4)),
    ],
    ids=["tanh", "gelu", "layer norm", "clipped", "number in forward", "attention"],
)
def test_what_no_layer_explains_is_shown_and_not_spread(
    make: Callable[[], nn.Module], shape: tuple[int, ...]
) -> None:
    network = awaken(make())
    x = 3 * torch.randn(4, *shape, dtype=torch.float64)
    found = bias_attribution(network, x, 1)
    assert not found.is_explained.any()
    total = found.pixels + found.biases + found.unexplained
    torch.testing.assert_close(total, found.outputs)
    # The last layer's bias goes straight into the logit: it keeps exactly its own value.
    last = network.get_submodule(found.layers[-1].name).bias[1]
    torch.testing.assert_close(found.layers[-1].values, last.detach().expand(4))


def test_a_number_in_forward_is_exactly_what_is_unexplained() -> None:
    network = awaken(Hidden())
    x = torch.rand(2, 3, dtype=torch.float64)  # positive, so every gate is open
    found = bias_attribution(network, x, 0)
    wanted = 0.5 * network.layer.weight[0].sum()
    torch.testing.assert_close(found.unexplained, wanted.detach().expand(2))


@given(cells=st.tuples(st.integers(1, 9), st.integers(1, 9)), size=st.integers(1, 20))
def test_the_map_of_all_biases_keeps_every_layers_sum(cells: tuple[int, int], size: int) -> None:
    head = nn.Linear(2 * cells[0] * cells[1], 2)
    network = awaken(nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(), nn.Flatten(), head))
    x = torch.randn(2, 1, *cells, dtype=torch.float64)
    found = bias_attribution(network, x, 0)
    spread = found.biases_map((size, size + 3))
    assert spread.shape == (2, size, size + 3)
    torch.testing.assert_close(spread.sum((1, 2)), found.layers[0].values)


def test_a_cell_is_spread_over_the_pixels_it_covers() -> None:
    network = nn.Conv2d(1, 1, 1).double()
    flat = nn.Sequential(network, nn.Flatten(), nn.Linear(2, 1, bias=False)).double()
    nn.init.constant_(network.bias, 1)
    flat[2].weight.data = torch.tensor([[3.0, 6.0]], dtype=torch.float64)
    found = bias_attribution(flat, torch.ones(1, 1, 1, 2, dtype=torch.float64))
    # Two cells on three pixels: the middle one gets a third of each.
    torch.testing.assert_close(
        found.biases_map((1, 3)), torch.tensor([[[2.0, 3.0, 4.0]]], dtype=torch.float64)
    )


def test_wrong_targets_and_inputs_are_refused(conv_net: nn.Module, images: Tensor) -> None:
    with pytest.raises(ValueError, match="classes run from 0 to 3"):
        bias_attribution(conv_net, images, 4)
    with pytest.raises(ValueError, match="give a class from 0 to 3"):
        bias_attribution(conv_net, images)
    with pytest.raises(ValueError, match="not finite"):
        bias_attribution(conv_net, images / 0, 0)


class Door:
    """Lets the first two threads in before either goes on; the first in leaves first."""

    def __init__(self) -> None:
        self.places = itertools.count()
        self.second_is_in = threading.Event()
        self.first_is_done = threading.Event()

    def pass_through(self) -> None:
        place = next(self.places)
        if place == 0:
            assert self.second_is_in.wait(20)
        elif place == 1:
            self.second_is_in.set()
            assert self.first_is_done.wait(20)


class Meeting(nn.Module):
    """A layer behind a door."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.door = nn.Linear(3, 2), Door()

    def forward(self, x: Tensor) -> Tensor:
        if x.requires_grad:
            self.door.pass_through()
        return self.layer(x)


def test_two_sessions_may_ask_for_one_networks_ledger_at_once(
    untouched: Callable[[nn.Module], Callable[[], None]],
) -> None:
    """Networks are shared by all sessions of the app: nothing may be put into them."""
    net = Meeting().requires_grad_(False)
    check = untouched(net)
    x = torch.randn(1, 3)
    found: list[Ledger] = []

    def session() -> None:
        found.append(bias_attribution(net, x, 0))
        net.door.first_is_done.set()

    threads = [threading.Thread(target=session) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    check()
    bias = net.layer.bias[0].double()
    assert [[entry.values for entry in one.layers] for one in found] == [[bias], [bias]]
