"""What pages about a photograph begin with: a pair that agrees, computed once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from streamlit.runtime import caching

from pages.common import networks, view
from tests.experiments.small_pair import make_pair
from tests.pages.conftest import OpenPage
from xdnn_core.data.preprocessing import Preprocessing

PAGES = [
    ("compare", {}, "until", "estimated error"),
    ("convergence", {}, "rules", ["left"]),
    ("axioms", {"tried": "One network, one photograph"}, "biases", "without biases"),
]


@pytest.mark.parametrize(("page", "address", "control", "value"), PAGES)
def test_a_radio_button_neither_preprocesses_nor_predicts_again(
    open_page: OpenPage,
    monkeypatch: pytest.MonkeyPatch,
    page: str,
    address: dict[str, str],
    control: str,
    value: str | list[str],
) -> None:
    calls: list[str] = []
    preprocess, predict = Preprocessing.__call__, view.predict

    def counted_preprocess(self: Preprocessing, image: object) -> object:
        calls.append("preprocess")
        return preprocess(self, image)

    def counted_predict(model: object, inputs: object) -> object:
        calls.append("predict")
        return predict(model, inputs)

    monkeypatch.setattr(Preprocessing, "__call__", counted_preprocess)
    monkeypatch.setattr(view, "predict", counted_predict)
    caching.cache_resource.clear()
    drawn = open_page(page, **address)
    assert calls == ["preprocess", "predict", "predict"]
    drawn.button_group(key=control).set_value(value).run(timeout=300)
    assert not drawn.exception
    assert drawn.button_group(key=control).value == value
    assert len(calls) == 3


@pytest.mark.parametrize(
    ("page", "address"),
    [*((page, address) for page, address, *_ in PAGES), ("contrast", {}), ("start", {})],
)
@pytest.mark.parametrize("part", ["preprocessing", "classes"])
def test_networks_that_do_not_agree_are_no_pair(
    open_page: OpenPage,
    monkeypatch: pytest.MonkeyPatch,
    page: str,
    address: dict[str, str],
    part: str,
) -> None:
    regular, x = make_pair()
    other = Preprocessing(size=64, resize=72) if part == "preprocessing" else [*"dcba"]
    x = replace(x, **{part: other})
    monkeypatch.setattr(
        networks.NetworkStore,
        "get",
        lambda self, name, visible=False: x if name.startswith("x") else regular,
    )
    drawn = open_page(page, **address)
    assert not drawn.exception
    (error,) = drawn.error
    sentence = error.value.replace("\\", "")
    assert sentence.startswith("alexnet-caltech101 and xalexnet-caltech101 cannot be compared")
