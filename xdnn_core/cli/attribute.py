"""Attribute a photograph: writes NAME.png, NAME.npz and NAME.json into a folder.

    python -m xdnn_core attribute photo.jpg --model xalexnet-caltech101 --method x_gradient \\
        --target auto --out out/

With --ledger it also says what pixels and every layer's biases put into the logit.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from xdnn_core.attribution.expected import expected_gradients
from xdnn_core.attribution.gradients import gradient, input_x_gradient, x_gradient
from xdnn_core.attribution.integrated import integrated_gradients
from xdnn_core.attribution.ledger import bias_attribution
from xdnn_core.attribution.quadrature import RULES
from xdnn_core.attribution.result import Attribution
from xdnn_core.data.gallery import gallery
from xdnn_core.data.uploads import read_photo_file
from xdnn_core.experiments.comparison import (
    BASELINES,
    IntegrationSettings,
    named_baseline,
    named_target,
    predict,
)
from xdnn_core.figures.export import (
    attributions_npz,
    figure_png,
    ledger_panel,
    settings_json,
    write_atomically,
)
from xdnn_core.figures.ledger import ledger_maps, ledger_text, ledger_values
from xdnn_core.figures.panels import (
    METHOD_TITLES,
    DisplaySettings,
    network_name,
    photo_panel,
    single_panels,
    view_settings,
)
from xdnn_core.models.zoo import PretrainedModel, load_model
from xdnn_core.text import percent

_SINGLE = {"gradient": gradient, "input_x_gradient": input_x_gradient, "x_gradient": x_gradient}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("photo", type=Path, help="JPEG, PNG or WebP")
    parser.add_argument("--model", default="xalexnet-caltech101", help="see `models`")
    parser.add_argument("--method", choices=sorted(METHOD_TITLES), default="x_gradient")
    parser.add_argument(
        "--target", default="auto", help="auto (the prediction), a class name, or its number"
    )
    parser.add_argument("--steps", type=int, default=128, help="of Integrated Gradients")
    parser.add_argument(
        "--tolerance",
        type=float,
        help="of Integrated Gradients: double the calls until the estimated error is no larger, "
        "such as 0.025; --steps is then the cap",
    )
    parser.add_argument("--rule", choices=RULES, default="graded", help="of Integrated Gradients")
    parser.add_argument("--baseline", choices=BASELINES, default="zero")
    parser.add_argument("--samples", type=int, default=32, help="of Expected Gradients")
    parser.add_argument(
        "--references",
        type=Path,
        nargs="+",
        help="photographs for Expected Gradients (default: the gallery)",
    )
    parser.add_argument(
        "--ledger",
        action="store_true",
        help="also what pixels and every layer's biases put into the logit, with maps",
    )
    parser.add_argument("--overlay", action="store_true", help="over the grey photograph")
    parser.add_argument("--raw", action="store_true", help="draw logits, not per cent of the logit")
    parser.add_argument("--theme", choices=["light", "dark"], default="light")
    parser.add_argument("--device", help="cpu or cuda (default: the best at hand)")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the files")


def main(args: argparse.Namespace) -> int:
    """Write the three files and print what they say."""
    model = load_model(args.model, device=args.device)
    image = read_photo_file(args.photo)
    inputs = model.preprocess(image)[None]  # (1, 3, H, W)
    target = named_target(args.target, model, inputs)
    attribution = _attribute(args, model, inputs, target)
    display = DisplaySettings(on_image=args.overlay, relative=not args.raw, theme=args.theme)
    seen = model.to_display(inputs[0])
    ledger = bias_attribution(model.network, inputs, target) if args.ledger else None
    panels = single_panels(model, attribution, seen, display, ledger)
    panel = panels[0]
    integration = IntegrationSettings(args.rule, args.steps, args.baseline, args.tolerance)
    class_name = model.classes[target]
    described = view_settings(
        [model.name], target, class_name, args.photo.name, None, integration, display
    ) | {"method": args.method}
    if args.method == "expected_gradients":
        described |= {"samples": args.samples}
    confidence = next(p.confidence for p in predict(model, inputs) if p.index == target)
    about = {"Class": class_name, "Confidence": percent(confidence)}
    footer = f"{panel.title} of {model.name} for {class_name}"
    stem = args.out / f"{args.photo.stem}-{model.name}-{args.method}"
    shown, maps = [photo_panel(seen, about), *panels], None
    if ledger is not None:
        described |= {"ledger": {model.name: ledger_values(ledger)}}
        maps = ledger_maps(model.name, ledger)
        shown.append(ledger_panel(network_name(model), ledger, args.theme))
    files = {
        ".png": figure_png([shown], footer, args.theme),
        ".npz": attributions_npz(panels, inputs[0].cpu().numpy(), described, maps),
        ".json": settings_json(described).encode(),
    }
    for suffix, data in files.items():
        write_atomically(stem.with_name(stem.name + suffix), data)
    print(f"{footer}: logit {float(attribution.outputs[0]):.4g}, confidence {percent(confidence)}")
    for label, fact in panel.facts.items():
        print(f"  {label}: {fact}")
    if ledger is not None:
        print(f"\n{ledger_text(ledger)}\n")
    print(f"wrote {stem}.png, .npz and .json")
    return 0


def _attribute(
    args: argparse.Namespace, model: PretrainedModel, inputs: Tensor, target: int
) -> Attribution:
    """Call the method by its name."""
    if args.method in _SINGLE:
        return _SINGLE[args.method](model.network, inputs, target)
    if args.method == "integrated_gradients":
        settings = IntegrationSettings(args.rule, args.steps, args.baseline, args.tolerance)
        baseline = named_baseline(args.baseline, model, inputs)
        return integrated_gradients(
            model.network, inputs, target, baseline=baseline, **settings.options
        )
    photos = (
        [read_photo_file(path) for path in args.references]
        if args.references
        else [item.open() for item in gallery()]
    )
    references = torch.stack([model.preprocess(photo) for photo in photos])
    return expected_gradients(
        model.network, inputs, target, references=references, samples=args.samples
    )
