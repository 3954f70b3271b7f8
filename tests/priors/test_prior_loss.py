"""The general route: known answers, any network, any penalty."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from xdnn_core.attribution.expected import PathDraws
from xdnn_core.attribution.gradients import input_x_gradient
from xdnn_core.attribution.integrated import integrated_gradients
from xdnn_core.errors import UserError
from xdnn_core.homogeneity.inspection import NotHomogeneousError
from xdnn_core.models.fixup_resnet import FixupResNet50
from xdnn_core.models.networks import NetworkConfig
from xdnn_core.models.torchvision_import import torchvision
from xdnn_core.priors.loss import attribution_prior_loss, training_attributions
from xdnn_core.priors.methods import METHODS, PriorMethod, parse_method

StochasticDepth = torchvision.ops.StochasticDepth

WITH_PRIOR = [key for key, card in METHODS.items() if card.regularised]


class FunctionalDropout(nn.Module):
    """Draws in any mode, where no layer of a known kind shows it."""

    def forward(self, h: Tensor) -> Tensor:
        return functional.dropout(h, 0.5)


def _seeded(work: Callable[[], Tensor]) -> Tensor:
    torch.manual_seed(0)
    return work()


@pytest.fixture
def linear() -> nn.Module:
    """F(x) = 2x₁ − 3x₂, (B, 2) -> (B, 1)."""
    net = nn.Linear(2, 1, bias=False).double()
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[2.0, -3.0]]))
    return net


X = torch.tensor([[1.0, 1.0], [0.5, -2.0]], dtype=torch.float64)


def test_a_linear_network_by_hand(linear: nn.Module) -> None:
    weights = torch.tensor([2.0, -3.0], dtype=torch.float64)
    for key, expected in {
        "gradient": weights.expand(2, 2),
        "input_x_gradient": X * weights,
        "x_gradient": X * weights,
        "integrated_gradients:4": X * weights,
        "rrr": (1 - 2 * torch.sigmoid(X @ weights))[:, None] * weights,
    }.items():
        found = training_attributions(linear, X, key)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-14)
    draws = PathDraws(torch.tensor([[[1], [0]]]), torch.full((1, 2, 1), 0.3, dtype=torch.float64))
    found = training_attributions(linear, X, "expected_gradients:1", draws=draws)
    torch.testing.assert_close(found, (X - X.flip(0)) * weights, rtol=0, atol=1e-14)


def test_agree_with_the_attributions_of_the_core(conv_net: nn.Module, images: Tensor) -> None:
    target = torch.tensor([0, 3, 1])
    ours = training_attributions(conv_net, images, "input_x_gradient", target=target)
    torch.testing.assert_close(ours, input_x_gradient(conv_net, images, target).values)
    ours = training_attributions(conv_net, images, "integrated_gradients:6", target=target)
    theirs = integrated_gradients(conv_net, images, target, steps=6, rule="gauss_legendre").values
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("key", WITH_PRIOR)
def test_can_be_differentiated_by_the_parameters(
    key: str, x_net: nn.Module, images: Tensor
) -> None:
    loss = attribution_prior_loss(x_net, images, key, target=2)
    loss.backward()
    assert loss.shape == ()
    first = next(x_net.parameters())
    assert first.grad is not None
    assert first.grad.isfinite().all()
    assert first.grad.any()


def test_gradient_equals_finite_differences(linear: nn.Module) -> None:
    def omega(shift: float) -> Tensor:
        with torch.no_grad():
            linear.weight[0, 0] += shift
        value = attribution_prior_loss(linear, X, "rrr")
        with torch.no_grad():
            linear.weight[0, 0] -= shift
        return value.detach()

    attribution_prior_loss(linear, X, "rrr").backward()
    numeric = (omega(1e-6) - omega(-1e-6)) / 2e-6
    assert float(linear.weight.grad[0, 0]) == pytest.approx(float(numeric), rel=1e-6)


def test_any_penalty_from_attributions_to_a_number(x_net: nn.Module, images: Tensor) -> None:
    def total_variation(a: Tensor) -> Tensor:
        return (a[..., 1:] - a[..., :-1]).abs().mean()

    value = attribution_prior_loss(x_net, images, "x_gradient", total_variation, target=1)
    assert float(value) > 0
    with pytest.raises(ValueError, match="must return one number"):
        attribution_prior_loss(x_net, images, "x_gradient", lambda a: a, target=1)


def test_methods_without_a_prior_add_nothing(x_net: nn.Module, images: Tensor) -> None:
    assert float(attribution_prior_loss(x_net, images, "none")) == 0


def test_x_gradient_wants_a_homogeneous_network(conv_net: nn.Module, images: Tensor) -> None:
    with pytest.raises(NotHomogeneousError, match="its bias does not scale"):
        attribution_prior_loss(conv_net, images, "x_gradient", target=1)


class TestHomogeneousWhileTrained:
    """X-Gradient's gate: whatever values training gives the parameters."""

    class Bent(nn.Module):
        """A function where no layer shows it, (B, 4) -> (B, 1)."""

        def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(4, 5, bias=False), nn.Linear(5, 1, bias=False)
            self.function, self.calls = function, 0

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            return self.last(self.function(self.first(x)))

    @pytest.mark.parametrize(
        "function",
        [
            functional.gelu,
            functional.silu,
            lambda h: h + 0.01,
            lambda h: functional.threshold(h, 0.1, 0),
            lambda h: h / (h.norm(dim=1, keepdim=True) + 1),
        ],
        ids=["GELU", "SiLU", "shift", "threshold", "norm"],
    )
    def test_what_no_layer_shows(self, function: Callable[[Tensor], Tensor]) -> None:
        for _ in range(2):  # a network that failed once is not let in the next time
            with pytest.raises(NotHomogeneousError, match="an operation outside the layers"):
                attribution_prior_loss(self.Bent(function), torch.randn(3, 4), "x_gradient")

    def test_fixup_scalars(self) -> None:
        net = FixupResNet50(NetworkConfig(classes=3))
        net.fc.bias.requires_grad_(False)  # else it would be named
        x = torch.randn(1, 3, 33, 33)
        with pytest.raises(NotHomogeneousError, match=r"bias1.*its bias does not scale"):
            attribution_prior_loss(net, x, "x_gradient", target=0)
        plain = FixupResNet50(NetworkConfig(classes=3, biases=False))
        assert attribution_prior_loss(plain, x, "x_gradient", target=0).isfinite()

    @pytest.mark.parametrize("steps", [0, 1])
    def test_a_bias_that_is_still_zero_counts_as_one_that_is_not(self, steps: int) -> None:
        net = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 1))
        nn.init.zeros_(net[0].bias)
        nn.init.zeros_(net[2].bias)
        optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(steps):
            net(torch.randn(3, 4)).sum().backward()
            optimiser.step()
        with pytest.raises(NotHomogeneousError) as raised:
            attribution_prior_loss(net, torch.randn(3, 4), "x_gradient")
        assert "layer '0' (Linear: its bias does not scale)" in str(raised.value)
        assert "a bias of 0 counts unless it is frozen" in str(raised.value)
        assert str(raised.value).count(".") == 1

    def test_a_frozen_bias_of_zero_is_none(self) -> None:
        net = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 1, bias=False))
        nn.init.zeros_(net[0].bias).requires_grad_(False)
        x = torch.randn(3, 4)
        attribution_prior_loss(net, x, "x_gradient").backward()
        net[0].bias.requires_grad_()  # released: asked again
        with pytest.raises(NotHomogeneousError, match="'0'"):
            attribution_prior_loss(net, x, "x_gradient")
        with torch.no_grad():
            net[0].bias.requires_grad_(False).fill_(0.1)
        with pytest.raises(NotHomogeneousError, match="'0'"):
            attribution_prior_loss(net, x, "x_gradient")

    @pytest.mark.parametrize(
        "drop",
        [
            nn.Dropout(0.5),
            nn.Dropout1d(0.5),
            nn.RReLU(),
            StochasticDepth(0.5, "row"),
            FunctionalDropout(),
        ],
        ids=lambda drop: type(drop).__name__,
    )
    def test_dropout_in_training_mode_is_allowed(self, drop: nn.Module) -> None:
        """For one draw of the elements it drops F(αx) = αF(x), so Σ attributions is F(x)."""
        net = nn.Sequential(
            nn.Linear(4, 50, bias=False), nn.ReLU(), drop, nn.Linear(50, 1, bias=False)
        ).train()
        x = torch.randn(3, 4)
        found, expected = (_seeded(work) for work in (
            lambda: training_attributions(net, x, "x_gradient"), lambda: net(x)
        ))  # fmt: skip
        torch.testing.assert_close(found.sum(dim=1, keepdim=True), expected)
        assert net.training

    @pytest.mark.parametrize("layer", [nn.AlphaDropout(0.5), nn.BatchNorm1d(50, affine=False)])
    def test_what_is_not_homogeneous_for_one_draw_is_refused(self, layer: nn.Module) -> None:
        net = nn.Sequential(nn.Linear(4, 50, bias=False), layer, nn.Linear(50, 1, bias=False))
        before = {key: value.clone() for key, value in net.state_dict().items()}
        with pytest.raises(NotHomogeneousError, match="'1'"):
            attribution_prior_loss(net.train(), torch.randn(3, 4), "x_gradient")
        assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())

    def test_once_a_network_and_without_a_trace(self) -> None:
        net = self.Bent(torch.relu).train()
        optimiser = torch.optim.Adam(net.parameters())
        drawn = _seeded(lambda: torch.rand(3))
        for _ in range(4):
            x = torch.randn(3, 4)
            torch.manual_seed(0)
            optimiser.zero_grad()
            attribution_prior_loss(net, x, "x_gradient").backward()
            assert torch.equal(torch.rand(3), drawn)  # the caller's draws are not moved
            optimiser.step()
        # The check runs on a copy, which counts for itself.
        assert net.calls == 4
        assert all(parameter.grad is not None for parameter in net.parameters())


