"""Start without a browser: one sentence, a photograph, two maps a network, three doors."""

from __future__ import annotations

import pytest
import streamlit as st

from pages.common import photo
from tests.experiments.small_pair import make_pair
from tests.pages.conftest import APP, OpenPage, canvas, everything, protos
from xdnn_core.data.gallery import gallery
from xdnn_core.errors import UserError
from xdnn_core.experiments.comparison import IntegrationSettings, compare, predict
from xdnn_core.text import percent

# What stands on a door, and where it leads.
DOORS = {
    "Look": ["compare", "contrast", "convergence"],
    "Check": ["axioms", "results"],
    "Train": ["prior_training"],
}


def test_it_says_what_this_is_and_shows_it(open_page: OpenPage) -> None:
    st.cache_resource.clear()
    drawn = open_page("start")
    assert not drawn.exception
    (sentence,) = (text.value for text in drawn.markdown if text.value.startswith("#"))
    assert sentence.startswith("### See what an attribution says")
    pictures = [image.alt for images in protos(drawn, "image") for image in images.imgs]
    assert pictures == [
        "Rooster",
        "Input×Gradient of AlexNet",
        "Integrated Gradients of AlexNet",
        "X-Gradient of X-AlexNet",
        "Integrated Gradients of X-AlexNet",
    ]
    assert drawn.query_params == {}


def test_the_distances_are_those_of_the_maps_on_screen(open_page: OpenPage) -> None:
    st.cache_resource.clear()
    drawn = open_page("start")
    regular, x = make_pair()
    rooster = next(item for item in gallery() if item.key == "rooster").open()
    inputs = regular.preprocess(rooster)[None]
    target = predict(regular, inputs)[0].index
    coarse = IntegrationSettings(steps=16)
    apart, together = (
        percent(compare(model, inputs, target, coarse).distance) for model in (regular, x)
    )
    (sentence,) = (
        text.value for text in drawn.markdown if "are meant to say the same" in text.value
    )
    assert f"differ by **{apart}**" in sentence
    assert f"by **{together}**: there one gradient is enough" in sentence
    assert "16 gradients, coarse" in everything(drawn)


def test_three_doors_lead_to_all_other_pages(open_page: OpenPage) -> None:
    drawn = open_page("start")
    titles = [text.value for text in drawn.markdown if text.value.strip("*") in DOORS]
    assert titles == [f"**{title}**" for title in DOORS]
    links = [link.page for link in protos(drawn, "page_link")]
    assert links == [page for pages in DOORS.values() for page in pages]
    assert {*links, "start"} == {file.stem for file in APP.parent.glob("pages/*.py")}


@pytest.mark.parametrize("picture", ["heatmap", "overlay"])
@pytest.mark.parametrize("values", ["relative to logit", "raw"])
@pytest.mark.parametrize("scale", ["shared", "per panel"])
def test_links_to_compare_from_before_open_the_same_view(
    open_page: OpenPage, picture: str, values: str, scale: str
) -> None:
    old = {"image": "flamingo", "class": "b", "steps": "8", "picture": picture, "values": values,
           "scale": scale, "blur": "false"}  # fmt: skip
    drawn = open_page("start", **old)
    assert not drawn.exception
    header = canvas(drawn)
    assert header["classes"] == ["b"]
    view = header["view"]
    assert (view["mode"], view["blur"]) == (picture, 0)
    assert view["unit"] == ("raw" if values == "raw" else "relative")
    assert view["scale"] == ("shared" if scale == "shared" else "own")
    assert header == canvas(open_page("compare", **old))


def test_where_the_photograph_is_missing_the_doors_are_there(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(key: str) -> photo.Photo:
        raise UserError("It is no longer in the gallery; choose another.")

    monkeypatch.setattr(photo, "gallery_photo", missing)
    drawn = open_page("start")
    assert not drawn.exception
    (error,) = drawn.error
    assert error.value.replace("\\", "") == "It is no longer in the gallery; choose another."
    assert len(protos(drawn, "page_link")) == sum(map(len, DOORS.values()))
