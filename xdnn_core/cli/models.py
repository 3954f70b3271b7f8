"""List the networks the app knows, or download one.

    python -m xdnn_core models                          # the list
    python -m xdnn_core models --get xalexnet-imagenet  # download it into the cache folder

The cache folder is the platform's own, or the one XDNN_CACHE names.
"""

from __future__ import annotations

import argparse

from tqdm import tqdm

from xdnn_core.models.zoo import available_models, load_model
from xdnn_core.progress import on_bar


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--get", metavar="NAME", help="download this network")


def main(args: argparse.Namespace) -> int:
    """Print the list, or download with a progress bar."""
    if args.get:
        with tqdm(desc=args.get, unit="B", unit_scale=True) as bar:
            load_model(args.get, progress=on_bar(bar))
        print(f"{args.get} is installed.")
        return 0
    for card in available_models():
        state = "installed" if card.installed else f"{card.size_bytes / 1e6:.0f} MB to download"
        accuracy = "" if card.top5 is None else f", top-5 {card.top5:.2f} %"
        print(f"{card.name:<40} {card.title}: {card.classes} classes{accuracy}; {state}")
    return 0
