"""Compare without a browser: what a link, a choice and a click make of it."""

from __future__ import annotations

import re

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.compare_parts import work
from tests.pages.conftest import OpenPage, everything, press, protos

PANELS = 7  # three a network, and the regular network's biases


@pytest.fixture
def gradients(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps of every integral that is computed, with nothing in the cache yet."""
    st.cache_resource.clear()
    computed: list[int] = []
    compare = work.compare

    def counted(*arguments: object, **options: object) -> object:
        computed.append(arguments[3].steps)
        return compare(*arguments, **options)

    monkeypatch.setattr(work, "compare", counted)
    return computed


def pictures(app: AppTest) -> list[str]:
    """Names of the photograph and the maps, each made of its content."""
    return [image.url for element in protos(app, "image") for image in element.imgs]


def set_display(app: AppTest, key: str, value: str) -> list[str]:
    app.button_group(key=key).set_value(value).run(timeout=300)
    assert not app.exception
    return pictures(app)


def test_the_coarse_picture_comes_first(open_page: OpenPage, gradients: list[int]) -> None:
    drawn = open_page("compare")
    assert gradients == [16, 16, 128, 128]
    assert len(pictures(drawn)) == 1 + PANELS
    assert "1 gradient call instead of 128" in everything(drawn)


def test_a_link_restores_the_view(open_page: OpenPage) -> None:
    first = open_page("compare", image="flamingo")
    heatmaps = pictures(first)
    overlays = set_display(first, "picture", "overlay")
    linked = open_page("compare", image="flamingo", picture="overlay")
    assert linked.button_group(key="picture").value == "overlay"
    assert pictures(linked) == overlays != heatmaps, "the same view is the same picture"


def test_display_changes_the_pictures_without_new_gradients(
    open_page: OpenPage, gradients: list[int]
) -> None:
    drawn = open_page("compare", image="rooster")
    seen, count = [pictures(drawn)], len(gradients)
    assert everything(drawn).count("zero everywhere") == 1
    for key, value in (("picture", "overlay"), ("values", "raw"), ("scale", "per panel")):
        seen.append(set_display(drawn, key, value))
        assert seen[-1] not in seen[:-1]
    assert "not comparable" in everything(drawn)
    assert len(gradients) == count


def test_stop_keeps_the_coarse_picture(
    open_page: OpenPage, gradients: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = work.compare

    def cut(*arguments: object, **options: object) -> object:
        if arguments[3].steps == 512:
            st.stop()  # what a click does to the run it cuts into
        return counted(*arguments, **options)

    monkeypatch.setattr(work, "compare", cut)
    drawn = open_page("compare", image="motorcycle", steps="512")
    press(drawn, "Stop")
    offers = [button.label for button in drawn.button if "Refine" in button.label]
    assert offers == ["Coarse picture, 16 calls. Refine to 512 gradient calls"]
    assert len(pictures(drawn)) == 1 + PANELS
    assert "1 gradient call instead of 16" in everything(drawn)
    monkeypatch.setattr(work, "compare", counted)
    press(drawn, offers[0])
    assert "1 gradient call instead of 512" in everything(drawn)


def test_the_captum_badge_appears_only_when_asked_for(open_page: OpenPage) -> None:
    st.cache_resource.clear()
    drawn = open_page("compare", steps="8")
    assert "agrees with Captum" not in everything(drawn)
    for done, key in enumerate(("small.input_x_gradient", "xsmall.x_gradient"), 1):
        assert [b.label for b in drawn.button].count("Check with Captum") == 5 - done
        drawn.button(key=f"check_{key}").click().run(timeout=300)
        assert not drawn.exception
        badges = re.findall("agrees with Captum: (0|[0-9]e-[0-9]+)", everything(drawn))
        assert len(badges) == done


def test_what_is_this_explains_with_formula_and_source(open_page: OpenPage) -> None:
    sent = everything(open_page("compare"))
    assert "Hesse et al. 2021" in sent
    assert "$$" in sent
