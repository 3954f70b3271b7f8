"""The axioms on a network that is given: known answers, nothing changed, nothing lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from pages.axioms_parts.textbook import step_example
from xdnn_core.axioms.axioms import AXIOMS, Cell
from xdnn_core.axioms.functions import RegionFeatures
from xdnn_core.axioms.loaded import CellKey, WitnessMaps, gradient_calls, try_network
from xdnn_core.axioms.network import ROUNDING, NetworkSettings
from xdnn_core.axioms.rebuild import AGREEMENT, rebuilt_network
from xdnn_core.errors import UserError

FEW = NetworkSettings(steps=4, samples=2, alphas=(0.5,))
MANY = NetworkSettings(steps=256)


def verdicts(cells: tuple[Cell, ...]) -> dict[str, str]:
    """By method a digit an axiom, in the order of AXIOMS: sensitivity a and b, implementation
    invariance, completeness, linearity, symmetry, homogeneity."""
    found: dict[str, str] = {}
    for cell in cells:
        found[cell.method] = found.get(cell.method, "") + str(int(cell.holds))
    return found


def cell_of(cells: tuple[Cell, ...], method: str, axiom: str) -> Cell:
    return next(cell for cell in cells if (cell.method, cell.axiom) == (method, axiom))


def test_a_linear_network_holds_everything_but_what_the_gradient_cannot(images: Tensor) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(243, 4, bias=False)).double().eval()
    zero = torch.zeros_like(images[:1])  # one reference: nothing is left to chance but t
    found = verdicts(try_network(network, images[:1], 2, zero, FEW))
    assert found == {
        "integrated_gradients": "1111111",
        "expected_gradients": "1111111",
        "gradient": "1110110",
        "input_x_gradient": "1111111",
        "x_gradient": "1111111",
    }


def test_biases_cost_one_gradient_completeness_and_homogeneity(
    conv_net: nn.Module, images: Tensor, untouched: Callable[[nn.Module], Callable[[], None]]
) -> None:
    check = untouched(conv_net)
    cells = try_network(conv_net, images[:1], 1, images[1:], MANY)
    check()
    found = verdicts(cells)
    assert found["integrated_gradients"] == "1111110"
    assert found["input_x_gradient"] == found["gradient"] == "1110110"
    assert found["expected_gradients"][1] == "1", "what F ignores gets nothing in every draw"
    assert found["expected_gradients"][2:5] == "000", "two runs draw differently"
    assert "x_gradient" not in found
    complete = cell_of(cells, "integrated_gradients", "completeness")
    assert ROUNDING < complete.tolerance < 0.05, "the error of 256 steps, estimated"
    for axiom in ("completeness", "homogeneity"):
        cell = cell_of(cells, "input_x_gradient", axiom)
        assert cell.worst > 1e-3
        assert cell.tolerance == ROUNDING
        assert any(character.isdigit() for character in cell.witness)


def test_an_x_network_holds_everything_from_one_gradient(x_net: nn.Module, images: Tensor) -> None:
    cells = try_network(x_net, images[:1], 3, images[1:])
    found = verdicts(cells)
    assert found["x_gradient"] == found["input_x_gradient"] == "1111111"
    assert found["integrated_gradients"] == "1111111"
    assert found["gradient"] == "1110110"
    exact = [cell for cell in cells if cell.method == "x_gradient"]
    assert all(cell.worst <= 1e-12 for cell in exact)
    assert cell_of(cells, "x_gradient", "homogeneity").trials == len(NetworkSettings.alphas)


def test_the_maps_of_the_witnesses_are_those_that_were_compared(
    x_net: nn.Module, images: Tensor
) -> None:
    witnesses: dict[CellKey, WitnessMaps] = {}
    reported: list[tuple[int, int]] = []
    cells = try_network(
        x_net, images[:1], 3, images[1:], FEW, lambda *done: reported.append(done),
        witnesses=witnesses,
    )  # fmt: skip
    assert reported[-1] == (gradient_calls(True, FEW),) * 2, "nothing is computed for them"
    assert witnesses.keys() == {(cell.method, cell.axiom) for cell in cells}
    for (_, axiom), witness in witnesses.items():
        assert [values.shape for values in witness.maps] == [(9, 9)] * len(AXIOMS[axiom].maps)
    ours = {axiom: witnesses["x_gradient", axiom] for axiom in AXIOMS}
    scale = max(float(abs(values).max()) for values in ours["completeness"].maps)
    for axiom, witness in ours.items():
        if AXIOMS[axiom].asks_equal:
            assert abs(witness.difference).max() < 1e-6 * scale
    (plain,) = ours["completeness"].maps
    assert float(plain.sum()) == pytest.approx(ours["completeness"].output, rel=1e-5)
    assert ours["homogeneity"].output == pytest.approx(0.5 * ours["completeness"].output)
    assert not ours["sensitivity_b"].maps[1].any(), "what F ignores gets nothing"
    assert ours["sensitivity_b"].maps[0].any()
    change, attributed = ours["sensitivity_a"].maps  # alone, a region is attributed all it changes
    assert attributed == pytest.approx(change, abs=1e-6 * scale)
    drawn_anew = witnesses["expected_gradients", "implementation_invariance"]
    assert abs(drawn_anew.difference).max() > 1e-3 * scale


def test_a_value_a_region_becomes_a_map_that_sums_to_it(x_net: nn.Module, images: Tensor) -> None:
    features = RegionFeatures(x_net, images[:1], 4)  # 9 pixels across: regions of 2 and of 3
    values = torch.arange(1.0, 17.0, dtype=torch.float64)
    spread = features.spread(values)[0, 0]
    sums = torch.zeros_like(values).index_add(0, features.region.flatten(), spread.flatten())
    assert torch.allclose(sums, values)


class Saturated(nn.Module):
    """1 − ReLU(1 − Σ x) and twice that: flat wherever the pixels sum to more than 1."""

    def forward(self, x: Tensor) -> Tensor:
        rises = 1 - torch.relu(1 - x.flatten(1).sum(dim=1, keepdim=True))  # (B, 1)
        return torch.cat([rises, 2 * rises], dim=1)


def test_a_saturated_network_refutes_sensitivity_of_one_gradient() -> None:
    ones = torch.ones(1, 3, 16, 16, dtype=torch.float64)
    cells = try_network(
        Saturated().eval(), ones, 0, 0 * ones, NetworkSettings(steps=64, alphas=(2.0,))
    )
    found = verdicts(cells)
    assert found["gradient"][0] == found["input_x_gradient"][0] == "0"
    assert found["integrated_gradients"][0] == "1"
    cell = cell_of(cells, "input_x_gradient", "sensitivity_a")
    assert (cell.violated, cell.trials) == (16, 16)
    assert "changes F by 1; its attribution is 0" in cell.witness


def test_a_rebuilt_network_computes_the_same_with_other_weights(
    conv_net: nn.Module, images: Tensor, untouched: Callable[[nn.Module], Callable[[], None]]
) -> None:
    check = untouched(conv_net)
    rebuilt = rebuilt_network(conv_net, images, torch.Generator().manual_seed(0))
    check()
    assert rebuilt.layers == 2, "both convolutions, the second through the flattening"
    assert rebuilt.gap <= AGREEMENT
    other = images.flip(0) * 3
    assert torch.allclose(rebuilt.network(other), conv_net(other), rtol=1e-10, atol=1e-12)
    theirs = dict(rebuilt.network.named_parameters())
    for name, weight in conv_net.named_parameters():
        is_last_bias = name == "7.bias"
        assert torch.equal(theirs[f"network.{name}"], weight) == is_last_bias, name


class Branching(nn.Module):
    """Its first layer's channels also go another way, which no module shows."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 5, 3, padding=1)
        self.relu = nn.ReLU()
        self.second = nn.Conv2d(5, 5, 3, padding=1)
        self.third = nn.Conv2d(5, 4, 9)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        return self.third(torch.relu(self.second(self.relu(h)) + h)).flatten(1)


