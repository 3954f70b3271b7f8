"""Scales and texts of the live settings."""

import itertools

import pytest

from pages.prior_parts.scales import (
    LEARNING_RATES,
    STRENGTHS,
    decimal_label,
    parse_hidden,
    path_label,
    strength_label,
)
from xdnn_core.errors import UserError
from xdnn_core.priors.live_state import LEARNING_RATE_RANGE, STRENGTH_RANGE, LiveConfig


def test_scales_cover_what_is_allowed_and_rise() -> None:
    off, *strengths = STRENGTHS
    assert off == 0
    assert (strengths[0], strengths[-1]) == STRENGTH_RANGE
    assert (LEARNING_RATES[0], LEARNING_RATES[-1]) == LEARNING_RATE_RANGE
    for scale in (strengths, LEARNING_RATES):
        assert all(1 < b / a <= 2.6 for a, b in itertools.pairwise(scale))
    assert LiveConfig.learning_rate in LEARNING_RATES
    assert LiveConfig.strength in STRENGTHS


def test_every_label_is_its_own_and_reads_back() -> None:
    assert strength_label(0.0) == "off"
    assert [decimal_label(v) for v in (1e-5, 0.015, 10.0, 1000.0)] == [
        "0.00001", "0.015", "10", "1000",
    ]  # fmt: skip
    for value in (*STRENGTHS[1:], *LEARNING_RATES):
        assert float(decimal_label(value)) == value


def test_the_path_of_a_strength_names_changes_only() -> None:
    assert path_label([1.0]) == "1"
    assert path_label([1.0, 1.0, 0.0, 10.0, 10.0]) == "1 → off → 10"
    assert path_label([1.0, 2.0, 3.0, 5.0, 7.0]) == "… → 2 → 3 → 5 → 7"


@pytest.mark.parametrize("text", ["512, 128, 32", "512-128-32", " 512 128  32 ", "512;128;32,"])
def test_hidden_layers_are_read(text: str) -> None:
    assert parse_hidden(text) == (512, 128, 32)


@pytest.mark.parametrize("text", ["", "  ", "many", "64, x", "1e3", "6.5", "-1", "²", "9999999"])
def test_what_is_no_list_of_widths_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="such as 512, 128, 32"):
        parse_hidden(text)
