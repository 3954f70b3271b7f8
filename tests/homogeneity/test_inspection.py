"""What the inspection sees of a network: modules that are not called, layers called in any way."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from xdnn_core.attribution.gradients import x_gradient
from xdnn_core.homogeneity.inspection import NotHomogeneousError, inspect_homogeneity


class Shifted(nn.Module):
    """A composite that adds a bias itself."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3, bias=False)
        self.bias2 = nn.Parameter(torch.ones(3))

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) + self.bias2


class Held(nn.Module):
    """Holds what only other methods use."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 3, bias=False)
        self.softmax = nn.Softmax(dim=1)
        self.loss = nn.CrossEntropyLoss(weight=torch.ones(3))
        self.head = nn.Sequential(Shifted(), nn.Sigmoid())
        self.shortcut = nn.Sequential()
        self.blocks = nn.ModuleList([nn.ReLU()])

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks[0](self.layer(x))

    def predict(self, x: Tensor) -> Tensor:
        return self.softmax(self.head(self(x)))


def test_what_the_example_does_not_reach_is_not_judged() -> None:
    net, x = Held().eval(), torch.randn(2, 6)
    report = inspect_homogeneity(net, x)
    assert report.is_homogeneous
    assert report.unreached == ("softmax", "loss", "head", "shortcut")
    assert [layer.name for layer in report.layers] == ["layer", "blocks.0"]
    assert x_gradient(net, x, 0).baseline_outputs.tolist() == [0, 0]


def test_what_is_reached_is_judged_where_others_are_not() -> None:
    class Predicting(Held):
        def forward(self, x: Tensor) -> Tensor:
            return self.softmax(self.layer(x))

    net, x = Predicting().eval(), torch.randn(2, 6)
    report = inspect_homogeneity(net, x)
    assert report.first_break is not None
    assert report.first_break.name == "softmax"
    assert "head" in report.unreached
    with pytest.raises(NotHomogeneousError, match="layer 'softmax'"):
        x_gradient(net, x, 0)


def test_a_bias_that_forward_uses_without_calling_its_layer_is_found_by_the_numbers() -> None:
    class Borrowing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(6, 3)

        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.linear(x, self.layer.weight, self.layer.bias)

    net, x = Borrowing().eval(), torch.randn(2, 6)
    report = inspect_homogeneity(net, x)
    assert report.unreached == ("layer",)
    assert report.first_break is not None
    assert report.first_break.name == "forward()"
    with pytest.raises(NotHomogeneousError, match="outside the layers"):
        x_gradient(net, x, 0)


class Packed(nn.Module):
    """Calls a layer in a way of its own."""

    def __init__(self, layer: nn.Module, call: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        self.layer, self.call = layer, call

    def forward(self, x: Tensor) -> Tensor:
        return self.call(self.layer, x)


CALLS: dict[str, Callable[[nn.Module, Tensor], Tensor]] = {
    "a list": lambda layer, x: layer([x, x.relu()]),
    "a tuple in a dict": lambda layer, x: layer({"both": (x, x.relu())}),
    "keywords": lambda layer, x: layer(first=x, second=x.relu()),
    "a constant": lambda layer, x: layer(x, scale=torch.full((6,), 2.0, dtype=x.dtype)),
    "a number": lambda layer, x: layer(x, scale=2.0),
}


class Gathering(nn.Module):
    """Takes tensors any way, gives the largest element and all, in a tuple of a list."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *trees: object, scale: object = 1.0, **named: object) -> object:
        parts = [leaf for leaf in tree_leaves((trees, named)) if isinstance(leaf, Tensor)]
        whole = self.function(torch.cat(parts, dim=1))
        if isinstance(scale, Tensor):
            scale = scale[: whole.shape[1]]
        return {"whole": whole * scale, "rest": ([parts[0]], "a word", 3)}


@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize("bent", [False, True])
def test_layers_that_take_and_give_more_than_a_tensor(kind: str, bent: bool) -> None:
    layer = Gathering(torch.square if bent else torch.abs)
    net = Packed(layer, lambda layer, x: CALLS[kind](layer, x)["whole"]).eval()
    report = inspect_homogeneity(net, torch.randn(2, 6))
    (verdict,) = report.layers
    assert (verdict.name, verdict.reason) == ("layer", "by the numbers only")
    assert verdict.is_homogeneous is report.is_homogeneous is not bent
    assert report.unreached == ()


def test_hooks_of_the_network_itself_stay() -> None:
    net, seen = Held().eval(), []
    net.layer.register_forward_hook(lambda module, args, output: seen.append(len(output)))
    inspect_homogeneity(net, torch.randn(2, 6))
    before = len(seen)
    net(torch.randn(2, 6))
    assert len(seen) == before + 1
