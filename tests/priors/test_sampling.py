"""Draws of Expected Gradients."""

import pytest
import torch

from xdnn_core.priors.sampling import draw_path, replicate_seeds

SEEDS = torch.tensor(replicate_seeds(0, 5, "references"))


@pytest.mark.parametrize("samples", [1, 3, 8])
def test_every_row_is_a_reference_exactly_k_times(samples: int) -> None:
    draws = draw_path(SEEDS, step=4, rows=50, samples=samples)
    assert draws.references.shape == draws.positions.shape == (5, 50, samples)
    for replicate in draws.references:
        assert torch.bincount(replicate.flatten(), minlength=50).tolist() == [samples] * 50


def test_independent_draws_do_not_use_rows_equally() -> None:
    drawn = draw_path(SEEDS, 0, 50, 4, independent=True).references[0].flatten()
    counts = torch.bincount(drawn, minlength=50)
    assert counts.sum() == 200
    assert len(counts) == 50
    assert counts.unique().numel() > 1


def test_positions_and_independent_references_are_uniform() -> None:
    draws = draw_path(SEEDS, 1, 1000, 20, independent=True)
    t = draws.positions.flatten()
    assert float(t.min()) > 0
    assert float(t.max()) < 1
    histogram = torch.histc(t, 20, 0, 1)
    assert float((histogram - 5000).abs().max()) < 5 * 5000**0.5
    counts = torch.bincount(draws.references.flatten(), minlength=1000).double()
    assert float((counts - 100).abs().max()) < 6 * 10
    pairs = torch.stack([t[:-1], t[1:]])
    assert abs(float(torch.corrcoef(pairs)[0, 1])) < 0.02


def test_a_replicate_draws_the_same_alone_as_in_a_stack() -> None:
    together = draw_path(SEEDS, 7, 30, 2)
    alone = draw_path(SEEDS[3:4], 7, 30, 2)
    assert torch.equal(together.references[3:4], alone.references)
    assert torch.equal(together.positions[3:4], alone.positions)


def test_steps_seeds_and_streams_differ() -> None:
    first, second = draw_path(SEEDS, 0, 40, 2), draw_path(SEEDS, 1, 40, 2)
    assert not torch.equal(first.references, second.references)
    assert first.positions.flatten().unique().numel() == 400
    assert not set(first.positions.flatten().tolist()) & set(second.positions.flatten().tolist())


def test_replicate_seeds_follow_the_base_seed() -> None:
    assert replicate_seeds(3, 2, "weights") == replicate_seeds(0, 5, "weights")[3:]
    assert not set(replicate_seeds(0, 5, "weights")) & set(replicate_seeds(0, 5, "references"))
