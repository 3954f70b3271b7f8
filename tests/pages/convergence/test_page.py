"""Convergence without a browser: which curves are drawn, and what is computed for them."""

from __future__ import annotations

import json

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.convergence_parts import work
from tests.pages.conftest import OpenPage, protos

DEFAULT = {"graded", "Gauss–Legendre", "midpoint", "trapezoid"}


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is computed, with nothing in the cache yet."""
    st.cache_resource.clear()
    computed: list[str] = []
    for name in ("measure_convergence", "with_captum"):

        def counted(*arguments: object, name: str = name, **options: object) -> object:
            computed.append(name)
            return original[name](*arguments, **options)

        monkeypatch.setattr(work, name, counted)
    return computed


original = {name: getattr(work, name) for name in ("measure_convergence", "with_captum")}


def curves(app: AppTest, number: int) -> dict[str, list[float]]:
    """The named curves of a chart: of the first network's errors, the second's, the gap."""
    assert not app.exception
    spec = json.loads(protos(app, "plotly_chart")[number].spec)
    return {trace["name"]: trace["y"] for trace in spec["data"] if trace.get("name")}


def test_only_captums_curve_takes_new_gradients(open_page: OpenPage, measured: list[str]) -> None:
    drawn = open_page("convergence", image="rooster")
    assert curves(drawn, 0).keys() >= DEFAULT
    assert measured == ["measure_convergence"] * 4, "coarse, then all of it"
    drawn.button_group(key="rules").set_value(["left", "graded"]).run(timeout=300)
    for number in (0, 2):
        assert {"left", "graded"} <= curves(drawn, number).keys()
        assert "midpoint" not in curves(drawn, number)
    assert len(measured) == 4
    # Captum's curve has gradients of its own; it lies over ours.
    drawn.button_group(key="rules").set_value(["Gauss–Legendre", "Captum"]).run(timeout=300)
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

    open_page("convergence", image="rooster")
    monkeypatch.setattr(work, "measure_convergence", never)
    monkeypatch.setattr(work, "with_captum", never)
    asked = {"rules": ["left", "Captum"], "reference": "2,048 calls"}
    drawn = open_page("convergence", image="rooster", **asked)
    (bar,) = protos(drawn, "progress")
    assert bar.text == "Computing the 2,048-call reference and Captum's curve"
