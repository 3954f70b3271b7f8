"""From numbers to panels: what the page shows, the figure prints and the command line writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from torch import Tensor

from xdnn_core.attribution.ledger import Ledger
from xdnn_core.attribution.result import Attribution
from xdnn_core.experiments.comparison import IntegrationSettings
from xdnn_core.figures.rendering import (
    BLUR_SIGMA,
    SCALE_PERCENTILE,
    Scale,
    Theme,
    channel_sum,
    colourise,
    is_near_zero,
    light_blur,
    overlay,
    shared_scale,
)
from xdnn_core.models.architectures import architecture_of
from xdnn_core.models.zoo import PretrainedModel
from xdnn_core.text import duration, percent, signed

METHOD_TITLES = {
    "gradient": "Gradient",
    "input_x_gradient": "Input×Gradient",
    "x_gradient": "X-Gradient",
    "integrated_gradients": "Integrated Gradients",
    "expected_gradients": "Expected Gradients",
}


def network_name(model: PretrainedModel) -> str:
    """What a network is called beside its counterpart."""
    return ("X-" if model.is_xdnn else "") + architecture_of(model.network).title


@dataclass(frozen=True)
class DisplaySettings:
    """How attributions are drawn."""

    on_image: bool = False  # true lays them over the grey photograph, False draws the heatmap alone
    shared: bool = True  # one scale for all panels; False gives each its own, not comparable
    relative: bool = True  # per cent of the target logit a pixel; False: logits a pixel
    blur: float = BLUR_SIGMA  # σ, pixels; 0 does not blur
    percentile: float = SCALE_PERCENTILE  # of |values| at the ends of the scale
    theme: Theme = "light"  # palette

    @property
    def unit(self) -> str:
        """Unit of the drawn values."""
        return "% of logit" if self.relative else "logits"


@dataclass(frozen=True)
class Panel:
    """One picture and what is to be said about it."""

    key: str  # name of its array in an NPZ, such as ``xalexnet-caltech101.x_gradient``
    # network, title: names of the network and the method
    network: str
    title: str
    facts: Mapping[str, str]  # numbers under the picture, by their labels
    picture: np.ndarray  # what is drawn, (H, W, 3), uint8; a signed map (H, W) until it has a scale
    # raw attribution (3, H, W), the biases' map (1, H, W), logits; None for a photograph
    values: np.ndarray | None = None
    # value at the ends of the colour bar, in `unit`; None for a photograph
    limit: float | None = None
    unit: str = ""  # unit of `limit`
    near_zero: bool = False  # whether the map is zero for the eye

    @property
    def heading(self) -> str:
        """Network and method."""
        return f"{self.network} · {self.title}" if self.network else self.title


def single_panels(
    model: PretrainedModel,
    attribution: Attribution,
    image: np.ndarray,
    display: DisplaySettings,
    ledger: Ledger | None = None,
) -> list[Panel]:
    """Draw one attribution of one image (1, 3, H, W); given a ledger, beside it the biases' map.

    Both have one scale. A network without biases has no such map.
    """
    facts, logit = attribution_facts(attribution), float(attribution.outputs[0])
    maps = [map_panel(model, attribution.method, attribution.values, facts, logit, display)]
    if ledger is not None and not model.is_xdnn:
        maps.append(biases_panel(model, ledger, display))
    scale = shared_scale([one.picture for one in maps], display.percentile)
    return [draw_map(one, scale, image, display) for one in maps]


def photo_panel(image: np.ndarray, facts: Mapping[str, str] | None = None) -> Panel:
    """The photograph itself as a panel, (H, W, 3)."""
    return Panel("photograph", "", "Photograph", facts or {}, image)


def attribution_facts(attribution: Attribution) -> dict[str, str]:
    """What every attribution has to say about itself."""
    facts = {
        "Gradient calls": str(attribution.gradient_calls),
        "Time": duration(attribution.seconds),
        "Completeness gap": percent(float(attribution.completeness_gap[0])),
    }
    if attribution.estimated_error is not None:
        facts["Estimated error"] = percent(float(attribution.estimated_error[0]))
    if attribution.tolerance_met is not None:
        met = bool(attribution.tolerance_met[0])
        facts["Tolerance"] = "met" if met else "not met, cap reached"
    return facts


def view_settings(
    models: Sequence[str],
    target: int,
    class_name: str,
    photograph: str,
    gallery_key: str | None,
    integration: IntegrationSettings,
    display: DisplaySettings,
) -> dict[str, object]:
    """Everything that made a view, as plain values for JSON."""
    return {
        "models": list(models),
        "target": target,
        "class": class_name,
        "photograph": photograph,
        "gallery_key": gallery_key,
        "integration": asdict(integration),
        "display": asdict(display),
        "values": "attributions in logits, (3, H, W), of the normalised input; biases (1, H, W), "
        "and each layer's on its own grid",
    }


def biases_panel(model: PretrainedModel, ledger: Ledger, display: DisplaySettings) -> Panel:
    """The map of all biases that have a place in the image."""
    size = model.preprocessing.size
    cells, logit = ledger.biases_map((size, size)), float(ledger.outputs[0])
    parts = {
        "Sum of the map": cells.sum(),
        "Layers without a map": ledger.biases[0] - cells.sum(),
        "Pixels": ledger.pixels[0],
        "Unexplained": ledger.unexplained[0],
        "Together, the logit": ledger.outputs[0],
    }
    if bool(ledger.is_explained[0]):
        del parts["Unexplained"]
    facts = {label: signed(float(part)) for label, part in parts.items()}
    return map_panel(model, "biases", cells[:, None], facts, logit, display)


def map_panel(
    model: PretrainedModel, method: str, values: Tensor, facts: Mapping[str, str],
    target_logit: float, display: DisplaySettings,
) -> Panel:  # fmt: skip
    """A map that has no scale yet; `values`: (1, C, H, W)."""
    pixels = display_map(values, target_logit, display.relative)
    return Panel(
        key=f"{model.name}.{method}",
        network=network_name(model),
        title=METHOD_TITLES.get(method, method.capitalize()),
        facts=facts,
        picture=light_blur(pixels, display.blur),
        values=values[0].cpu().numpy(),
        unit=display.unit,
    )


def draw_map(panel: Panel, scale: Scale, image: np.ndarray, display: DisplaySettings) -> Panel:
    """Draw a map on the scale of all, or on its own."""
    pixels = panel.picture
    near_zero = is_near_zero(pixels, scale.limit)
    # A map of rounding errors must not be stretched to look like something.
    own = not (display.shared or near_zero)
    limit = shared_scale([pixels], display.percentile).limit if own else scale.limit
    if display.on_image:
        picture = overlay(pixels, limit, image, display.theme)
    else:
        picture = colourise(pixels, limit, display.theme)
    return replace(panel, picture=picture, limit=limit, near_zero=near_zero)


def display_map(values: Tensor, target_logit: float, relative: bool) -> np.ndarray:
    """Turn one image's attribution into a map to draw.

    `values`: (1, C, H, W). Returns (H, W), signed.
    """
    summed = channel_sum(values[0])
    return summed * (100 / abs(target_logit)) if relative and target_logit else summed
