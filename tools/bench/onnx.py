"""A graph that gives its attribution with the logits, against one that gives the logits alone.

    python -m tools.bench onnx

Both run in ONNX Runtime on one thread, one image at a time. The networks are twins without biases
of torchvision's architectures with random weights, and batch statistics that are not trivial.
Differences are to PyTorch's X-Gradient in float32, relative L1: what is left of them is mostly ReLU
gates that rounding flips.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import onnxruntime
import torch
from torch import nn

from tools.bench.report import Report, Row, finish, require_positive
from xdnn_core.attribution.gradients import x_gradient
from xdnn_core.attribution.onnx_export import export_onnx
from xdnn_core.homogeneity.inspection import remove_biases
from xdnn_core.metrics.distance import relative_l1
from xdnn_core.models.torchvision_import import torchvision

NETWORKS: Final = ("alexnet", "vgg11", "resnet18", "squeezenet1_1")
TARGET: Final = 3.0  # times as long as the logits alone


@dataclass(frozen=True)
class OnnxReport(Report):
    """What was measured, by network."""

    seconds: dict[str, tuple[float, float]]  # median, with attribution and logits alone
    megabytes: dict[str, tuple[float, float]]  # of the files
    apart: dict[str, float]  # relative L1 distance of the attributions

    def table(self) -> list[Row]:
        """The ratios, beside their targets."""
        return [
            Row(f"{name}, with attribution / logits alone", both / alone, TARGET)
            for name, (both, alone) in self.seconds.items()
        ]

    def lines(self) -> list[str]:
        """Times, sizes and differences."""
        return [
            f"{name:<16}{1e3 * both:>7.1f} ms against {1e3 * alone:>6.1f}, "
            f"{self.megabytes[name][0]:>6.1f} MB against {self.megabytes[name][1]:>6.1f}, "
            f"attributions differ by {self.apart[name]:.1e}"
            for name, (both, alone) in self.seconds.items()
        ]


def x_twin(name: str) -> nn.Module:
    """An architecture of torchvision without biases, random weights, statistics not trivial."""
    torch.manual_seed(0)
    network = getattr(torchvision.models, name)(weights=None).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
            nn.init.normal_(module.weight, 1.0, 0.2)
    return remove_biases(network)


def logits_alone(network: nn.Module, example: torch.Tensor) -> bytes:
    """The graph without attribution."""
    program = torch.onnx.export(
        network, (example,), dynamo=True, opset_version=18, input_names=["images"], verbose=False
    )
    assert program is not None
    return program.model_proto.SerializeToString()


def one_thread(model: bytes) -> onnxruntime.InferenceSession:
    """A session that runs on one core."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options)


def medians(works: list[Callable[[], object]], repeats: int) -> list[float]:
    """Median seconds of each, in turns, after a round to warm up."""
    seconds: list[list[float]] = [[] for _ in works]
    for _ in range(repeats + 1):
        for work, own in zip(works, seconds, strict=True):
            began = time.perf_counter()
            work()
            own.append(time.perf_counter() - began)
    return [statistics.median(own[1:]) for own in seconds]


def measure(names: tuple[str, ...], repeats: int) -> OnnxReport:
    """Measure every network."""
    seconds, megabytes, apart = {}, {}, {}
    x, target = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0)), 1
    given = {"images": x.numpy(), "target": torch.tensor([target]).numpy()}
    for name in names:
        network = x_twin(name)
        with TemporaryDirectory() as folder:
            both = export_onnx(network, Path(folder) / "network.onnx", x).read_bytes()
        alone = logits_alone(network, x)
        with_attribution, plain = one_thread(both), one_thread(alone)
        values = torch.from_numpy(with_attribution.run(["attribution"], given)[0])
        apart[name] = float(relative_l1(values, x_gradient(network, x, target).values))
        megabytes[name] = len(both) / 1e6, len(alone) / 1e6
        first, second = medians(
            [
                lambda session=with_attribution: session.run(None, given),
                lambda session=plain: session.run(None, {"images": given["images"]}),
            ],
            repeats,
        )
        seconds[name] = first, second
    return OnnxReport("CPU", 1, "one image, ONNX Runtime", repeats, seconds, megabytes, apart)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``python -m tools.bench onnx``."""
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), metavar="NAME")
    parser.add_argument("--repeats", type=int, default=9, help="timed rounds (default: 9)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there as well")


def main(args: argparse.Namespace) -> int:
    """Run ``python -m tools.bench onnx``; returns the exit status."""
    require_positive(repeats=args.repeats)
    return finish(measure(tuple(args.networks), args.repeats), args.json)
