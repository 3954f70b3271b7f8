"""The stacked trainer against separate runs, and its edge cases."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from tests.priors.small_cohorts import CPU, cohort_of, double_splits, make_cohort, training_rows
from xdnn_core.data.cohorts.splitting import split_cohort
from xdnn_core.models.mlp import MLP, MLPConfig
from xdnn_core.priors.ensemble import EnsembleConfig, PriorEnsemble
from xdnn_core.priors.loss import attribution_prior_loss
from xdnn_core.priors.methods import parse_method
from xdnn_core.priors.sampling import draw_path, replicate_seeds
from xdnn_core.priors.splits import stack_splits

KEYS = [
    "none", "none_without_bias", "gradient", "rrr", "input_x_gradient", "x_gradient",
    "expected_gradients:2", "integrated_gradients:3",
]  # fmt: skip
HIDDEN = (16, 8)
SMALL = EnsembleConfig(parse_method("x_gradient"), hidden=HIDDEN)


def trained(ensemble: PriorEnsemble, epochs: int) -> PriorEnsemble:
    for _ in range(epochs):
        assert ensemble.step(1.0) is not None
    return ensemble


@pytest.mark.parametrize("key", KEYS)
def test_a_stack_trains_as_separate_stacks_of_one(key: str) -> None:
    config = replace(SMALL, method=parse_method(key))
    cohort = make_cohort()
    stack = trained(PriorEnsemble(double_splits(cohort, 3), config, seed=0), 100)
    for i in range(3):
        alone = trained(PriorEnsemble(double_splits(cohort, 1, seed=i), config, seed=i), 100)
        for ours, theirs in zip(stack.parameters.tensors, alone.parameters.tensors, strict=True):
            torch.testing.assert_close(ours[i], theirs[0], rtol=0, atol=1e-12)
        assert int(stack.best_epoch[i]) == int(alone.best_epoch[0])
        assert float(stack.best_auc[i]) == pytest.approx(float(alone.best_auc[0]), abs=1e-12)
        torch.testing.assert_close(stack.test_auc([i]), alone.test_auc(), rtol=0, atol=1e-12)


def one_network(splits_of: int, key: str, strengths: list[float]) -> tuple[MLP, int, list[float]]:
    """Train replicate `splits_of` plainly: autograd, torch's Adam, scikit-learn's ROC-AUC."""
    method = parse_method(key)
    splits = double_splits(make_cohort(), 3)
    x, y = training_rows(splits, splits_of)
    held_out = splits.x[splits_of, splits.train :, : splits.features]
    (seed,) = replicate_seeds(splits_of, 1, "weights")
    network = MLP(MLPConfig(splits.features, HIDDEN, method.card.biases), seed).double()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    draw_seeds = torch.tensor(replicate_seeds(splits_of, 1, "references"))
    scores: list[float] = []
    for epoch, strength in enumerate(strengths):
        draws = None
        if method.name == "expected_gradients":
            draws = draw_path(draw_seeds, epoch, len(x), method.samples)
        loss = binary_cross_entropy_with_logits(network(x), y)
        loss = loss + strength * attribution_prior_loss(network, x, method, draws=draws)
        scores.append(
            roc_auc_score(splits.validation_labels[splits_of], network(held_out).detach())
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network, int(np.argmax(scores)), scores


@pytest.mark.parametrize("key", KEYS)
def test_a_stack_trains_as_plain_torch_does_with_strength_changing(key: str) -> None:
    strengths = [1.0] * 30 + [10.0] * 30 + [0.0] * 10 + [0.1] * 30
    config = replace(SMALL, method=parse_method(key))
    ensemble = PriorEnsemble(double_splits(make_cohort(), 3), config)
    scores = []
    for strength in strengths:
        record = ensemble.step(strength)
        assert record is not None
        scores.append(record.validation_auc)
    network, best, expected = one_network(1, key, strengths)
    ours = ensemble.parameters.network(1)
    for mine, theirs in zip(ours.parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-10)
    assert [float(score[1]) for score in scores] == pytest.approx(expected, abs=1e-12)
    assert int(ensemble.best_epoch[1]) == best


@pytest.mark.parametrize("key", ["x_gradient", "expected_gradients:3"])
def test_tiles_change_nothing(key: str) -> None:
    config = replace(SMALL, method=parse_method(key))
    splits = double_splits(make_cohort(), 5)
    whole, tiled = PriorEnsemble(splits, config), PriorEnsemble(splits, config)
    whole._tile, tiled._tile = 5, 2
    trained(whole, 20)
    trained(tiled, 20)
    torch.testing.assert_close(whole.parameters.flat, tiled.parameters.flat, rtol=0, atol=1e-13)
    assert torch.equal(whole.best_epoch, tiled.best_epoch)


def test_the_same_seed_trains_the_same_and_another_does_not() -> None:
    splits = stack_splits(make_cohort(), range(3), CPU)
    runs = [trained(PriorEnsemble(splits, SMALL, seed), 5).parameters.flat for seed in (4, 4, 5)]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_a_stopped_epoch_changes_nothing() -> None:
    splits = double_splits(make_cohort(), 4)
    config = replace(SMALL, method=parse_method("expected_gradients:2"))
    stopped, other = PriorEnsemble(splits, config), PriorEnsemble(splits, config)
    stopped._tile = 1
    answers = iter([False, False, True])
    assert stopped.step(1.0, lambda: next(answers)) is None
    assert stopped.epoch == 0
    assert stopped.test_auc(should_stop=lambda: True) is None
    trained(stopped, 3)
    trained(other, 3)
    torch.testing.assert_close(stopped.parameters.flat, other.parameters.flat, rtol=0, atol=1e-13)


def test_the_loss_logged_is_cross_entropy_alone() -> None:
    splits = double_splits(make_cohort(), 2)
    ensemble = PriorEnsemble(splits, SMALL)
    network = ensemble.parameters.network(0)
    record = ensemble.step(1000.0)
    assert record is not None
    x, y = training_rows(splits, 0)
    expected = binary_cross_entropy_with_logits(network(x), y).detach()
    assert float(record.loss[0]) == pytest.approx(float(expected), abs=1e-12)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-4)])
def test_the_best_networks_are_tested_on_rows_standardised_by_their_split(
    dtype: torch.dtype, tolerance: float
) -> None:
    cohort = make_cohort(features=9)
    ensemble = PriorEnsemble(stack_splits(cohort, range(3), CPU, dtype), SMALL)
    kept: dict[int, Tensor] = {}
    for epoch in range(25):
        before = [ensemble.parameters.network(i) for i in range(3)]
        assert ensemble.step(1.0) is not None
        for i in range(3):
            if int(ensemble.best_epoch[i]) == epoch:
                split = split_cohort(cohort, i)
                rows = split.standardise(cohort.features[split.test])
                kept[i] = before[i](torch.tensor(rows, dtype=dtype)).detach()
    areas = ensemble.test_auc()
    assert areas is not None
    for i in range(3):
        expected = roc_auc_score(cohort.labels[split_cohort(cohort, i).test], kept[i])
        assert float(areas[i]) == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("key", ["x_gradient", "input_x_gradient", "expected_gradients:2"])
def test_zero_attributions_are_counted_and_harm_nothing(key: str) -> None:
    """Without any variation every standardised input is 0, and so is every attribution."""
    cohort = make_cohort()
    flat = cohort_of(np.ones_like(cohort.features), cohort.labels)
    config = replace(SMALL, method=parse_method(key))
    ensemble = PriorEnsemble(stack_splits(flat, range(2), CPU), config)
    for _ in range(10):
        record = ensemble.step(100.0)
        assert record is not None
        assert record.undefined.all()
        assert record.penalty.isnan().all()
        assert record.gini.isnan().all()
    assert ensemble.zero_attributions.tolist() == [10, 10]
    assert ensemble.parameters.flat.isfinite().all()
    areas = ensemble.test_auc()
    assert areas is not None
    assert areas.tolist() == [0.5, 0.5]


def test_constant_columns_train_on() -> None:
    cohort = make_cohort()
    values = cohort.features.copy()
    values[:, 3] = 12.0
    ensemble = PriorEnsemble(double_splits(cohort_of(values, cohort.labels), 2), SMALL)
    trained(ensemble, 20)
    assert ensemble.parameters.flat.isfinite().all()
    record = ensemble.step(1.0)
    assert record is not None
    assert record.profile[:, 3].tolist() == [0.0, 0.0]


def test_a_single_class_validation_split_has_no_score_and_no_best() -> None:
    cohort = make_cohort(rows=300)
    split = split_cohort(cohort, 0)
    labels = cohort.labels.copy()
    labels[split.validation] = 1.0
    splits = double_splits(cohort_of(cohort.features, labels), 2)
    ensemble = trained(PriorEnsemble(splits, SMALL), 5)
    assert ensemble.best_epoch.tolist()[0] == -1
    assert int(ensemble.best_epoch[1]) >= 0
    areas = ensemble.test_auc()
    assert areas is not None
    assert areas.isnan().tolist() == [True, False]


def test_diverged_replicates_have_no_score() -> None:
    splits = stack_splits(make_cohort(), range(2), CPU)
    ensemble = PriorEnsemble(splits, SMALL)
    ensemble.parameters.flat.fill_(torch.nan)
    trained(ensemble, 2)
    assert ensemble.best_epoch.tolist() == [-1, -1]
    assert ensemble.best_gini.isnan().all()
