"""Signed maps on screen: zero neutral, one symmetric scale, nothing stretched that is nothing."""

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from xdnn_core.figures.rendering import (
    channel_sum,
    colourise,
    is_near_zero,
    light_blur,
    overlay,
    palette_colours,
    shared_scale,
)

THEMES = ("light", "dark")
themes = pytest.mark.parametrize("theme", THEMES)
NEUTRAL = {"light": (255, 255, 255), "dark": (0x10, 0x14, 0x1C)}


def rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def brightness(colour: np.ndarray) -> float:
    return float(colour @ np.array([0.2126, 0.7152, 0.0722]))


@themes
def test_zero_is_exactly_the_neutral_colour(theme: str) -> None:
    picture = colourise(np.array([[0.0, -0.0], [1.0, 0.0]]), 3.7, theme)
    assert picture.shape == (2, 2, 3)
    assert picture.dtype == np.uint8
    assert tuple(picture[0, 0]) == tuple(picture[0, 1]) == NEUTRAL[theme]
    assert rgb(palette_colours(theme)[2]) == NEUTRAL[theme]


@themes
def test_the_ends_and_what_is_beyond(theme: str) -> None:
    picture = colourise(np.array([[-1.0, -50.0, 1.0, 50.0, 0.5, -0.5]]), 1.0, theme)[0]
    ends = palette_colours(theme)
    assert tuple(picture[0]) == tuple(picture[1]) == rgb(ends[0])
    assert tuple(picture[2]) == tuple(picture[3]) == rgb(ends[4])
    assert tuple(picture[4]) == rgb(ends[3])
    assert tuple(picture[5]) == rgb(ends[1])


@themes
@given(value=st.floats(0.1, 1))
def test_blue_is_negative_and_orange_positive(theme: str, value: float) -> None:
    negative, positive = colourise(np.array([[-value, value]]), 1.0, theme)[0].astype(int)
    assert negative[2] - negative[0] > positive[2] - positive[0]
    assert positive[0] >= positive[2]
    assert negative[2] >= negative[0]


@themes
def test_stronger_values_are_further_from_neutral(theme: str) -> None:
    """Both arms get steadily darker (light theme) or brighter (dark theme)."""
    ramp = colourise(np.linspace(-1, 1, 201)[None], 1.0, theme)[0]
    levels = np.array([brightness(colour) for colour in ramp])
    away = np.diff(levels) * (1 if theme == "light" else -1)
    assert (away[:100] >= -1e-9).all()
    assert (away[100:] <= 1e-9).all()


@themes
@pytest.mark.parametrize("limit", [0.0, -1.0])
def test_a_scale_of_zero_gives_the_neutral_colour(theme: str, limit: float) -> None:
    picture = colourise(np.zeros((4, 5)), limit, theme)
    assert (picture == NEUTRAL[theme]).all()
    image = np.full((4, 5, 3), 100, dtype=np.uint8)
    assert np.array_equal(
        overlay(np.zeros((4, 5)), limit, image, theme), overlay(np.zeros((4, 5)), 1.0, image, theme)
    )


@given(factor=st.floats(1e-6, 1e6), theme=st.sampled_from(THEMES))
def test_colours_depend_on_the_ratio_alone(factor: float, theme: str) -> None:
    pixels = np.random.default_rng(0).normal(size=(8, 8))
    scaled = colourise(pixels * factor, 2 * factor, theme).astype(int)
    assert np.abs(scaled - colourise(pixels, 2.0, theme)).max() <= 1


def test_shared_scale_pools_and_says_what_it_clips() -> None:
    first = np.arange(1.0, 101.0).reshape(10, 10)  # 1 ... 100
    second = -np.arange(101.0, 201.0).reshape(10, 10)
    scale = shared_scale([first, second])
    assert scale.limit == pytest.approx(np.percentile(np.arange(1, 201), 99))
    assert scale.limit == pytest.approx(198.01)
    assert scale.clipped_share == pytest.approx(2 / 200)
    flipped = shared_scale([-first, -second])
    assert flipped == scale


def test_shared_scale_of_constant_and_of_zero_maps() -> None:
    constant = shared_scale([np.full((4, 4), -2.0)])
    assert (constant.limit, constant.clipped_share) == (2, 0)
    zero = shared_scale([np.zeros((4, 4)), np.zeros((2, 2))])
    assert (zero.limit, zero.clipped_share) == (0, 0)


def test_a_sparse_map_is_not_drawn_as_nothing() -> None:
    """Where fewer than 1 % of the pixels are not 0, the 99th percentile is 0, the map is not."""
    sparse = np.zeros((50, 50))
    sparse[3, 4], sparse[5, 6] = 2.0, -1.0
    scale = shared_scale([sparse])
    assert scale.limit > 0
    assert not (colourise(sparse, scale.limit) == NEUTRAL["light"]).all()


def test_near_zero_maps() -> None:
    pixels = np.array([[0.0, 1e-9], [-1e-9, 0.0]])
    assert is_near_zero(pixels, reference=1.0)
    assert not is_near_zero(pixels, reference=2e-8)
    assert not is_near_zero(-pixels * 1e9, reference=1.0)
    assert is_near_zero(np.zeros((2, 2)), reference=0.0)
    assert not is_near_zero(pixels, reference=0.0)


def test_channel_sum_keeps_signs() -> None:
    values = torch.tensor([[[1.0, -2.0]], [[-4.0, 2.0]], [[0.5, -1.0]]], requires_grad=True)
    found = channel_sum(values)
    assert found.tolist() == [[-2.5, -1.0]]
    assert found.dtype == np.float64


def test_light_blur_keeps_constants_and_signs() -> None:
    np.testing.assert_allclose(light_blur(np.full((9, 9), 0.3)), 0.3)
    spot = np.zeros((21, 21))
    spot[10, 10] = 1
    blurred = light_blur(spot)
    assert blurred.sum() == pytest.approx(1)
    assert blurred.argmax() == 10 * 21 + 10
    np.testing.assert_allclose(light_blur(-spot), -blurred)


@themes
@given(seed=st.integers(0, 1000), limit=st.floats(1e-3, 1e3))
def test_overlay_mixes_ground_and_colour(theme: str, seed: int, limit: float) -> None:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (6, 7, 3), dtype=np.uint8)
    pixels = rng.normal(size=(6, 7)) * 2
    picture = overlay(pixels, limit, image, theme).astype(float)
    assert picture.shape == (6, 7, 3)
    ground = overlay(np.zeros((6, 7)), limit, image, theme).astype(float)
    colours = np.array([rgb(palette_colours(theme)[i]) for i in (1, 3)], dtype=float)
    full = np.where(pixels[..., None] < 0, colours[0], colours[1])
    assert (picture >= np.minimum(ground, full) - 1).all()
    assert (picture <= np.maximum(ground, full) + 1).all()
    beyond = np.abs(pixels) >= limit
    assert np.array_equal(picture[beyond], full[beyond])


@themes
def test_overlay_ground_is_grey_and_leaves_room_for_the_colours(theme: str) -> None:
    image = np.zeros((2, 2, 3), dtype=np.uint8)
    image[0], image[1, 0] = 255, (255, 0, 0)
    ground = overlay(np.zeros((2, 2)), 1.0, image, theme)
    assert (ground == ground[..., :1]).all()
    assert ground[0, 0, 0] > ground[1, 0, 0] > ground[1, 1, 0]
    assert ground.min() >= 110 if theme == "light" else ground.max() <= 141
