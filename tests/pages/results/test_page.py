"""Results without a browser: every stored table, its curves, and no runs unless allowed."""

from __future__ import annotations

import pytest

from pages.results_parts import views
from tests.pages.conftest import OpenPage, everything, protos
from xdnn_core.experiments.cost import load_cost
from xdnn_core.experiments.table2 import load_table2
from xdnn_core.experiments.table3 import load_table3

ANSWERS = {
    "Table 2": ("table2", lambda: views.table2_answer(load_table2()[1])),
    "Table 3": ("table3", lambda: views.table3_answer(load_table3()[1])),
    "Cost": ("cost", lambda: views.cost_answer(load_cost())),
}


@pytest.mark.parametrize("table", ANSWERS)
def test_each_table_says_what_is_stored_and_where_it_is_from(
    open_page: OpenPage, table: str
) -> None:
    command, answer = ANSWERS[table]
    drawn = open_page("results")
    drawn.button_group(key="table").set_value(table).run(timeout=300)
    linked = open_page("results", table=table)
    for app in (drawn, linked):
        assert not app.exception
        texts = [element.value for element in app.markdown]
        assert answer() in texts
        assert any("The paper" in text for text in texts)
        assert f"python -m xdnn_core {command}" in everything(app)
        # Ours and the paper's; Table 2 has the differences of its pairs besides.
        assert len(app.dataframe) == (3 if command == "table2" else 2)


def test_the_curves_follow_network_and_metric(open_page: OpenPage) -> None:
    drawn = open_page("results", table="Table 3")

    def chart() -> str:
        assert not drawn.exception
        (element,) = protos(drawn, "plotly_chart")
        return element.spec or element.figure.spec

    def titles() -> list[str]:
        return [text.value.strip("*") for text in drawn.markdown]

    assert "Keep positive mask: higher is better" in titles()
    assert "X-Gradient" in chart()
    keys = {tuple(group.options): group for group in drawn.button_group}
    metric = next(group for options, group in keys.items() if "deletion" in options)
    metric.set_value("deletion").run(timeout=300)
    assert "Deletion: lower is better" in titles()
    keys = {tuple(group.options): group for group in drawn.button_group}
    network = next(g for options, g in keys.items() if "AlexNet, Caltech-101" in options)
    network.set_value("AlexNet, Caltech-101").run(timeout=300)
    assert "Input\\u00d7Gradient" in chart()


def test_runs_are_off_unless_the_operator_allows_them(open_page: OpenPage) -> None:
    drawn = open_page("results")
    assert "Runs from this page are off" in everything(drawn)
    assert "Run" not in [button.label for button in drawn.button]
