"""The tables of the Results page: the answer, ours, the paper's, curves, where it is from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.common.errors import for_screen
from pages.common.folders import own_results
from pages.common.page import draw_grid
from pages.common.terms import explain
from pages.common.theme import CONFIG, Theme, colour, figure
from pages.common.wording import plain
from pages.results_parts import views as view
from xdnn_core.errors import UserError
from xdnn_core.experiments.cost import Cost, load_cost
from xdnn_core.experiments.provenance import Provenance
from xdnn_core.experiments.published import COST_SETTING, SOURCE
from xdnn_core.experiments.table2 import EMBEDDED_PAIR, load_table2
from xdnn_core.experiments.table2_summary import Table2
from xdnn_core.experiments.table3 import load_table3
from xdnn_core.experiments.table3_summary import QUALITY_METHODS, Table3
from xdnn_core.io import RESULTS
from xdnn_core.metrics.masking import MASKING_METRICS

# Colour, dash, width; Integrated Gradients is wide so that it is seen below a curve on top of it.
_LINES = {
    "ig": ("blue", "solid", 5), "random": ("grey", "dot", 2), "gradient": ("purple", "dash", 2),
    "eg_1": ("green", "dashdot", 2), "fast": ("orange", "solid", 2),
}  # fmt: skip

# Formats of numbers, by column.
_TWO_DIGITS = {"MARD": "%.2g %%", "half distance": "%.2g %%"}
_COST_UNITS = {"time, s": "%.2g", "memory, MB": "localized", "memory, GB": "%.2f"}
_RATIO_TICKS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]


@dataclass(frozen=True)
class TableCard:
    """One table of the page."""

    label: str  # on the button and in the address
    title: str  # what it shows
    command: str  # that makes it


TABLES = {
    "table2": TableCard(
        "Table 2", "What removing biases costs", "python -m xdnn_core table2 --data DIR"
    ),
    "table3": TableCard(
        "Table 3", "Attribution quality", "python -m xdnn_core table3 --data DIR --limit 200"
    ),
    "cost": TableCard("Cost", "What training with a prior costs", "python -m xdnn_core cost"),
}


def choose_result(name: str) -> Path | None:
    """Choose among the stored results of a table; None where there is none."""
    files = view.stored_results(name, own_results())
    if not files:
        st.info(f"No result is stored here yet; `{TABLES[name].command}` makes one.")
        return None
    if len(files) == 1:
        return files[0]
    by_name = {file.name: file for file in files}
    chosen = st.selectbox(
        "Result",
        list(by_name),
        format_func=lambda file: _title(by_name[file]),
        key=f"result_{name}",
        label_visibility="collapsed",
        width=320,
    )
    return by_name[chosen]


def _title(file: Path) -> str:
    if file.parent != RESULTS:
        return f"Own run: {file.stem}"
    if file == EMBEDDED_PAIR:
        return "The pair of this app"
    return "A pair trained alike" if file.stem == "table2" else "Comes with the app"


def draw_table(name: str, file: Path, theme: Theme) -> None:
    """Draw a result."""
    try:
        loaded = _load(name, file, file.stat().st_mtime)
    except UserError as error:
        st.error(for_screen(error), icon=":material/error:")
        return
    draw: dict[str, Callable[..., None]] = {
        "table2": _draw_table2, "table3": _draw_table3, "cost": _draw_cost,
    }  # fmt: skip
    draw[name](loaded, theme)


@st.cache_data(show_spinner=False, max_entries=16)
def _load(name: str, file: Path, changed: float) -> Table2 | Table3 | Cost:
    """Read a result once; `changed` tells a newer file from an older one."""
    if name == "table2":
        return load_table2(file)[1]
    return load_table3(file)[1] if name == "table3" else load_cost(file)


def _draw_table2(table: Table2, theme: Theme) -> None:
    st.markdown(view.table2_answer(table))
    ours, theirs = _beside_the_paper("table2")
    with ours:
        _whose("Here", table.provenance.data_set)
        of_batches = st.segmented_control(
            "Definition of MARD",
            [False, True],
            default=False,
            format_func=lambda batches: "authors' batches of two" if batches else "image by image",
            required=True,
            key="mard",
        )
        draw_grid(view.table2_frame(table, of_batches), "%.1f %%", _TWO_DIGITS)
        attributed = max(row.attributed for row in table.networks)
        st.caption(
            f"MARD, bias part (median and quartiles) and half distance over {attributed:,} images. "
            "Neither MARD is the paper's Equation 14, which averages ratios element by element."
        )
        explain(
            "distance", "bias_part", "half_distance", label="What is this?", key="explain_table2"
        )
    with theirs:
        _whose("The paper", "ImageNet, 50,000 images")
        draw_grid(view.table2_published(), "%.2f %%", {"MARD": "%.1f %%"})
        st.caption("MARD over batches. The networks and images are others: compare the pattern.")
    if table.pairs:
        with st.container(border=True):
            draw_grid(view.table2_pairs(table))
            st.caption(
                "95 % bootstrap intervals over the images, of these trained networks; other seeds "
                "differ as the pairs do. Right alone: images that the regular and the X network "
                "alone name right."
            )
    with st.expander("How the networks were trained"):
        st.markdown("  \n".join(f"**{plain(row.title)}**: {row.recipe}" for row in table.networks))
    _draw_origin(table.provenance, table.unreadable)


def _draw_table3(table: Table3, theme: Theme) -> None:
    st.markdown(view.table3_answer(table))
    titles = view.table3_networks(table)
    network = st.segmented_control(
        "Network",
        list(titles),
        default=list(titles)[-1],
        format_func=titles.__getitem__,
        required=True,
        key="table3_network",
        label_visibility="collapsed",
    )
    is_x = view.is_x_network(table, network)
    ours, theirs = _beside_the_paper("table3")
    with ours:
        _whose("Here", table.provenance.data_set)
        draw_grid(view.table3_frame(table, network))
        explain(
            "masking", "insertion_deletion", "bootstrap",
            label="What is this?", key="explain_table3",
        )  # fmt: skip
    with theirs:
        _whose("The paper", f"ImageNet, {'X-AlexNet' if is_x else 'AlexNet'}")
        draw_grid(view.table3_published(is_x), "%.2f")
        st.caption("Logits of other networks have another scale: compare the order of the rows.")
    _draw_curves(table, network, theme)
    _draw_origin(table.provenance, table.unreadable)


def _draw_curves(table: Table3, network: str, theme: Theme) -> None:
    """The mean curve of every method for one metric."""
    with st.container(border=True):
        name = st.segmented_control(
            "Curve",
            list(MASKING_METRICS),
            default=next(iter(MASKING_METRICS)),
            required=True,
            key="table3_metric",
        )
        metric = MASKING_METRICS[name]
        better = "higher" if metric.higher_is_better else "lower"
        st.markdown(f"**{metric.title}: {better} is better**")
        made = figure("", 330, showlegend=True)
        is_x = view.is_x_network(table, network)
        for method in QUALITY_METHODS:
            quality = table.quality(network, method, name)
            ink, dash, width = _LINES[method]
            made.add_scatter(
                x=metric.fractions,
                y=quality.curve,
                name=view.method_title(method, is_x, table.steps),
                mode="lines",
                line={"color": colour(ink, theme), "dash": dash, "width": width},
                hovertemplate="%{y:.3g}",
            )
        units = {"logit": "target logit", "top1": "top-1, %", "confidence": "confidence"}
        made.update_xaxes(title="share of the pixels kept", tickformat=".0%")
        made.update_yaxes(title=units[metric.score])
        st.plotly_chart(
            made, key="table3_curves", config=CONFIG, alt=f"{metric.title} against the kept share"
        )


def _draw_cost(cost: Cost, theme: Theme) -> None:
    st.markdown(view.cost_answer(cost))
    ours, theirs = _beside_the_paper("cost")
    with ours:
        title = view.network_titles([cost.network])[cost.network]
        _whose("Here", f"{title}, {cost.batch} images a step")
        draw_grid(view.cost_frame(cost), "%.1f", _COST_UNITS)
        explain("training_step", label="What is this?", key="explain_cost")
    with theirs:
        _whose("The paper", COST_SETTING)
        draw_grid(view.cost_published(), "%.1f", _COST_UNITS | {"time, s": "%.3g"})
        st.caption("Another network on another machine; no step without a prior is printed.")
    _draw_ratios(cost, theme)
    _draw_origin(cost.provenance, ())


def _draw_ratios(cost: Cost, theme: Theme) -> None:
    """Time and memory as multiples, from about 1 to over 100, hence on a logarithmic axis."""
    made = figure("", 330, hovermode="closest", showlegend=True)
    titles = [step.title for step in cost.steps]
    for name, ink, symbol, values in (
        ("time", "blue", "circle", [step.time_ratio for step in cost.steps]),
        ("peak memory", "orange", "diamond", [step.memory_ratio for step in cost.steps]),
    ):
        made.add_scatter(
            x=values,
            y=titles,
            name=name,
            mode="markers",
            marker={"color": colour(ink, theme), "symbol": symbol, "size": 11},
            hovertemplate="%{y}: %{x:.2f}",
        )
    made.update_xaxes(title="× plain step", type="log", tickvals=_RATIO_TICKS)
    made.update_yaxes(autorange="reversed", automargin=True, showgrid=True)
    with st.container(border=True):
        st.markdown("**Time and memory of a step, as multiples of one without a prior**")
        st.plotly_chart(made, key="cost_ratios", config=CONFIG, alt="Cost of a training step")


def _beside_the_paper(table: str) -> Sequence[DeltaGenerator]:
    """Two cards, ours and the paper's, one below the other where a table would be cut off."""
    with st.container(key=f"beside_{table}"):
        return st.columns([3, 2], border=True)


def _whose(who: str, where: str) -> None:
    st.markdown(f"**{who}** · {plain(where)}")


def _draw_origin(made: Provenance, unreadable: tuple[str, ...]) -> None:
    """What was measured where, by which command; what could not be read."""
    st.caption(f"Measured: {plain(view.made_line(made))}. `{made.command}`  \nPaper: {SOURCE}.")
    if unreadable:
        with st.expander(f"{len(unreadable)} images could not be read and do not count"):
            st.text("\n".join(unreadable))
