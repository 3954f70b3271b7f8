"""The charts of Prior training, in ECharts: mounted once, then redrawn in place."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import streamlit as st

from pages.common.theme import Theme, colour
from pages.prior_parts.chart_data import ChartData, Trace
from xdnn_core.priors.method_curve import MethodCurve, TopFeature
from xdnn_core.priors.methods import parse_method

# A method has the same colour everywhere.
_METHODS = {
    "none": "ink",
    "none_without_bias": "grey",
    "gradient": "purple",
    "rrr": "yellow",
    "input_x_gradient": "green",
    "x_gradient": "orange",
    "expected_gradients": "blue",
    "integrated_gradients": "sky",
}
# Of the runs laid over the live one: dashes, then dots, then both.
_DASHES: list[list[int]] = [[7, 4], [2, 3], [9, 3, 2, 3]]
_MUTED = 0.45  # opacity


def method_colour(method: str, theme: Theme) -> str:
    """Colour of a method, by its key."""
    return colour(_METHODS[parse_method(method).name], theme)


def draw_chart(
    data: ChartData, names: Sequence[str], theme: Theme, *, key: str, height: int, alt: str,
    legend: bool = False, muted: bool = False,
) -> None:  # fmt: skip
    """Draw curves against the epoch; muted those of no run of the user's."""
    series: list[dict[str, Any]] = []
    lines: list[tuple[int, int]] = []  # run and index in `series` of every line
    bands = sum(bool(trace.low) for trace in data.traces)
    for trace in data.traces:
        name = trace.title if trace.run == 0 else f"{trace.title} · {names[trace.run]}"
        series += _band(trace, theme, bands, muted) if trace.low else []
        lines.append((trace.run, len(series)))
        series.append(_line(trace, name, theme, muted))
    # The live run is drawn last, over the others; in legend and tooltip it comes first.
    order = [number for _, number in sorted(lines)]
    series.append(_marks(data, theme, labelled=legend))
    option = _axes(data, legend) | {
        "animation": False,
        "grid": {
            "left": 8, "right": 14, "top": 46 if legend else 12, "bottom": 4, "containLabel": True,
        },
        "legend": {
            "show": legend, "type": "scroll", "top": 0, "left": 0, "selectedMode": False,
            "itemWidth": 24, "itemGap": 16, "itemStyle": {"opacity": 0},  # dashes, no dots
            "data": [series[number]["name"] for number in order if legend],
        },
        "tooltip": {
            "trigger": "axis",
            "confine": True,
            "formatter": "<br>".join(
                ["epoch {b0}", *(f"{{a{number}}}: {{c{number}}}" for number in order)]
            ),
        },
        "series": series,
    }  # fmt: skip
    st.echarts_chart(option, key=key, height=height, renderer="svg", alt=alt)


def _axes(data: ChartData, large: bool) -> dict[str, Any]:
    """Epochs and values, with fewer labels on a small chart."""
    label_every = data.label_every * (1 if large else 2)
    return {
        "xAxis": {
            "type": "category",
            "boundaryGap": False,
            "data": [str(epoch) for epoch in data.epochs],
            "axisTick": {"show": False},
            "axisLabel": {"interval": label_every - 1, "hideOverlap": True},
        },
        "yAxis": {
            "type": "value",
            "min": data.axis.low, "max": data.axis.high, "interval": data.axis.step,
            "axisLabel": {"hideOverlap": True},
        },
    }  # fmt: skip


def _line(trace: Trace, name: str, theme: Theme, muted: bool) -> dict[str, Any]:
    style: dict[str, Any] = {"width": 2.2 if trace.run == 0 else 1.4}
    if trace.run:
        style |= {"type": _DASHES[(trace.run - 1) % len(_DASHES)], "opacity": 0.85}
    if muted:
        style |= {"opacity": _MUTED}
    return {
        "type": "line",
        "name": name,
        "data": list(trace.values),
        "showSymbol": False,
        "symbol": "circle",
        "color": method_colour(trace.method, theme),
        "lineStyle": style,
        "z": 3 if trace.run == 0 else 2,
        "silent": True,
    }


