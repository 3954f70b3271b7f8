"""Train the embedded pair: an AlexNet and the same network without biases.

With --alike: the pair of Table 2, both by one recipe, once a seed; a tenth of the training images
is held out, and its accuracy is what a recipe is chosen by.

Resumes where it was killed: the checkpoint of every epoch lies in the --work folder. Under
torchrun the batch is shared among the processes:

    torchrun --nproc-per-node 2 -m tools.training caltech101 --data DIR --features FILE
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path

from torch import Tensor

from tools.training import ALIKE, RECIPES, TrainConfig, train_network
from tools.training.caltech101 import download_caltech101, split_by_class
from tools.training.crops import CropDataset
from tools.training.features import load_features
from xdnn_core.data.images import ImageSet, open_image_set
from xdnn_core.data.preprocessing import Preprocessing
from xdnn_core.device import resolve_device
from xdnn_core.errors import UserError
from xdnn_core.experiments.accuracy import measure_accuracy
from xdnn_core.experiments.workers import barrier, is_main
from xdnn_core.homogeneity.inspection import inspect_homogeneity
from xdnn_core.io import WEIGHTS
from xdnn_core.models.catalogue import EMBEDDED
from xdnn_core.models.checkpoints import read_embedded, save_embedded
from xdnn_core.models.networks import AlexNet

_TITLES = {name: title for name, title, _ in EMBEDDED}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--data", required=True, help="image Parquet or ImageFolder, train and test; or 'download'"
    )
    parser.add_argument(
        "--features", required=True, help="pretrained convolutions, safetensors; or 'torchvision'"
    )
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="where the weights go")
    parser.add_argument("--work", type=Path, default=Path("runs/caltech101"), help="checkpoints")
    parser.add_argument("--only", choices=sorted(RECIPES | ALIKE), help="train one of the pair")
    parser.add_argument(
        "--alike", action="store_true", help="both by one recipe, without a teacher (Table 2)"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="one run each")
    parser.add_argument("--features-rate", type=float, help="of the convolutions, for a choice")
    parser.add_argument("--epochs", type=int, help="passes over the training set, for a quick try")
    parser.add_argument("--fp32", action="store_true", help="no bfloat16")
    parser.add_argument("--device", help="cpu or cuda (default: the best at hand)")


def main(args: argparse.Namespace) -> int:
    """Train, store in half precision, and measure what was stored."""
    if args.data == "download":
        train, test = download_caltech101()
    else:
        train, test = open_image_set(args.data, "train"), open_image_set(args.data, "test")
    if train.classes != test.classes:
        raise UserError(
            f"The training split has {len(train.classes)} classes, the test split "
            f"{len(test.classes)}, not the same names; give splits of one data set."
        )
    features = load_features(args.features)
    recipes = ALIKE if args.alike else RECIPES
    if args.only and args.only not in recipes:
        raise UserError(f"--only is {args.only}; here it can be one of {', '.join(recipes)}.")
    for seed in args.seeds:
        for name in [args.only] if args.only else recipes:
            config = _adjusted(recipes[name], seed, args)
            file = f"{name}-seed{seed}" if args.alike else name
            _train_one(file, config, train, test, features, args)
            barrier()
    return 0


def _adjusted(config: TrainConfig, seed: int, args: argparse.Namespace) -> TrainConfig:
    """The recipe with what the command line changes."""
    crops = replace(config.crops, seed=seed)
    if args.epochs is not None:
        crops = replace(crops, epochs=args.epochs)
    if args.features_rate is not None:
        config = replace(config, features_rate=args.features_rate)
    return replace(config, crops=crops, bf16=config.bf16 and not args.fp32)


def _train_one(
    name: str,
    config: TrainConfig,
    train: ImageSet,
    test: ImageSet,
    features: dict[str, Tensor],
    args: argparse.Namespace,
) -> None:
    """Train one network; the leading process stores and measures it."""
    teacher = _stored_teacher(args.out, config.teacher) if config.teacher else None
    # The same images are held out whatever the seed.
    train, held_out = (
        split_by_class(train, config.validation, 0) if config.validation else (train, None)
    )
    crops = CropDataset(train, config.crops)
    network = train_network(
        crops, len(train.classes), features, config, args.work, name, args.device, teacher
    )
    if not is_main():
        return
    path = args.out / f"{name}.safetensors"
    preprocessing = Preprocessing(config.crops.size, config.crops.size, fit="squeeze")
    recipe = asdict(config) | {"train_images": len(crops), "test_images": len(test)}

    # Measured as it will be stored, so that the accuracy beside the weights is theirs.
    network = network.half().float()
    device = resolve_device(args.device)
    network = network.to(device)
    if held_out is not None:
        validation = measure_accuracy(network, held_out, preprocessing, device)
        recipe |= {"validation_images": validation.images, "validation_top1": validation.top1}
        print(f"{name}: top-1 {validation.top1:.2%} over {validation.images} validation images")
    accuracy = measure_accuracy(network, test, preprocessing, device)
    alike = f"{'AlexNet' if config.biases else 'X-AlexNet'}, seed {config.crops.seed}"
    save_embedded(
        path,
        network.cpu(),
        title=_TITLES.get(name, alike),
        classes=train.classes,
        preprocessing=preprocessing,
        top1=100 * accuracy.top1,
        top5=100 * accuracy.top5,
        recipe=recipe,
    )
    print(
        f"{path}: {path.stat().st_size / 1e6:.1f} MB, top-1 {accuracy.top1:.2%}, "
        f"top-5 {accuracy.top5:.2%}, mean per class {accuracy.mean_per_class:.2%} over "
        f"{accuracy.images} test images"
    )
    if not config.biases:
        example = preprocessing(test.read(0))[None]
        report = inspect_homogeneity(read_embedded(path)[0], example)
        print(f"homogeneous: {report.is_homogeneous}, error {report.max_relative_error:.1e}")


def _stored_teacher(out: Path, name: str) -> AlexNet:
    """The network of the pair that was trained before, as it is stored."""
    path = out / f"{name}.safetensors"
    if not path.is_file():
        raise UserError(f"{path} is not there to learn from; train {name} first.")
    return read_embedded(path)[0]
