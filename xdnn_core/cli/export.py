"""Write a network without biases as one ONNX graph: logits, and for a class the exact attribution.

    xdnn export xalexnet-caltech101 --out xalexnet.onnx

The graph takes `images` (B, 3, H, W), normalised as the network asks, and `target` (B,), and
gives `logits` (B, classes) and `attribution` (B, 3, H, W). It runs in any engine of ONNX, without
PyTorch.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from xdnn_core.attribution.onnx_export import export_onnx
from xdnn_core.models.zoo import load_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "model", help="see `models`; NAME-without-biases is a network stripped of its biases"
    )
    parser.add_argument("--out", type=Path, help="file (default: out/MODEL.onnx)")


def main(args: argparse.Namespace) -> int:
    """Write the file and print what it takes."""
    model = load_model(args.model, device="cpu")
    side = model.preprocessing.size
    file = args.out or Path("out") / f"{model.name}.onnx"
    file.parent.mkdir(parents=True, exist_ok=True)
    export_onnx(model.network, file, torch.randn(1, 3, side, side))
    mean, std = (", ".join(f"{value:g}" for value in getattr(model.preprocessing, name))
                 for name in ("mean", "std"))  # fmt: skip
    print(
        f"wrote {file}, {file.stat().st_size / 1e6:.1f} MB\n"
        f"  images (B, 3, {side}, {side}): from 0 to 1, less {mean}, divided by {std}\n"
        f"  target (B,): 0 to {len(model.classes) - 1}"
    )
    return 0
