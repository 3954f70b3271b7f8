"""Closed-form gradients against double backward, one step, float64."""

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from tests.priors.small_cohorts import double_splits, make_cohort, training_rows
from xdnn_core.priors.ensemble import EnsembleConfig, PriorEnsemble
from xdnn_core.priors.loss import attribution_prior_loss
from xdnn_core.priors.methods import METHODS, parse_method
from xdnn_core.priors.sampling import draw_path, replicate_seeds

KEYS = [*METHODS, "expected_gradients:5", "integrated_gradients:3"]
HIDDEN = [(7,), (12, 9, 5)]


@pytest.mark.parametrize("hidden", HIDDEN, ids=str)
@pytest.mark.parametrize("penalty", ["gini", "l1"])
@pytest.mark.parametrize("key", KEYS)
def test_equal_double_backward(key: str, penalty: str, hidden: tuple[int, ...]) -> None:
    replicates, strength = 3, 0.7
    method = parse_method(key)
    splits = double_splits(make_cohort(features=11), replicates)
    ensemble = PriorEnsemble(splits, EnsembleConfig(method, penalty, hidden))
    networks = [ensemble.parameters.network(i) for i in range(replicates)]
    record = ensemble.step(strength)
    assert record is not None
    seeds = torch.tensor(replicate_seeds(0, replicates, "references"))
    for i, network in enumerate(networks):
        x, y = training_rows(splits, i)
        draws = None
        if method.name == "expected_gradients":
            draws = draw_path(seeds[i : i + 1], 0, len(x), method.samples)
        loss = binary_cross_entropy_with_logits(network(x), y)
        omega = attribution_prior_loss(network, x, method, penalty, draws=draws)
        (loss + strength * omega).backward()
        loss, omega = loss.detach(), omega.detach()
        assert float(record.loss[i]) == pytest.approx(float(loss), abs=1e-12)
        if method.card.regularised:
            assert float(record.penalty[i]) == pytest.approx(float(omega), abs=1e-12)
        for layer, linear in enumerate(network.linear):
            ours = ensemble._gradients.weights[layer][i]
            torch.testing.assert_close(
                ours[:, : linear.in_features], linear.weight.grad, rtol=0, atol=1e-12
            )
            assert not ours[:, linear.in_features :].any()  # the padding
            if linear.bias is not None:
                torch.testing.assert_close(
                    ensemble._gradients.biases[layer][i], linear.bias.grad, rtol=0, atol=1e-12
                )


@pytest.mark.parametrize("key", ["rrr", "x_gradient", "expected_gradients:2"])
def test_without_strength_only_the_loss_pulls(key: str) -> None:
    splits = double_splits(make_cohort(), 2)
    config = EnsembleConfig(parse_method(key), hidden=(9, 4))
    ensemble = PriorEnsemble(splits, config)
    networks = [ensemble.parameters.network(i) for i in range(2)]
    record = ensemble.step(0.0)
    assert record is not None
    assert record.gini.isfinite().all()
    for i, network in enumerate(networks):
        x, y = training_rows(splits, i)
        binary_cross_entropy_with_logits(network(x), y).backward()
        torch.testing.assert_close(
            ensemble._gradients.weights[1][i], network.linear[1].weight.grad, rtol=0, atol=1e-13
        )


def test_what_is_not_measured_is_nan_not_a_number() -> None:
    splits = double_splits(make_cohort(), 2)
    config = EnsembleConfig(parse_method("none"), hidden=(4,), measure=False)
    record = PriorEnsemble(splits, config).step(1.0)
    assert record is not None
    assert record.penalty.isnan().all()
    assert record.gini.isnan().all()
    assert record.profile.isnan().all()
    assert not record.undefined.any()