def _band(trace: Trace, theme: Theme, bands: int, muted: bool) -> list[dict[str, Any]]:
    """Two stacked lines: an invisible one along the lower edge, and the band's height above it.

    The more bands, the fainter each.
    """
    heights = [
        None if low is None or high is None else high - low
        for low, high in zip(trace.low, trace.high, strict=True)
    ]
    common = {
        "type": "line", "name": "", "stack": f"band {trace.method}", "symbol": "none",
        "stackStrategy": "all", "lineStyle": {"width": 0}, "silent": True, "z": 1,
        "color": method_colour(trace.method, theme),
    }  # fmt: skip
    full = (0.16 if theme == "light" else 0.22) * (_MUTED if muted else 1)
    area = {"areaStyle": {"opacity": full * min(1, 2.5 / bands)}}
    return [common | {"data": list(trace.low)}, common | area | {"data": heights}]


def _marks(data: ChartData, theme: Theme, labelled: bool) -> dict[str, Any]:
    """Vertical lines where λ changed, on a series without points."""
    return {
        "type": "line",
        "name": "λ",
        "data": [],
        "silent": True,
        "markLine": {
            "silent": True,
            "symbol": "none",
            "lineStyle": {"color": colour("faint ink", theme), "type": "solid", "width": 1},
            "label": {
                "show": labelled, "position": "end", "distance": [0, 3], "align": "left",
                "color": colour("ink", theme), "fontSize": 12,
            },
            "data": [
                {"xAxis": mark.position, "label": {"formatter": mark.label or " "}}
                for mark in data.marks
            ],
        },
    }  # fmt: skip


def draw_features(features: Sequence[TopFeature], method: str, theme: Theme) -> None:
    """Draw the features with the largest mean |attribution| as bars."""
    largest = max((feature.value for feature in features), default=0.0) or 1.0
    shade = method_colour(method, theme)
    rows = "".join(
        f'<div title="{escape(feature.title, quote=True)}">'
        f'<i style="width:{100 * feature.value / largest:.1f}%;background:{shade}"></i>'
        f"<span>{escape(feature.title)}</span></div>"
        f"<span>{feature.value:.3g}</span><span>{100 * feature.share:.1f}\u00a0%</span>"
        for feature in features
    )
    head = '<div class="head">feature</div>' + "".join(
        f'<span class="head">{name}</span>' for name in ("mean", "share")
    )
    st.html(f'<div class="features">{head}{rows}</div>')


def draw_tests(curves: Sequence[MethodCurve], revealed: bool, theme: Theme) -> None:
    """Draw the ROC-AUC of every method at its best epoch as a table, of test rows if revealed."""
    names = ["test"] * revealed + ["validation", "best epoch"]
    head = "".join(f'<span class="head">{name}</span>' for name in names)
    rows = "".join(_test_row(curve, revealed, theme) for curve in curves)
    columns = f"grid-template-columns: minmax(0, 1fr) repeat({len(names)}, max-content)"
    st.html(
        f'<div class="tests" style="{columns}"><div class="head">method</div>{head}{rows}</div>'
    )


def _test_row(curve: MethodCurve, revealed: bool, theme: Theme) -> str:
    return (
        f'<div title="{escape(curve.title, quote=True)}">'
        f'<b style="background:{method_colour(curve.method, theme)}"></b>'
        f"{escape(curve.title)}</div>"
        f"{f'<span>{_test_score(curve)}</span>' if revealed else ''}"
        f"<span>{_number(curve.best_validation_auc, '.3f')}</span>"
        f"<span>{_number(curve.best_epoch, '.0f')}</span>"
    )


def _test_score(curve: MethodCurve) -> str:
    test = _number(curve.test_auc, ".3f")
    if curve.test_band == curve.test_band:
        test += f" ± {curve.test_band:.3f}"
    if not curve.test_is_current and test != "–":
        test = f'<span title="A later best epoch is yet to be tested.">{test} …</span>'
    return test


def _number(value: float, form: str) -> str:
    return f"{value:{form}}" if value == value else "–"
