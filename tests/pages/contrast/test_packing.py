"""Maps as bytes: what the browser reads is what the sweep said."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pages.contrast_parts.packing import (
    mean_colour,
    nearest_stop,
    pack_maps,
    pack_multiples,
    pack_sweep,
)
from xdnn_core.attribution.contrast_sweep import STOPS, ray_sweep
from xdnn_core.data.preprocessing import Preprocessing
from xdnn_core.figures.rendering import colourise, light_blur, shared_scale


def random_maps(count: int) -> np.ndarray:
    """Signed maps with a few large values, as attributions have."""
    return np.random.default_rng(0).standard_normal((count, 40, 40)) ** 3


def test_packed_maps_are_the_maps_within_a_step_of_the_code() -> None:
    maps = random_maps(4)
    packed = pack_maps(maps)
    for stop, one in enumerate(maps):
        # The steps are widest at the largest value: 2/127 of it, and rounding is half a step off.
        step = 2 / 127 * np.abs(one).max()
        assert np.abs(packed.values(stop) - one).max() <= step / 2 * 1.01


def test_the_picture_drawn_from_bytes_is_the_one_the_core_draws() -> None:
    blurred = light_blur(random_maps(1)[0])
    from_bytes = light_blur(pack_maps(random_maps(1)).values(0))
    limit = shared_scale([blurred]).limit
    drawn, exact = (colourise(one, limit).astype(int) for one in (from_bytes, blurred))
    assert np.abs(drawn - exact).mean() < 1.5  # levels of 255


def test_multiples_of_a_map_share_its_bytes() -> None:
    pixels = random_maps(1)[0]
    factors = np.array([0.0, 0.5, 1.5])
    packed = pack_multiples(pixels, factors)
    each = pack_maps(factors[:, None, None] * pixels)
    assert packed.codes.shape == (1, 40, 40)
    for stop in range(len(factors)):
        np.testing.assert_allclose(packed.values(stop), each.values(stop), atol=1e-12)


def test_a_map_of_zeros_stays_zero() -> None:
    packed = pack_maps(np.zeros((2, 8, 8)))
    assert not packed.codes.any()
    assert not packed.values(1).any()
    assert packed.ranges.tolist() == [0, 0]


def test_a_sweep_is_packed_in_logits(
    x_net: torch.nn.Module, conv_net: torch.nn.Module, images: torch.Tensor
) -> None:
    for network in (x_net, conv_net):
        sweep = ray_sweep(network, images[:1], 1, cells=20)
        fast, integrated = pack_sweep(sweep)
        assert (fast is integrated) == (network is x_net)
        expected = sweep.integrated[-1].numpy()
        step = np.abs(expected).max() / 127
        np.testing.assert_allclose(integrated.values(len(STOPS) - 1), expected, atol=step)


@pytest.mark.parametrize("alpha", [0.0, 0.35, 1.0, 1.5])
def test_contrast_around_the_mean_colour_is_contrast_of_the_normalised_image(alpha: float) -> None:
    preprocessing = Preprocessing()
    pixels = np.random.default_rng(1).integers(0, 256, (6, 6, 3)).astype(np.uint8)
    normalised = preprocessing.normalise(torch.from_numpy(pixels).permute(2, 0, 1) / 255)
    expected = preprocessing.to_display(alpha * normalised)
    mean = np.array(mean_colour(preprocessing))
    drawn = np.clip(mean + alpha * (pixels - mean), 0, 255).round()
    assert np.abs(drawn - expected).max() <= 1


def test_the_nearest_stop() -> None:
    assert STOPS[nearest_stop(STOPS, 0.52)] == 0.5
    assert STOPS[nearest_stop(STOPS, 0.53)] == 0.55
