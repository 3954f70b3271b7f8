"""Top-1 and top-5 accuracy of networks over an image set.

The embedded networks are measured on the half-precision weights as they are stored.
"""

from __future__ import annotations

import argparse

from xdnn_core.data.images import open_image_set
from xdnn_core.device import resolve_device
from xdnn_core.errors import UserError
from xdnn_core.experiments.accuracy import measure_accuracy
from xdnn_core.models.zoo import load_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--data", required=True, help="image Parquet, or a folder of images")
    parser.add_argument("--split", default="test", help="(default: test)")
    parser.add_argument(
        "--model",
        nargs="+",
        default=["alexnet-caltech101", "xalexnet-caltech101"],
        help="names of networks (default: the embedded pair)",
    )
    parser.add_argument("--batch", type=int, default=64, help="images a forward pass")
    parser.add_argument("--device", help="cpu or cuda (default: the best at hand)")


def main(args: argparse.Namespace) -> int:
    """Print one line a network."""
    images = open_image_set(args.data, args.split)
    device = resolve_device(args.device)
    for name in args.model:
        model = load_model(name, device=device)
        if model.classes != list(images.classes):
            raise UserError(
                f"{name} knows {len(model.classes)} classes, the image set has "
                f"{len(images.classes)} and not the same names in the same order; give a set "
                "made for this network."
            )
        accuracy = measure_accuracy(model.network, images, model.preprocessing, device, args.batch)
        unread = f", {len(accuracy.unreadable)} unreadable" if accuracy.unreadable else ""
        print(
            f"{name}: top-1 {accuracy.top1:.2%}, top-5 {accuracy.top5:.2%}, mean per class "
            f"{accuracy.mean_per_class:.2%} over {accuracy.images} images{unread}"
        )
    return 0
