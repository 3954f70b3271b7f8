"""Axioms without a browser: what is asked for is tried, and said."""

from __future__ import annotations

import json
import re
from typing import Any

from streamlit.testing.v1 import AppTest

from tests.pages.conftest import OpenPage, everything, press, protos
from xdnn_core.axioms.axioms import AXIOMS

TRY = "Try the axioms"


def canvases(app: AppTest) -> list[dict[str, Any]]:
    """The headers of what a run sent to map canvases; the table is a component too."""
    messages = [element.bytes for element in protos(app, "bidi_component") if element.bytes]
    return [json.loads(m[4 : 4 + int.from_bytes(m[:4], "little")]) for m in messages]


def test_the_textbooks_counter_example_comes_first(open_page: OpenPage) -> None:
    drawn = open_page("axioms")
    sent = everything(drawn).replace("\\'", "'")
    assert "F changes by 1, the feature's attribution is 0" in sent
    assert drawn.query_params["cell"] == "input_x_gradient.sensitivity_a"
    assert "The 36 cells that the paper's Table 1 has too come out as we read its" in sent


def test_trying_again_with_few_networks(open_page: OpenPage) -> None:
    drawn = open_page("axioms", axiom_trials="3", axiom_seed="5")
    assert "none of the 7 axioms for **X-Gradient**" in everything(drawn)
    press(drawn, "Try every cell")
    sent = everything(drawn)
    assert "Tried just now: 3 random networks a cell, seed 5" in sent
    assert "Refuted by 3 trials a cell" in sent
    assert "X-Gradient, Completeness: not refuted, in 0 of 3\\" in sent
    press(drawn, "Stored result")
    assert "X-Gradient, Completeness: not refuted, in 0 of 200\\" in everything(drawn)


def test_all_methods_on_the_same_networks_without_biases(open_page: OpenPage) -> None:
    drawn = open_page("axioms")
    assert "X-Gradient on networks without biases, the others on" in everything(drawn)
    drawn.button_group(key="axiom_networks").set_value("for none").run(timeout=300)
    sent = everything(drawn)
    assert "where Input×Gradient and X-Gradient are one function" in sent
    for axiom in ("Completeness", "Sensitivity (a)", "Nonnegative homogeneity"):
        for method in (r"Input\\u00d7Gradient", "X-Gradient"):
            assert f'\\"{method}, {axiom}: not refuted, in 0 of 200\\"' in sent
    linked = open_page("axioms", axiom_networks="for none")
    assert linked.button_group(key="axiom_networks").value == "for none"


def test_one_network_and_one_photograph(open_page: OpenPage) -> None:
    view = {"tried": "One network, one photograph", "axiom_steps": "2", "axiom_samples": "1"}
    drawn = open_page("axioms", image="rooster", **view)
    assert "Not tried yet on **AlexNet**" in everything(drawn)
    assert not canvases(drawn)
    press(drawn, TRY)
    sent = everything(drawn)
    assert "1 call: refuted are **Completeness** and **Nonnegative homogeneity**" in sent
    assert "Counter-example" in sent
    assert sent.count(r"\"verdict\"") == 4 * 7
    assert next(b.disabled for b in drawn.button if b.label == TRY)
    other = open_page("axioms", image="pigeon", **view)
    assert "Not tried yet on **AlexNet**" in everything(other)
    linked = open_page("axioms", image="rooster", cell="integrated_gradients.completeness", **view)
    sent = everything(linked)
    assert "Nearest to a violation" in sent
    assert re.search(r"Allowed</span><span>[1-9][0-9]", sent), "what two calls may be off by"


def test_the_chosen_cells_maps_are_on_the_canvas(open_page: OpenPage) -> None:
    view = {"tried": "One network, one photograph", "axiom_steps": "2", "axiom_samples": "1"}
    drawn = open_page("axioms", image="ferry", region="8,8,16,16", **view)
    press(drawn, TRY)
    for name, axiom in AXIOMS.items():
        linked = open_page("axioms", cell=f"input_x_gradient.{name}", image="ferry", **view)
        (header,) = canvases(linked)
        photo, *panels = header["panels"]
        assert photo["photo"]
        titles = [*axiom.maps, *["Difference"] * axiom.asks_equal]
        assert [panel["title"] for panel in panels] == titles
        assert panels[-1]["minus"] == (
            [panel["key"] for panel in panels[:2]] if axiom.asks_equal else None
        )
        assert not any(panel["complete"] for panel in panels), "refuted on this network"
        assert header["view"]["unit"] == "raw"
    (header,) = canvases(drawn)
    assert header["view"]["rectangle"] == [8, 8, 16, 16]
    linked = open_page("axioms", cell="integrated_gradients.linearity", image="ferry", **view)
    (header,) = canvases(linked)
    assert header["classes"] == ["a·F + b·G"]
    assert "zero everywhere" in header["panels"][-1]["alt"]
    assert header["panels"][1]["complete"], "its completeness is not refuted"
