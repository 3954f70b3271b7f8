"""The cost of a training step: what is compared with what, and that the step is a step."""

from pathlib import Path

import pandas as pd
import pytest
import torch
from torch.nn.functional import cross_entropy

from tests.experiments.small_pair import make_pair
from xdnn_core.cli import main
from xdnn_core.errors import UserError
from xdnn_core.experiments import cost
from xdnn_core.experiments.cost import PRIORS, Cost, load_cost, training_step
from xdnn_core.experiments.measuring import in_fresh_process
from xdnn_core.experiments.provenance import Provenance, save_result
from xdnn_core.models.zoo import PretrainedModel
from xdnn_core.priors.penalties import gini


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> PretrainedModel:
    """The command on a small network, with memory that is not measured."""
    model = make_pair()[0]
    monkeypatch.setattr(cost, "load_model", lambda name, device: model)
    monkeypatch.setattr(cost, "in_fresh_process", lambda work, name, prior, *_: 1000 + len(prior))
    monkeypatch.setattr(cost, "_SIZE", 64)
    return model


def test_a_step_with_a_prior_subtracts_the_gini_of_the_attributions() -> None:
    x_network = make_pair(torch.float64)[1].network.requires_grad_(True)
    inputs = torch.randn(3, 3, 64, 64, dtype=torch.float64)
    labels = torch.tensor([0, 3, 1])
    plain = training_step(x_network, inputs, labels, "none_without_bias")
    assert plain == pytest.approx(float(cross_entropy(x_network(inputs), labels).detach()))
    without = [p.grad.clone() for p in x_network.parameters()]
    found = training_step(x_network, inputs, labels, "x_gradient", strength=2.0)
    x = inputs.clone().requires_grad_()
    picked = x_network(x).gather(1, labels[:, None]).sum()
    attributions = inputs * torch.autograd.grad(picked, x)[0]
    profile = attributions.abs().mean(dim=0).flatten()
    assert found == pytest.approx(plain - 2 * float(gini(profile)), rel=1e-12)
    changed = [
        not torch.allclose(p.grad, before)
        for p, before in zip(x_network.parameters(), without, strict=True)
    ]
    assert all(changed), "every weight is trained by the penalty"


def test_every_prior_is_compared_with_the_plain_step_of_its_network(
    small: PretrainedModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "cost.parquet"
    options = ["--batch", "2", "--repeats", "1", "--device", "cpu", "--out", str(out)]
    assert main(["cost", *options]) == 0
    printed = capsys.readouterr().out
    assert "X-Gradient" in printed
    found = {step.prior: step for step in load_cost(out).steps}
    assert tuple(found) == PRIORS
    for plain in ("none", "none_without_bias"):
        assert (found[plain].time_ratio, found[plain].memory_ratio) == (1, 1)
    x_step = found["x_gradient"]
    without = found["none_without_bias"]
    assert x_step.time_ratio == pytest.approx(x_step.seconds / without.seconds)
    assert x_step.memory_ratio == pytest.approx(x_step.peak_bytes / without.peak_bytes)
    many = found["integrated_gradients:32"]
    assert many.time_ratio == pytest.approx(many.seconds / found["none"].seconds)
    # The paper's "130 times" is Expected Gradients with 32 references beside X-Gradient.
    assert {"expected_gradients:1", "expected_gradients:8", "expected_gradients:32"} < set(found)
    eg = found["expected_gradients:32"]
    assert eg.time_to_x == pytest.approx(eg.seconds / x_step.seconds)
    assert eg.memory_to_x == pytest.approx(eg.peak_bytes / x_step.peak_bytes)
    assert small.network.config.biases, "the network that was given is as it was"


def test_a_result_of_an_older_version_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "cost.parquet"
    made = Provenance("a test", "today", "a desk", "made", 4)
    old = Cost("small", 2, 1, (), made)
    save_result(file, pd.DataFrame({"prior": ["none"], "time_ratio": [1.0]}), old, "cost")
    with pytest.raises(UserError, match=r"made by an older version and lacks time_to_x; make it"):
        load_cost(file)


def test_wrong_options_are_one_sentence(
    small: PretrainedModel, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cost", "--batch", "0"]) == 2
    assert "--batch is 0; give 1 or more." in capsys.readouterr().err
    monkeypatch.setattr(cost, "load_model", lambda name, device: make_pair()[1])
    assert main(["cost", "--network", "xalexnet-caltech101"]) == 2
    assert "has no biases already" in capsys.readouterr().err


def peaks(batches: tuple[int, ...]) -> list[int]:
    """The memory of one step after the other; for a process of its own."""
    return [cost.peak_of("alexnet-caltech101", "none", batch, "cpu", 1) for batch in batches]


def test_the_peak_of_a_step_holds_its_activations() -> None:
    """In a fresh process, on the embedded network: eight images need more than one."""
    one, eight = in_fresh_process(peaks, (1, 8))
    assert eight > one > 0
