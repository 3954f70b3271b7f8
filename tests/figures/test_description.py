"""A map in words: known maps, and shares that are shares."""

import numpy as np

from xdnn_core.figures.description import map_description


def test_a_spot_is_found_where_it_is() -> None:
    pixels = np.zeros((80, 80))
    pixels[5:15, 65:75] = -2.0
    text = map_description(pixels).replace("\u00a0", " ")
    assert "Strongest of 4×4 cells: top far right 100 %" in text
    share = float(text.split("holds ")[1].split(" %")[0])
    assert share > 80


def test_of_two_spots_the_larger_is_the_region() -> None:
    pixels = np.zeros((80, 80))
    pixels[0:20, 0:20] = 1.0
    pixels[62:70, 62:70] = 1.0
    text = map_description(pixels).replace("\u00a0", " ")
    assert "top far left 86 %, bottom far right 14 %" in text
    covered = float(text.split("covers ")[1].split(" %")[0])
    assert 4 < covered < 12


def test_nothing_is_said_to_be_nothing() -> None:
    assert map_description(np.zeros((8, 8))) == "The map is zero everywhere."
