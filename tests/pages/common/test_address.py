"""Whatever stands in the address, every page is drawn, with its defaults where a value may not be.

All parameters of a page have the same nasty value at once: which parameters those are, the pages
say by reading them.
"""

from __future__ import annotations

import re
from itertools import zip_longest

import pytest

from pages.common import address
from tests.pages.conftest import APP, OpenPage, canvas
from xdnn_core.priors.live_state import LiveConfig

VIEWS = [
    ("compare", {}),
    ("compare", {"until": "estimated error"}),
    ("contrast", {}),
    ("convergence", {}),
    ("axioms", {}),
    ("axioms", {"tried": "One network, one photograph"}),
    ("prior_training", {}),
    ("prior_training", {"view": "Figure 1 of the paper"}),
    ("results", {}),
]
# None of them is a value of any parameter.
NASTY = [
    "inf",
    "-inf",
    "nan",
    "-1",
    "1e308",
    "1e400",
    "0x10",
    "7.5.1",
    "9" * 30,
    "9" * 5_000,
    "x" * 20_000,
    " ",
    "\x00",
    "8\x00",
    "½",
    "\u202e\ufeff😀",
    "<script>alert(1)</script>",
    "../../../etc/passwd",
    "' OR 1=1; --",
    "None",
    ["1", "2"],
    ["", "", "nan"],
]
# What every page reads, whatever is added to it.
FEWEST = {"compare": 20, "contrast": 5, "convergence": 5, "axioms": 5, "prior_training": 2,
          "results": 1}  # fmt: skip


