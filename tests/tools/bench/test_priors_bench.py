"""The loop that `bench priors` measures against does the same work as the stack."""

import argparse

import pytest
import torch
from torch import nn

from tests.priors.small_cohorts import CPU, double_splits, make_cohort, training_rows
from tools.bench import priors, sequential_priors
from tools.bench.priors import Timing, x_gradient_rate
from xdnn_core.metrics.ranking import roc_auc
from xdnn_core.models.mlp import MLPConfig
from xdnn_core.priors.loss import training_attributions
from xdnn_core.priors.methods import parse_method
from xdnn_core.priors.penalties import gini
from xdnn_core.priors.splits import stack_splits


def small_model(features: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(features, 7, bias=False), nn.ReLU(), nn.Linear(7, 1, bias=False))


@pytest.mark.parametrize("key", ["gradient", "rrr", "x_gradient"])
def test_its_attributions_and_penalty_are_ours(key: str) -> None:
    splits = double_splits(make_cohort(), 1)
    x, _ = training_rows(splits, 0)
    model = small_model(splits.features).double()
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x))
    theirs = sequential_priors._attributions(model, x, parse_method(key), loader)
    torch.testing.assert_close(theirs, training_attributions(model, x, key), rtol=0, atol=1e-14)
    penalty = sequential_priors._pairwise_penalty(theirs).detach()
    expected = -gini(theirs.detach().abs().mean(dim=0))
    torch.testing.assert_close(penalty, expected, rtol=0, atol=1e-14)


def test_its_expected_gradients_of_a_linear_model_sum_to_zero() -> None:
    """Every row is a reference k times, so Σ (x − r)·w vanishes."""
    x = torch.randn(12, 3)
    model = nn.Sequential(nn.Linear(3, 1, bias=False))
    copies = torch.utils.data.TensorDataset(torch.cat([x] * 4))
    loader = torch.utils.data.DataLoader(copies, batch_size=48, shuffle=True)
    method = parse_method("expected_gradients:4")
    found = sequential_priors._attributions(model, x, method, loader)
    assert found.shape == (12, 3)
    torch.testing.assert_close(found.sum(dim=0), torch.zeros(3), rtol=0, atol=1e-5)


def test_it_learns_and_keeps_the_best() -> None:
    splits = stack_splits(make_cohort(), range(1), CPU)
    seen: list[float] = []

    def score(logits: torch.Tensor, labels: torch.Tensor) -> float:
        seen.append(float(roc_auc(logits, labels)))
        return seen[-1]

    best = sequential_priors.train_sequentially(splits, 0, parse_method("x_gradient"), 8, score)
    held_out = splits.x[0, splits.train :, : splits.features]
    reached = roc_auc(best(held_out)[:, 0], splits.validation_labels[0])
    assert len(seen) == 8
    assert float(reached) == pytest.approx(max(seen))


def test_rates_and_ratios() -> None:
    assert Timing("none", 3.0, 2.0, 0.5).ratio == 6
    assert Timing("none", 3.0, 2.0, 0.5).ratio_our_auc == 4
    splits = stack_splits(make_cohort(), range(1), CPU)
    work = 5 * 2 * 100 * MLPConfig(splits.features).multiplications * 10
    assert x_gradient_rate(splits, 2.0, 10) == pytest.approx(work / 2)


def test_the_command_prints_every_method(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    priors.add_arguments(parser)
    options = parser.parse_args(
        ["--replicates", "2", "--epochs", "1", "--rounds", "1", "--device", "cpu"]
    )
    assert priors.main(options) == 0
    printed = capsys.readouterr().out
    for key in priors.TARGETS:
        assert f"\n{key} " in printed
    assert "of this machine's" in printed
