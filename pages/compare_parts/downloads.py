"""Take the view away: PNG, NPZ, JSON, Python."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.common.comparisons import comparison_rows
from pages.common.maps_canvas import MapsScene, standalone_page
from pages.common.maps_view import MapsView
from pages.common.theme import Theme
from pages.common.view import View
from xdnn_core.experiments.comparison import Comparison, IntegrationSettings, fast_method
from xdnn_core.figures.export import attributions_npz, figure_png, ledger_panel, settings_json
from xdnn_core.figures.ledger import ledger_maps, ledger_values
from xdnn_core.figures.panels import (
    METHOD_TITLES,
    DisplaySettings,
    Panel,
    network_name,
    photo_panel,
    view_settings,
)

_SHOWN = {  # what a snippet prints
    "": "print(attribution.values.sum(dim=1))  # (1, H, W), logits",
    "bias_attribution": (
        "print(attribution.pixels, [(e.name, e.values) for e in attribution.layers])  # logits\n"
        "print(attribution.biases_map(x.shape[2:]))  # (1, H, W), logits"
    ),
}
_DEFAULT = IntegrationSettings()


def draw_downloads(
    view: View,
    targets: Sequence[int],
    settings: IntegrationSettings,
    comparisons: Sequence[Comparison],
    scene: MapsScene,
    maps_view: MapsView,
    theme: Theme,
) -> None:
    """Draw the popover; the files are made when they are asked for."""
    models, photo, target = view.models, view.photo, targets[0]
    class_name, display = view.classes[target], _display(maps_view, theme)
    ledgers = {
        model.name: comparison.ledger for model, comparison in zip(models, comparisons, strict=True)
    }
    described = view_settings(
        [model.name for model in models], target, class_name, photo.title, photo.key,
        settings, display,
    ) | {"ledger": {name: ledger_values(ledger) for name, ledger in ledgers.items()}}  # fmt: skip
    stem = f"{photo.key or 'photo'}-{class_name}".replace("/", "-").replace(" ", "_")
    footer = f"{class_name} · {settings.description} · {' and '.join(m.name for m in models)}"

    def rows() -> list[list[Panel]]:
        return comparison_rows(models, comparisons, view.image, display)[0]

    def page() -> str:
        title = f"{photo.title}: why {' and not '.join(scene.classes)}"
        return standalone_page(scene, maps_view, title, [footer], settings_json(described))

    def png() -> bytes:
        image = photo_panel(view.image)
        # The photograph stands in the first row only.
        shown = [[None if r else image, *row] for r, row in enumerate(rows())]
        regular = models[0]
        shown[1].append(ledger_panel(network_name(regular), ledgers[regular.name], theme))
        return figure_png(shown, footer, theme)

    def npz() -> bytes:
        panels = [panel for row in rows() for panel in row]
        maps = {
            key: cells
            for name, ledger in ledgers.items()
            for key, cells in ledger_maps(name, ledger).items()
        }
        return attributions_npz(panels, view.inputs[0].cpu().numpy(), described, maps)

    with st.popover("Download", icon=":material/download:"):
        options = {"on_click": "ignore", "width": "stretch"}
        st.download_button("This view, HTML", page, f"{stem}.html", "text/html", **options)
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
            for model in models
            for method in (fast_method(model), "integrated_gradients")
        }
        panels |= {f"Ledger, {model.name}": (model.name, "bias_attribution") for model in models}
        chosen = st.selectbox("Panel", list(panels), key="snippet_panel")
        name, method = panels[chosen]
        st.code(
            python_snippet(
                name, method, target, class_name=class_name, gallery_key=photo.key,
                integration=settings,
            )
        )  # fmt: skip


def python_snippet(
    model: str,
    method: str,
    target: int,
    *,
    class_name: str,
    gallery_key: str | None = None,
    integration: IntegrationSettings = _DEFAULT,
) -> str:
    """Return Python code that computes one panel again."""
    if gallery_key is None:
        image = 'image = read_photo(Path("photo.jpg").read_bytes())  # your own file'
        needed = "from pathlib import Path\n\nimport xdnn_core as xdnn\n"
        needed += "from xdnn_core.data.uploads import read_photo\n"
    else:
        image = f"image = {{item.key: item for item in gallery()}}[{gallery_key!r}].open()"
        needed = "import xdnn_core as xdnn\nfrom xdnn_core.data.gallery import gallery\n"
    call, shown = f"xdnn.{method}(model.network, x, target)", _SHOWN.get(method, _SHOWN[""])
    if method == "integrated_gradients":
        baseline = integration.baseline
        needed += (
            "from xdnn_core.experiments.comparison import named_baseline\n"
            if baseline != "zero"
            else ""
        )
        extra = "".join(f", {name}={value!r}" for name, value in integration.options.items())
        if baseline != "zero":
            extra += f", baseline=named_baseline({baseline!r}, model, x)"
        call = call[:-1] + extra + ")"
    return (
        f"{needed}\n"
        f"model = xdnn.load_model({model!r})\n"
        f"{image}\n"
        f"x = model.preprocess(image)[None]  # (1, 3, H, W), normalised\n"
        f"target = {target}  # {class_name!r}\n"
        f"attribution = {call}\n"
        f"{shown}\n"
    )


def _display(view: MapsView, theme: Theme) -> DisplaySettings:
    """The figure's settings nearest to those of the canvas, which can do more."""
    return DisplaySettings(
        on_image=view.mode == "overlay",
        shared=view.scale == "shared",
        relative=view.unit == "relative",
        blur=view.blur,
        percentile=view.clip,
        theme=theme,
    )
