"""Contrast without a browser: what is sent to the canvas, and what an address restores."""

from __future__ import annotations

import pytest

from tests.pages.conftest import OpenPage, canvas


def test_both_attributions_of_both_networks_are_sent_at_every_contrast(open_page: OpenPage) -> None:
    drawn = open_page("contrast", image="rooster")
    assert not drawn.exception
    header = canvas(drawn)
    panels = header["panels"]
    assert [(panel["title"], panel["network"]) for panel in panels] == [
        ("Photograph", ""),
        ("Input×Gradient", "AlexNet"), ("Integrated Gradients", "AlexNet"),
        ("X-Gradient", "X-AlexNet"), ("Integrated Gradients", "X-AlexNet"),
    ]  # fmt: skip
    stops = len(header["stops"])
    height, width = header["size"]
    for panel in panels[1:]:
        assert len(panel["stack"]["ranges"]) == stops
    sizes = [panel["stack"]["at"][1] for panel in panels[1:]]
    # Without biases a map only scales; it is sent once, for both attributions.
    assert sizes == [stops * height * width] * 2 + [height * width] * 2
    assert panels[3]["stack"]["at"] == panels[4]["stack"]["at"]
    assert header["stops"][header["start"]] == 1
    assert (header["tools"], header["view"]["scale"]) == (False, "own")
    assert [len(network["stops"]) for network in header["networks"]] == [stops] * 2


@pytest.mark.parametrize(
    ("address", "scale"),
    [
        ({"colours": "shared"}, "shared"),  # links of before the canvas
        ({"colours": "own"}, "own"),
        ({"scale": "shared"}, "shared"),
        ({"colours": "own", "scale": "shared"}, "shared"),
        ({"colours": "loud"}, "own"),
    ],
)
def test_links_old_and_new(open_page: OpenPage, address: dict[str, str], scale: str) -> None:
    drawn = open_page("contrast", image="rooster", alpha="0.4", blur="0", **address)
    assert not drawn.exception
    header = canvas(drawn)
    assert header["stops"][header["start"]] == pytest.approx(0.4)
    assert (header["view"]["scale"], header["view"]["blur"]) == (scale, 0)
    found = drawn.query_params
    assert "colours" not in found
    assert found.get("scale", "own") == scale
    assert (found["alpha"], found["blur"]) == ("0.4", "0")