def test_layers_that_may_not_be_shuffled_are_left(images: Tensor) -> None:
    network = Branching().double().eval()
    rebuilt = rebuilt_network(network, images, torch.Generator().manual_seed(0))
    assert rebuilt.layers == 0
    assert rebuilt.gap <= AGREEMENT
    assert verdicts(try_network(network, images[:1], 0, images[1:], FEW))["gradient"][2] == "1"


def test_tied_pixels_do_not_decide(x_net: nn.Module, images: Tensor) -> None:
    """On a white background max pooling ties; where its gradient goes must not hang on rounding."""
    white = torch.full_like(images[:1], 2.0)
    white[..., 3:6, 3:6] = images[:1, :, 3:6, 3:6]
    cells = try_network(x_net, white, 1, images[1:], FEW)
    assert verdicts(cells)["x_gradient"] == "1111111"


class Interrupted(Exception):
    """What a rerun of the page raises."""


def test_a_run_that_was_cut_short_goes_on_and_ends_the_same(
    x_net: nn.Module, images: Tensor
) -> None:
    seen: list[tuple[int, int]] = []
    arguments = x_net, images[:1], 0, images[1:], FEW
    whole = try_network(*arguments, lambda *done: seen.append(done))
    assert seen == sorted(seen)
    assert seen[-1] == (gradient_calls(True, FEW),) * 2
    known: dict[tuple[str, str], Cell] = {}

    def cut(done: int, of: int) -> None:
        if done > of / 2:
            raise Interrupted

    with pytest.raises(Interrupted):
        try_network(*arguments, cut, known)
    assert 0 < len(known) < len(whole)
    rest: list[tuple[int, int]] = []
    assert try_network(*arguments, lambda *done: rest.append(done), known) == whole
    assert rest[-1][1] < seen[-1][1], "what was there is not tried again"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"inputs": torch.zeros(2, 3, 9, 9)}, "one image"),
        ({"references": torch.zeros(2, 3, 8, 9)}, "like the inputs"),
        ({"target": 4}, "0 to 3"),
        ({"settings": NetworkSettings(steps=1)}, "2 steps"),
        ({"settings": NetworkSettings(alphas=(0.0,))}, "above 0"),
        ({"network": nn.Sequential(nn.Flatten(), nn.Linear(243, 1)).eval(), "target": 0}, "two"),
        ({"network": nn.Sequential(nn.Flatten(), nn.Linear(243, 4))}, "training mode"),
    ],
)
def test_what_cannot_be_tried_is_said(
    conv_net: nn.Module, images: Tensor, change: dict[str, object], sentence: str
) -> None:
    given = {"network": conv_net, "inputs": images[:1], "target": 0, "references": images}
    with pytest.raises(UserError, match=sentence):
        try_network(**given | change)  # type: ignore[arg-type]


def test_the_textbooks_function_to_be_drawn() -> None:
    wanted = {"gradient": 0, "input_x_gradient": 0, "expected_gradients_1": 0}
    for method, given in (wanted | {"integrated_gradients": 1}).items():
        example = step_example(method)
        assert example.attribution == given
        assert (example.at_baseline, example.at_x) == (0, 1)
    pairs = zip(example.xs, example.ys, strict=True)
    assert all(y == pytest.approx(min(x, 1.0)) for x, y in pairs)
