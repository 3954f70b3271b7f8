"""What is said about a sweep."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pages.contrast_parts.curves import contrast_curves, drawn_map
from xdnn_core.attribution.contrast_result import RaySweep
from xdnn_core.attribution.contrast_sweep import ray_sweep

STOPS = [0.0, 0.25, 0.5, 1.0, 1.25, 1.5]


def made(top: list[int]) -> RaySweep:
    """A sweep whose maps are those of α = 1, scaled, and whose top classes are given."""
    stops = torch.tensor(STOPS, dtype=torch.float64)
    maps = stops[:, None, None] * torch.randn(16, 16, dtype=torch.float64)
    logits = torch.nn.functional.one_hot(torch.tensor(top), 3).double()
    none = torch.zeros(len(STOPS))
    return RaySweep(
        stops, maps, maps, logits, 1, torch.tensor(top), none, none, none, none, none, 1, 0.0,
        "sweep",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("top", "below", "above"),
    [
        ([1, 1, 1, 1, 1, 1], None, None),
        ([0, 0, 2, 1, 1, 1], 0.5, None),
        ([0, 1, 1, 1, 1, 2], 0.0, 1.5),
        ([1, 2, 1, 1, 2, 2], 0.25, 1.25),
    ],
)
def test_where_the_prediction_changes(
    top: list[int], below: float | None, above: float | None
) -> None:
    curves = contrast_curves(made(top))
    assert (curves.changes_below, curves.changes_above) == (below, above)
    assert curves.never_changes == (below is None and above is None)
    assert curves.class_at_one == 1


def test_maps_that_only_scale_stay_similar() -> None:
    curves = contrast_curves(made([1] * 6))
    for similarity in (
        curves.fast_cosine, curves.integrated_cosine, curves.fast_ssim, curves.integrated_ssim,
    ):  # fmt: skip
        assert np.isnan(similarity[0])  # there is no map at α = 0
        assert similarity[1:] == pytest.approx(np.ones(5), abs=1e-9)


def test_other_maps_are_less_similar() -> None:
    sweep = made([1] * 6)
    noise = torch.randn(16, 16, dtype=torch.float64)
    other = sweep.integrated.clone()
    other[1], other[2] = -other[3], other[3] + noise
    curves = contrast_curves(replace(sweep, integrated=other))
    assert curves.integrated_cosine[1] == pytest.approx(-1)
    assert curves.integrated_ssim[1] < 0
    assert 0 < curves.integrated_cosine[2] < 0.95
    assert 0 < curves.integrated_ssim[2] < 0.95
    assert curves.fast_ssim[2] == pytest.approx(1)


def test_target_logit_and_confidence() -> None:
    curves = contrast_curves(made([0, 0, 0, 1, 1, 1]))
    assert curves.target_logits.tolist() == [0, 0, 0, 1, 1, 1]
    e = np.e
    assert curves.confidences.tolist() == pytest.approx(3 * [1 / (e + 2)] + 3 * [e / (e + 2)])


def test_a_drawn_map_fills_its_scale() -> None:
    drawn = drawn_map(np.random.default_rng(0).normal(size=(40, 40)) * 1e-6)
    assert np.abs(drawn).max() == 1
    assert not drawn_map(np.zeros((4, 4))).any()


def test_an_x_network_never_changes(x_net: torch.nn.Module, images: torch.Tensor) -> None:
    curves = contrast_curves(ray_sweep(x_net, images[:1], 0))
    assert curves.never_changes
    assert curves.integrated_ssim[1:] == pytest.approx(np.ones(30), abs=1e-9)
    assert curves.target_logits == pytest.approx(curves.stops * curves.target_logits[20])