@pytest.fixture
def read_by_pages(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The parameters that were read."""
    found: set[str] = set()
    reader = address._read

    def recorded(key: str, accepts: object) -> list[str]:
        found.add(key)
        return reader(key, accepts)

    monkeypatch.setattr(address, "_read", recorded)
    return found


@pytest.mark.parametrize(("page", "chosen"), VIEWS)
def test_a_page_is_drawn_with_its_defaults_whatever_its_address_says(
    open_page: OpenPage, read_by_pages: set[str], page: str, chosen: dict[str, str]
) -> None:
    plain = open_page(page, **chosen)
    assert not plain.exception
    assert len(read_by_pages) >= FEWEST[page]
    for value in NASTY:
        drawn = open_page(page, **dict.fromkeys(read_by_pages, value) | chosen)
        assert not drawn.exception, f"{page} with {value!r:.40}"
        assert drawn.query_params == plain.query_params, f"{page} with {value!r:.40}"
        assert [one.value for one in drawn.warning] == [one.value for one in plain.warning]


@pytest.mark.parametrize(("page", "chosen"), VIEWS)
def test_a_page_is_drawn_with_an_empty_address(
    open_page: OpenPage, read_by_pages: set[str], page: str, chosen: dict[str, str]
) -> None:
    open_page(page, **chosen)
    drawn = open_page(page, **dict.fromkeys(read_by_pages, "") | chosen)
    assert not drawn.exception


# Of the canvas: what is nearly a value of a parameter, and is none. The picture has 64 pixels.
NEARLY = {
    "picture": ["Overlay", "heat map", "map", "positive "],
    "values": ["relative", "logits", "Raw", "per cent"],
    "scale": ["own", "per map", "Shared"],
    "colours": ["per panel", "OWN"],
    "blur": ["8.01", "-0.25", "1_0", "True", "2,5"],
    "clip": ["89.9", "100.1", "99 %", "-99"],
    "opacity": ["101", "-1", "1e3", "50%"],
    "mix": ["100.5", "-0.1", "A-B"],
    "top": ["0", "0.99", "101", "-5"],
    "pixels": ["KEEP", "true", "all"],
    "order": ["small.difference", "small.biases", "photo", "small"],
    "region": ["0,0,65,1", "60,0,5,5", "-1,0,5,5", "0,0,0,5", "1,2,3", "1,2,3,4,5", ",,,",
               "0,0,1.5,2", "0, 0, 5, 5", "1e1,0,5,5", "0,0,5,٥", f"0,0,{'9' * 5_000},1"],
    "against": ["e", "A", "a − b"],
}  # fmt: skip


def test_what_is_nearly_a_value_of_the_canvas_is_none(open_page: OpenPage) -> None:
    plain = open_page("compare", steps="8")
    for values in zip_longest(*NEARLY.values()):
        bad = {key: one for key, one in zip(NEARLY, values, strict=True) if one is not None}
        drawn = open_page("compare", steps="8", **bad)
        assert not drawn.exception, bad
        assert drawn.query_params == plain.query_params
        assert canvas(drawn)["view"] == canvas(plain)["view"]
        assert canvas(drawn)["classes"] == canvas(plain)["classes"]


# Each at an end of what it may be, and what the canvas is told.
AT_THE_ENDS = {
    "picture": ("negative", "mode", "negative"),
    "values": ("raw", "unit", "raw"),
    "scale": ("per panel", "scale", "own"),
    "blur": ("8", "blur", 8),
    "clip": ("90", "clip", 90),
    "opacity": ("0", "opacity", 0),
    "mix": ("100", "mix", 100),
    "top": ("1", "top", 1),
    "pixels": ("remove", "keep", False),
    "order": ("xsmall.x_gradient", "order", "xsmall.x_gradient"),
    "region": ("0,0,64,64", "rectangle", [0, 0, 64, 64]),
}


def test_what_the_canvas_may_be_stays(open_page: OpenPage) -> None:
    wanted = {key: text for key, (text, *_) in AT_THE_ENDS.items()}
    wanted |= {"image": "rooster", "class": "a", "against": "b", "steps": "8"}
    drawn = open_page("compare", **wanted)
    assert not drawn.exception
    assert drawn.query_params == wanted
    header = canvas(drawn)
    assert header["classes"] == ["a", "b"]
    for _, field, value in AT_THE_ENDS.values():
        assert header["view"][field] == value, field


def test_compares_address_before_the_start_page_leads_to_it(
    open_page: OpenPage, read_by_pages: set[str]
) -> None:
    plain = open_page("compare")
    for value in (one for one in NASTY if isinstance(one, str)):  # of several the last is passed on
        drawn = open_page("start", **dict.fromkeys(read_by_pages, value))
        assert not drawn.exception, f"{value!r:.40}"
        assert drawn.query_params == plain.query_params, f"{value!r:.40}"
        assert canvas(drawn)["view"] == canvas(plain)["view"]


def test_what_may_be_stays(open_page: OpenPage) -> None:
    wanted = {
        "methods": ["X-Gradient", "Expected Gradients"], "k": "4", "draws": "independent",
        "layers": "16, 8", "rate": "0.01", "replicates": "3", "seed": "12", "epochs": "50",
        "pace": "5/s", "lambda": "3",
    }  # fmt: skip
    drawn = open_page("prior_training", **wanted)
    assert not drawn.exception
    assert drawn.query_params == wanted
    assert drawn.number_input(key="seed").value == 12


@pytest.mark.parametrize("sloppy", ["1_000", " 50", "+50", "٥٠"])
def test_what_only_python_takes_for_a_number_is_none(open_page: OpenPage, sloppy: str) -> None:
    drawn = open_page("prior_training", epochs=sloppy)
    assert drawn.query_params == {}
    assert drawn.number_input(key="epochs").value == LiveConfig().epochs


def test_a_bad_value_leaves_the_others_as_they_are(open_page: OpenPage) -> None:
    drawn = open_page("prior_training", seed="inf", epochs="50", draws="")
    assert drawn.query_params == {"epochs": "50"}
    assert drawn.number_input(key="seed").value == 0
    assert drawn.number_input(key="epochs").value == 50


def test_nothing_is_read_from_the_address_but_by_the_reader() -> None:
    around = re.compile(r"bind\s*=|[\"']bind[\"']|query_params(\.get|\[[^]]*\](?! = ))")
    files = [APP, *APP.parent.glob("pages/**/*.py")]
    found = {file.name for file in files if around.search(file.read_text(encoding="utf-8"))}
    assert found == {"address.py"}


@pytest.mark.parametrize(
    ("text", "low", "high", "kind", "expected"),
    [
        ("5", 1, 9, int, True),
        ("10", 1, 9, int, False),
        ("5.0", 1, 9, int, False),
        ("inf", 1, float("inf"), int, False),
        ("9" * 5_000, 0, float("inf"), int, False),
        ("1.5", 1, 9, float, True),
        ("nan", 1, 9, float, False),
        ("inf", 1, 9, float, False),
    ],
)
def test_a_number_is_one_within_limits(
    text: str, low: float, high: float, kind: type, expected: bool
) -> None:
    assert address.is_between(text, low, high, kind) == expected
