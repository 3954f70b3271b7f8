"""Compare without a browser: what a link, a choice and a click make of it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.common import comparisons
from pages.common.photo import gallery_photo
from pages.compare_parts.sentences import ledger_sentence
from tests.experiments.small_pair import make_pair
from tests.pages.conftest import OpenPage, canvas, everything, press, protos
from xdnn_core.attribution.ledger import bias_attribution
from xdnn_core.data.gallery import gallery
from xdnn_core.text import signed

PANELS = 7  # three a network, and the regular network's biases


@pytest.fixture
def gradients(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps of every integral that is computed, with nothing in the cache yet."""
    st.cache_resource.clear()
    computed: list[int] = []
    compare = comparisons.compare

    def counted(*arguments: object, **options: object) -> object:
        computed.append(arguments[3].steps)
        return compare(*arguments, **options)

    monkeypatch.setattr(comparisons, "compare", counted)
    return computed


def panels(app: AppTest) -> dict[str, dict[str, Any]]:
    return {panel["key"]: panel for panel in canvas(app)["panels"]}


def test_the_coarse_picture_comes_first(open_page: OpenPage, gradients: list[int]) -> None:
    drawn = open_page("compare")
    assert gradients == [16, 16, 128, 128]
    assert len(panels(drawn)) == 1 + PANELS
    assert "1 gradient call instead of 128" in everything(drawn)


def test_a_link_restores_the_view(open_page: OpenPage) -> None:
    """Links of before the canvas, and of its own."""
    old = {"picture": "overlay", "values": "raw", "scale": "per panel", "blur": "false"}
    view = canvas(open_page("compare", image="flamingo", **old))["view"]
    assert (view["mode"], view["unit"], view["scale"], view["blur"]) == ("overlay", "raw", "own", 0)
    new = {"blur": "2.5", "region": "10,20,30,40", "top": "25", "pixels": "remove"}
    view = canvas(open_page("compare", image="flamingo", **new))["view"]
    assert (view["blur"], view["rectangle"], view["top"]) == (2.5, [10, 20, 30, 40], 25)
    assert view["keep"] is False


def test_a_region_belongs_to_its_photograph(open_page: OpenPage) -> None:
    """A link's region is there at first, and gone with the photograph that it was drawn on."""
    drawn = open_page("compare", image="flamingo", steps="8", region="10,20,30,40", top="25")
    assert canvas(drawn)["view"]["rectangle"] == [10, 20, 30, 40]
    drawn.session_state["photo"] = gallery_photo("camera")
    drawn.run(timeout=300)
    view = canvas(drawn)["view"]
    assert (view["rectangle"], view["top"]) == (None, 25)
    assert "region" not in drawn.query_params


def test_a_second_class_brings_its_maps(open_page: OpenPage, gradients: list[int]) -> None:
    drawn = open_page("compare", steps="8", **{"class": "a", "against": "b"})
    assert canvas(drawn)["classes"] == ["a", "b"]
    single = panels(drawn)["small.input_x_gradient"]
    assert len(single["maps"]) == len(single["logits"]) == 2
    assert gradients == [8, 8, 8, 8]
    same = open_page("compare", steps="8", **{"class": "a", "against": "a"})
    assert canvas(same)["classes"] == ["a"]


def test_maps_are_told_in_numbers(open_page: OpenPage) -> None:
    alt = panels(open_page("compare", steps="8"))["small.input_x_gradient"]["alt"]
    assert re.search(r"holds \d.* of the map's absolute values. Strongest of 4×4 cells: ", alt)


def test_stop_keeps_the_coarse_picture(
    open_page: OpenPage, gradients: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = comparisons.compare

    def cut(*arguments: object, **options: object) -> object:
        if arguments[3].steps == 512:
            st.stop()  # what a click does to the run it cuts into
        return counted(*arguments, **options)

    monkeypatch.setattr(comparisons, "compare", cut)
    drawn = open_page("compare", image="motorcycle", steps="512")
    press(drawn, "Stop")
    offers = [button.label for button in drawn.button if "Refine" in button.label]
    assert offers == ["Coarse picture, 16 calls. Refine to 512 gradient calls"]
    assert len(panels(drawn)) == 1 + PANELS
    assert "1 gradient call instead of 16" in everything(drawn)
    monkeypatch.setattr(comparisons, "compare", counted)
    press(drawn, offers[0])
    assert "1 gradient call instead of 512" in everything(drawn)


def test_the_captum_badge_appears_only_when_asked_for(open_page: OpenPage) -> None:
    st.cache_resource.clear()
    drawn = open_page("compare", steps="8")
    assert "agrees with Captum" not in everything(drawn)
    for done, key in enumerate(("small.input_x_gradient", "xsmall.x_gradient"), 1):
        assert sum(b.label.startswith("Check ") for b in drawn.button) == 5 - done
        drawn.button(key=f"check_{key}").click().run(timeout=300)
        assert not drawn.exception
        badges = re.findall("agrees with Captum: (0|[0-9]e-[0-9]+)", everything(drawn))
        assert len(badges) == done


def test_what_is_this_explains_with_formula_and_source(open_page: OpenPage) -> None:
    sent = everything(open_page("compare"))
    assert "Hesse et al. 2021" in sent
    assert "$$" in sent


def test_the_ledger_says_what_the_core_says(open_page: OpenPage) -> None:
    drawn = open_page("compare", image="camera", steps="8", **{"class": "b"})
    model = make_pair()[0]
    photo = next(item for item in gallery() if item.key == "camera").open()
    ledger = bias_attribution(model.network, model.preprocess(photo)[None], 1)
    sentence = ledger_sentence(ledger, "b")
    (said,) = [text.value for text in drawn.markdown if sentence in text.value]
    assert "Input×Gradient differs from Integrated Gradients by" in said
    assert "because" not in said
    (chart,) = protos(drawn, "plotly_chart")
    spec = json.loads(chart.spec)
    labels = spec["data"][0]["y"]
    assert labels[:2] == ["Pixels", "Convolution 1"]
    assert labels[-2:] == ["Linear 3", "Logit"], "nothing is unexplained"
    assert spec["data"][0]["text"][-1] == signed(ledger.outputs.item())
    notes = [note["text"] for note in spec["layout"]["annotations"]]
    assert notes == [f"F(0) {signed(ledger.baseline_outputs.item())}, the mean image"]
    assert "X-AlexNet has no biases: its pixels hold the whole logit" in everything(drawn)
    assert "Srinivas and Fleuret 2019" in everything(drawn)


def test_a_tolerance_in_place_of_a_number_of_calls(open_page: OpenPage) -> None:
    address = {"until": "estimated error", "tolerance": "1 %", "cap": "32"}
    drawn = open_page("compare", image="rooster", **address)

    def met() -> list[str]:
        facts = [fact for panel in panels(drawn).values() for fact in panel["facts"]]
        return sorted(fact for fact in facts if fact.startswith("Tolerance"))

    assert met() == ["Tolerance: met", "Tolerance: not met, cap reached"]
    capped = "The cap of 32 gradient calls was reached at an estimated error of "
    assert [capped in warning.value for warning in drawn.warning] == [True], "the regular one's"
    drawn.select_slider(key="cap").set_value(1024).run(timeout=300)
    assert not drawn.exception
    assert met() == ["Tolerance: met", "Tolerance: met"]
    assert not drawn.warning
