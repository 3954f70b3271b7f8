"""Whatever stands in the address, every page is drawn, with its defaults where a value may not be.

All parameters of a page have the same nasty value at once: which parameters those are, the pages
say by reading them.
"""

from __future__ import annotations

import re

import pytest

from pages.common import address
from tests.pages.conftest import APP, OpenPage
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
FEWEST = {"compare": 8, "contrast": 5, "convergence": 5, "axioms": 5, "prior_training": 2,
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
