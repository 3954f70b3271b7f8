"""Take the view away: PNG, NPZ, JSON, Python."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.common.photo import Photo
from pages.compare_parts.work import Found
from xdnn_core.experiments.comparison import fast_method
from xdnn_core.figures.export import (
    attributions_npz,
    figure_png,
    ledger_panel,
    python_snippet,
    settings_json,
)
from xdnn_core.figures.ledger import ledger_maps, ledger_values
from xdnn_core.figures.panels import (
    METHOD_TITLES,
    DisplaySettings,
    Panel,
    network_name,
    photo_panel,
    view_settings,
)


def draw_downloads(
    found: Found,
    rows: Sequence[Sequence[Panel]],
    display: DisplaySettings,
    photo: Photo,
    class_name: str,
) -> None:
    """Draw the popover; the files are made when they are asked for."""
    work, settings = found.work, found.settings
    ledgers = {
        model.name: one.ledger for model, one in zip(work.models, found.comparisons, strict=True)
    }
    described = view_settings(
        [model.name for model in work.models], work.target, class_name, photo.title, photo.key,
        settings, display,
    ) | {"ledger": {name: ledger_values(ledger) for name, ledger in ledgers.items()}}  # fmt: skip
    stem = f"{photo.key or 'photo'}-{class_name}".replace("/", "-").replace(" ", "_")

    def png() -> bytes:
        image = photo_panel(work.models[0].to_display(work.inputs[0]))
        # The photograph stands in the first row only.
        shown = [[None if r else image, *row] for r, row in enumerate(rows)]
        regular = work.models[0]
        shown[1].append(ledger_panel(network_name(regular), ledgers[regular.name], display.theme))
        names = " and ".join(model.name for model in work.models)
        footer = f"{class_name} · {settings.description} · {names}"
        return figure_png(shown, footer, display.theme)

    def npz() -> bytes:
        panels = [panel for row in rows for panel in row]
        maps = {
            key: cells
            for name, ledger in ledgers.items()
            for key, cells in ledger_maps(name, ledger).items()
        }
        return attributions_npz(panels, work.inputs[0].cpu().numpy(), described, maps)

    with st.popover("Download", icon=":material/download:"):
        options = {"on_click": "ignore", "width": "stretch"}
        st.download_button("Figure, PNG", png, f"{stem}.png", "image/png", **options)
        st.download_button(
            "Raw attributions, NPZ", npz, f"{stem}.npz", "application/octet-stream", **options
        )
        st.download_button(
            "Settings, JSON", settings_json(described), f"{stem}.json", "application/json",
            **options,
        )  # fmt: skip
        st.markdown("**As Python**")
        panels = {
            f"{METHOD_TITLES[method]}, {model.name}": (model.name, method)
            for model in work.models
            for method in (fast_method(model), "integrated_gradients")
        }
        panels |= {
            f"Ledger, {model.name}": (model.name, "bias_attribution") for model in work.models
        }
        chosen = st.selectbox("Panel", list(panels), key="snippet_panel")
        name, method = panels[chosen]
        st.code(
            python_snippet(
                name, method, work.target, class_name=class_name, gallery_key=photo.key,
                integration=settings,
            )
        )  # fmt: skip
