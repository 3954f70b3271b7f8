"""Convergence without a browser: which curves are drawn, and what is computed for them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.common import networks
from pages.common.photo import FIRST
from pages.convergence_parts import work
from tests.pages.conftest import OpenPage, protos
from xdnn_core.experiments.comparison import IntegrationSettings
from xdnn_core.experiments.convergence_result import PICTURED
from xdnn_core.experiments.convergence_stored import IMAGE, load_convergence
from xdnn_core.models.zoo import load_model

DEFAULT = {"graded", "Gauss–Legendre", "midpoint", "trapezoid"}
original = {name: getattr(work, name) for name in ("measure_convergence", "with_captum")}


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is computed, with nothing in the cache yet."""
    st.cache_resource.clear()
    computed: list[str] = []
    for name in original:

        def counted(*arguments: object, name: str = name, **options: object) -> object:
            computed.append(name)
            return original[name](*arguments, **options)

        monkeypatch.setattr(work, name, counted)
    return computed


@pytest.fixture
def real_networks(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded pair in place of small networks."""
    monkeypatch.setattr(
        networks.NetworkStore, "get", lambda self, name, visible=False: load_model(name)
    )


def curves(app: AppTest, number: int) -> dict[str, list[float]]:
    """The named curves of a chart: of the first network's errors, the second's, the gap."""
    assert not app.exception
    spec = json.loads(protos(app, "plotly_chart")[number].spec)
    return {trace["name"]: trace["y"] for trace in spec["data"] if trace.get("name")}


def buttons(app: AppTest) -> dict[str, str]:
    """What is offered to be computed, by key."""
    assert not app.exception
    return {one.key: one.label for one in app.button if one.key in ("more", "afresh")}


def click(app: AppTest, key: str) -> None:
    app.button(key=key).click().run(timeout=300)
    assert not app.exception


def captions(app: AppTest) -> str:
    return "\n".join(one.value for one in app.caption)


def test_what_takes_long_waits_for_a_button(open_page: OpenPage, measured: list[str]) -> None:
    drawn = open_page("convergence", image="flamingo")
    assert curves(drawn, 0).keys() >= DEFAULT
    assert measured == ["measure_convergence"] * 2, "the coarse picture alone"
    both = 2 * work.COARSE.evaluations
    assert f"cost **{both}** gradient calls" in captions(drawn)
    assert both <= 2 * IntegrationSettings.steps, "no more than Compare begins with"
    label = buttons(drawn)["more"]
    assert label.startswith(f"Go on to 256 gradient calls: {2 * work.FULL.evaluations:,} gradients")
    assert ", about " in label
    click(drawn, "more")
    assert len(measured) == 4
    assert len(curves(drawn, 0)["graded"]) == 9
    assert buttons(drawn) == {}


def test_only_captums_curve_takes_new_gradients(open_page: OpenPage, measured: list[str]) -> None:
    drawn = open_page("convergence", image="flamingo")
    click(drawn, "more")
    drawn.button_group(key="rules").set_value(["left", "graded"]).run(timeout=300)
    for number in (0, 2):
        assert {"left", "graded"} <= curves(drawn, number).keys()
        assert "midpoint" not in curves(drawn, number)
    assert len(measured) == 4
    # Captum's curve has gradients of its own; it lies over ours.
    drawn.button_group(key="rules").set_value(["Gauss–Legendre", "Captum"]).run(timeout=300)
    assert buttons(drawn)["more"].startswith("Go on to Captum's curve: 1,022 gradients, about ")
    assert len(measured) == 4
    click(drawn, "more")
    assert measured[4:] == ["with_captum"] * 2
    ours, captums = (curves(drawn, 0)[name] for name in ("Gauss–Legendre", "Captum"))
    # The same rule in float32; where gates flip, single pixels differ.
    assert all(abs(a - b) < 0.02 * b for a, b in zip(ours[:-1], captums[:-1], strict=True))


def test_a_link_restores_rules_and_class(open_page: OpenPage) -> None:
    first = open_page("convergence", image="rooster")
    linked = open_page("convergence", image="rooster", rules=["left", "right"], **{"class": "b"})
    assert linked.selectbox(key="class").value == "b"
    assert curves(linked, 0).keys() == {"left", "right", "Input×Gradient, 1 call"}
    again = open_page("convergence", image="rooster", **{"class": "b"})
    assert curves(again, 0)["graded"] != curves(first, 0)["graded"]


def test_the_calls_needed_are_listed_for_the_chosen_rules(open_page: OpenPage) -> None:
    drawn = open_page("convergence", image="rooster", rules=["left", "right"])
    (table,) = (element.value for element in drawn.dataframe)
    tolerances = [f"≤ {share}\u00a0%" for share in ("5", "2.5", "1")]
    assert list(table.columns) == ["AlexNet", *tolerances, "estimate", "error"]
    assert list(table["AlexNet"]) == ["left", "right", "X-Gradient, X-AlexNet"]
    assert list(table[tolerances].iloc[-1]) == ["1", "1", "1"]


def test_what_goes_beyond_the_picture_is_named(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    st.cache_resource.clear()

    def never(*_: object, **__: object) -> None:
        st.stop()  # what a click does to the run it cuts into

    asked = {"rules": ["left", "Captum"], "reference": "2,048 calls"}
    drawn = open_page("convergence", image="flamingo", **asked)
    aim = "256 gradient calls and the 2,048-call reference and Captum's curve"
    assert buttons(drawn)["more"].startswith(f"Go on to {aim}: ")
    monkeypatch.setattr(work, "measure_convergence", never)
    click(drawn, "more")
    (bar,) = protos(drawn, "progress")
    assert bar.text == f"Computing {aim}"
    assert "more" not in buttons(drawn)


def test_the_default_view_is_stored_with_the_app(
    open_page: OpenPage, measured: list[str], real_networks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert IMAGE == FIRST
    drawn = open_page("convergence")
    assert measured == []
    stored, (regular, _) = load_convergence()
    said = captions(drawn)
    assert f"Stored with the app: computed on {stored.provenance.date[:10]} by" in said
    assert "`python -m xdnn_core convergence" in said
    assert stored.provenance.hardware in said
    graded = next(curve for curve in regular.curves if curve.rule == "graded")
    assert curves(drawn, 0)["graded"] == pytest.approx(graded.errors)
    assert tuple(graded.maps) == PICTURED
    # Rules that are measured anyway are there too, more than that waits for a button.
    drawn.button_group(key="rules").set_value(["left", "right"]).run(timeout=300)
    assert {"left", "right"} <= curves(drawn, 0).keys()
    assert buttons(drawn) == {"afresh": f"Compute afresh: {2 * work.FULL.evaluations:,} gradients"}
    drawn.button_group(key="reference").set_value("2,048 calls").run(timeout=300)
    assert buttons(drawn)["more"].startswith("Go on to the 2,048-call reference: ")
    drawn.button_group(key="reference").set_value("300 calls").run(timeout=300)
    assert measured == []
    # Computed afresh it is no longer called stored.
    fresh = replace(regular, seconds=0.5)
    monkeypatch.setattr(work, "measure_convergence", lambda *_, **__: fresh)
    click(drawn, "afresh")
    assert "Stored with the app" not in captions(drawn)
    assert buttons(drawn) == {}


@pytest.mark.parametrize("other", [{"class": "pigeon"}, {"image": "pigeon"}])
def test_any_other_view_is_computed(
    open_page: OpenPage, measured: list[str], real_networks: None, other: dict[str, str]
) -> None:
    drawn = open_page("convergence", **other)
    assert measured == ["measure_convergence"] * 2
    assert "Stored with the app" not in captions(drawn)
    assert set(buttons(drawn)) == {"more"}


def test_other_networks_are_measured_even_on_the_default_photograph(
    open_page: OpenPage, measured: list[str]
) -> None:
    open_page("convergence", image=FIRST)
    assert measured == ["measure_convergence"] * 2
