"""Start a table from the page, on image sets that the operator of the server offers."""

from __future__ import annotations

import datetime
import os
import re
from pathlib import Path

import streamlit as st

from pages.common.errors import for_screen
from pages.common.folders import data_folder, own_results
from pages.results_parts.background import OneRun, image_sets_in
from pages.results_parts.tables import TABLES
from xdnn_core.errors import UserError
from xdnn_core.models.catalogue import EMBEDDED, available_models

# The operator names the folder whose image sets visitors may use; without it nothing can be run.
OFFERED = "XDNN_IMAGE_SETS"
_RUNS = ("table2", "table3")
_REDRAW_SECONDS = 0.5


@st.cache_resource(show_spinner=False)
def _machine() -> OneRun:
    """The one run of this server."""
    return OneRun()


def draw_run() -> None:
    """Draw the controls of own runs, or how they are allowed."""
    offered = os.environ.get(OFFERED)
    with st.expander("Measure an image set of your own", icon=":material/play_circle:"):
        if not offered:
            st.markdown(
                "On the command line, with any networks and images, on CPU or GPU:  \n"
                + "  \n".join(f"`{TABLES[name].command}`" for name in _RUNS)
                + "  \nResults written as `results/table2-NAME.parquet` in the app's data folder "
                "(`XDNN_DATA`) appear above. Runs from this page are off; the operator of the "
                f"server turns them on with `{OFFERED}=FOLDER`, which names the image sets that "
                "may be used."
            )
            return
        sets = image_sets_in(Path(offered))
        if not sets:
            st.warning(f"{OFFERED} names a folder without image sets: put some there.")
            return
        run = _machine().current
        if run is None:
            _draw_form(sets)
            return
        redraw = st.fragment(_draw_status, run_every=_REDRAW_SECONDS if run.running else None)
        redraw(run.running)


def _draw_form(sets: dict[str, Path]) -> None:
    """Choose what to measure."""
    installed = [card for card in available_models() if card.installed]
    titles = {card.name: card.title for card in installed}
    with st.form("own_run"):
        name = st.selectbox("Table", _RUNS, format_func=lambda table: TABLES[table].title)
        chosen = st.selectbox("Image set", list(sets))
        networks = st.multiselect(
            "Networks", list(titles), default=[entry[0] for entry in EMBEDDED],
            format_func=titles.__getitem__,
        )  # fmt: skip
        left, middle, right = st.columns(3)
        split = left.text_input("Split", "test", max_chars=40)
        limit = middle.number_input("Images, evenly over the set", 1, 50_000, 50)
        steps = right.number_input("Gradient calls of Integrated Gradients", 1, 1024, 128)
        if st.form_submit_button("Run", type="primary"):
            _start(name, sets[chosen], networks, split, limit, steps)


def _start(name: str, data: Path, networks: list[str], split: str, limit: int, steps: int) -> None:
    """Start the command; its blocks and result carry the set's name."""
    if not networks:
        st.warning("Choose at least one network.")
        return
    if not re.fullmatch(r"[\w-]+", split):
        st.warning("A split is named with letters, digits, - and _, such as test.")
        return
    label = re.sub(r"[^\w-]+", "-", f"{data.stem}-{split}-{limit}-{steps}")
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    work = data_folder() / "work" / "-".join([name, label, *networks])
    out = own_results() / f"{name}-{label}-{stamp}.parquet"
    arguments = [name, "--data", str(data), "--split", split, "--limit", str(limit)]
    arguments += ["--steps", str(steps)]
    arguments += ["--network", *networks, "--work", str(work), "--out", str(out)]
    try:
        _machine().start(arguments, work / "messages.log")
    except UserError as error:
        st.warning(for_screen(error))
        return
    st.rerun()


def _draw_status(was_running: bool) -> None:
    """How far the run is; cancel it, or take it away once it has ended."""
    run = _machine().current
    if run is None:
        st.rerun()
    status = run.status()
    if was_running and status.state != "running":
        st.rerun()  # the page lists the new result
    # Files are named, not where they lie on the server.
    words = (Path(word).name if os.sep in word else word for word in run.arguments)
    st.markdown(f"`python -m xdnn_core {' '.join(words)}`")
    if status.state == "running":
        left = f" · {status.left} left" if status.left else ""
        st.progress(status.share, text=f"**Running**: {status.detail}{left}")
        st.button("Cancel", icon=":material/stop:", on_click=run.cancel)
        return
    if status.state == "failed":
        st.error(for_screen(status.detail), icon=":material/error:")
    elif status.state == "cancelled":
        st.info(
            f"Cancelled at {status.share:.0%}; the same run started again goes on from there.",
            icon=":material/stop:",
        )
    else:
        st.success("Finished: the result can be chosen above.", icon=":material/check:")
    if st.button("New run", icon=":material/add:"):
        _machine().forget()
        st.rerun()