def test_references_may_be_other_rows(linear: nn.Module) -> None:
    zero = torch.zeros(1, 2, dtype=torch.float64)
    found = training_attributions(linear, X, "expected_gradients:3", references=zero)
    torch.testing.assert_close(found, X * torch.tensor([2.0, -3.0], dtype=torch.float64))
    with pytest.raises(ValueError, match="references have shape"):
        training_attributions(linear, X, "expected_gradients", references=zero[:, :1])


def test_own_draws_use_every_reference_equally(
    linear: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Tensor] = []
    rows = torch.arange(20.0, dtype=torch.float64).view(10, 2)
    original = nn.Linear.forward

    def spy(self: nn.Linear, x: Tensor) -> Tensor:
        seen.append(x.detach())
        return original(self, x)

    monkeypatch.setattr(nn.Linear, "forward", spy)
    monkeypatch.setattr(torch, "rand", lambda *shape, **options: torch.zeros(*shape, **options))
    training_attributions(linear, rows, "expected_gradients:3")  # t = 0: points are references
    (points,) = seen
    _, counts = points.unique(dim=0, return_counts=True)
    assert counts.tolist() == [3] * 10


class TestMethods:
    def test_text_form_and_title(self) -> None:
        assert parse_method("expected_gradients").samples == 1
        assert parse_method("expected_gradients:8").key == "expected_gradients:8"
        assert parse_method("expected_gradients:8").title == "Expected Gradients (k = 8)"
        assert parse_method("x_gradient") == PriorMethod("x_gradient")

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("shap", "'shap' is not known; choose from none"),
            ("x_gradient:8", "X-Gradient takes no number of samples"),
            ("expected_gradients:9999", "allowed are 1 to 512"),
            ("expected gradients", "cannot be read"),
        ],
    )
    def test_errors(self, text: str, sentence: str) -> None:
        with pytest.raises(UserError, match=sentence):
            parse_method(text)
