"""A link to any page shows the whole app, on a server that nobody has visited yet too."""

from __future__ import annotations

import ast

import pytest
import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from pages.common import page
from tests.pages.conftest import APP

PAGES = sorted(APP.parent.glob("pages/*.py"))


class Rerun(Exception):
    """Stands for Streamlit's own, which ends a run."""


def test_the_first_visit_starts_over_through_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    def rerun() -> None:
        raise Rerun

    monkeypatch.setattr(PagesManager, "uses_pages_directory", True)
    monkeypatch.setattr(st, "rerun", rerun)
    with pytest.raises(Rerun):
        page.begin_page()
    page.begin_page()  # and no second time


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.stem)
def test_every_page_begins_with_it(file: object) -> None:
    body = ast.parse(file.read_text(encoding="utf-8")).body
    statements = [node for node in body if not isinstance(node, ast.Import | ast.ImportFrom)]
    calls = [ast.unparse(node) for node in statements if isinstance(node, ast.Expr)]
    assert calls[1] == "begin_page()", "the first after the docstring"
    before = body[: next(i for i, n in enumerate(body) if ast.unparse(n) == "begin_page()")]
    assert all(isinstance(n, ast.Expr | ast.Import | ast.ImportFrom) for n in before)
