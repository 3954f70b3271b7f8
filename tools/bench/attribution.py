"""Our attributions against Captum's, on the embedded pair in float32.

    python -m tools.bench attribution

Times are medians of calls made in turns, after a warm-up. Extra memory is the peak during the
call above what was held before it, each in a process of its own. Captum is its public
IntegratedGradients on the same network object. The number of graded steps is measured: the
smallest from which on the error stays at or below that of Captum's 128 points, both against 2048
graded points.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from captum.attr import IntegratedGradients
from torch import Tensor
from tqdm import tqdm

from tools.bench.report import Report, Row, circumstances, on_photograph
from xdnn_core.attribution.gradients import input_x_gradient, x_gradient
from xdnn_core.attribution.integrated import integrated_gradients
from xdnn_core.attribution.target import Target
from xdnn_core.data.gallery import gallery
from xdnn_core.device import full_float32, resolve_device
from xdnn_core.errors import UserError
from xdnn_core.experiments.measuring import in_fresh_process, interleaved_seconds, peak_extra_bytes
from xdnn_core.metrics.distance import relative_l1
from xdnn_core.models.zoo import PretrainedModel, load_model
from xdnn_core.progress import on_bar

PLAIN, XDNN = "alexnet-caltech101", "xalexnet-caltech101"
STEPS = 128
BATCH = 16
REFERENCE_STEPS = 2048
CANDIDATE_STEPS = range(160, 40, -8)
# Captum takes a batch of 16 with 128 points in 2048 rows at once, 10 GB; a CPU gets as many rows
# at once as one image makes.
CPU_ROWS = 128

Method = Callable[[PretrainedModel, Tensor, Target], Tensor]


def by_captum(rows: int | None, steps: int = STEPS) -> Method:
    """Captum's Integrated Gradients with so many rows a gradient call (None: all at once).

    In full float32, as ours: a GPU's TF32, PyTorch's default for convolutions, flips ReLU gates.
    """
    return full_float32()(
        lambda model, x, target: IntegratedGradients(model.network).attribute(
            x, target=target, n_steps=steps, internal_batch_size=rows
        )
    )


def by_us(rule: str, steps: int = STEPS) -> Method:
    """Our Integrated Gradients."""
    return lambda model, x, target: (
        integrated_gradients(model.network, x, target, rule=rule, steps=steps).values
    )


def by_x_gradient(model: PretrainedModel, x: Tensor, target: Target) -> Tensor:
    """Our X-Gradient."""
    return x_gradient(model.network, x, target).values


OURS, CAPTUM, CAPTUM_16 = "ours", "Captum", "Captum, 16 rows a call"
# What is measured for memory, by name: functions do not travel to another process.
METHODS: dict[str, Method] = {
    OURS: by_us("gauss_legendre"),
    CAPTUM: by_captum(None),
    CAPTUM_16: by_captum(BATCH),
}


@dataclass(frozen=True)
class AttributionReport(Report):
    """Everything that was measured."""

    seconds: dict[str, float]  # median time of one call, by name
    images_per_second: dict[str, float]  # by name
    peak_extra_bytes: dict[str, int]  # of one call, by name
    captum_error: float  # relative L1 distance of Captum's 128 points to the reference
    # graded points with no larger error; None if all of `CANDIDATE_STEPS` have a larger one
    graded_steps: int | None

    def table(self) -> list[Row]:
        """The ratios, beside their targets."""
        return rows_of(self.seconds, self.peak_extra_bytes, self.graded_steps)

    def lines(self) -> list[str]:
        """Every call."""
        lines = [f"{'call':<34}{'seconds':>9}{'images/s':>10}{'extra MiB':>11}"]
        for name, seconds in self.seconds.items():
            memory = self.peak_extra_bytes.get(name)
            mib = "" if memory is None else f"{memory / 2**20:.0f}"
            rate = self.images_per_second[name]
            lines.append(f"{name:<34}{seconds:>9.3f}{rate:>10.3g}{mib:>11}")
        return [*lines, "", f"Captum's error with {STEPS} points: {self.captum_error:.2%}"]


def photographs(model: PretrainedModel, first: str, count: int) -> tuple[Tensor, Tensor]:
    """Gallery photographs from `first` on, and the class the network sees in each.

    Returns (count, 3, H, W) and (count,).
    """
    items = gallery()
    keys = [item.key for item in items]
    if first not in keys:
        raise UserError(f"{first!r} is not in the gallery; choose one of {', '.join(keys)}.")
    start = keys.index(first)
    ring = [items[(start + i) % len(items)] for i in range(count)]
    inputs = torch.stack([model.preprocess(item.open()) for item in ring])
    with torch.no_grad():
        return inputs, model.network(inputs).argmax(dim=1)


def extra_memory(name: str, image: str, device: str, threads: int) -> int:
    """Peak extra bytes of one of `METHODS` on one photograph; for a process of its own."""
    torch.set_num_threads(threads)
    chosen = resolve_device(device)
    model = load_model(PLAIN, chosen)
    x, target = photographs(model, image, 1)
    input_x_gradient(model.network, x, target)  # loads code and libraries
    return peak_extra_bytes(lambda: METHODS[name](model, x, target), chosen)


def fewest_steps(
    error_of: Callable[[int], float], allowed: float, candidates: Iterable[int]
) -> int | None:
    """The last of descending `candidates` before the error first exceeds `allowed`; None if none.

    Errors do not fall evenly with the steps, so a lucky small number does not count.
    """
    best = None
    for steps in candidates:
        if error_of(steps) > allowed:
            break
        best = steps
    return best


def matching_steps(model: PretrainedModel, x: Tensor, target: Tensor) -> tuple[float, int | None]:
    """Captum's error with 128 points, and the fewest graded steps with no larger error."""
    with tqdm(total=REFERENCE_STEPS, desc="reference", file=sys.stderr, leave=False) as bar:
        reference = integrated_gradients(
            model.network, x, target, rule="graded", steps=REFERENCE_STEPS,
            progress=on_bar(bar),
        ).values  # fmt: skip

    def error(values: Tensor) -> float:
        return float(relative_l1(values, reference).mean())

    allowed = error(METHODS[CAPTUM](model, x, target).detach())
    steps = fewest_steps(
        lambda n: error(by_us("graded", n)(model, x, target)), allowed, CANDIDATE_STEPS
    )
    return allowed, steps


def time_integration(
    model: PretrainedModel, x: Tensor, target: Tensor, graded_steps: int | None, repeats: int
) -> dict[str, float]:
    """Median seconds of Integrated Gradients on one image, by name, after a round to warm up."""
    methods = dict(METHODS)
    if graded_steps is not None:
        methods[f"ours, graded, {graded_steps} steps"] = by_us("graded", graded_steps)
    works = [lambda m=method: m(model, x, target) for method in methods.values()]
    interleaved_seconds(works, 1, x.device)
    return dict(zip(methods, interleaved_seconds(works, repeats, x.device), strict=True))


def time_x_gradient(
    model: PretrainedModel, x: Tensor, target: Tensor, repeats: int
) -> tuple[float, float]:
    """Median seconds of X-Gradient and of Captum's 128 points, in turns.

    X-Gradient is so short that each of its turns is the median of ten calls.
    """
    rows = None if len(x) == 1 or x.device.type == "cuda" else CPU_ROWS
    short = [lambda: by_x_gradient(model, x, target)]
    interleaved_seconds([*short, lambda: by_captum(rows, 8)(model, x, target)], 1, x.device)
    fast: list[float] = []
    long: list[float] = []
    for _ in range(repeats):
        fast += interleaved_seconds(short, 10, x.device)
        long += interleaved_seconds([lambda: by_captum(rows)(model, x, target)], 1, x.device)
    return sorted(fast)[len(fast) // 2], sorted(long)[len(long) // 2]


def measure(image: str, device: torch.device, repeats: int) -> AttributionReport:
    """Measure everything; see the module's docstring."""
    memory = {
        name: in_fresh_process(extra_memory, name, image, str(device), torch.get_num_threads())
        for name in tqdm(METHODS, desc="memory", file=sys.stderr, leave=False)
    }
    plain, xdnn = load_model(PLAIN, device), load_model(XDNN, device)
    x, target = photographs(plain, image, 1)
    error, graded_steps = matching_steps(plain, x, target)
    seconds = time_integration(plain, x, target, graded_steps, repeats)
    counts = dict.fromkeys(seconds, 1)
    for count in (1, BATCH):
        pair = time_x_gradient(xdnn, *photographs(xdnn, image, count), repeats)
        for name, took in zip(("X-Gradient", "Captum on X-AlexNet"), pair, strict=True):
            seconds[f"{name}, batch of {count}"], counts[f"{name}, batch of {count}"] = took, count
    return AttributionReport(
        *circumstances(device, f"photograph {image!r}", repeats),
        seconds=seconds,
        images_per_second={name: counts[name] / took for name, took in seconds.items()},
        peak_extra_bytes=memory,
        captum_error=error,
        graded_steps=graded_steps,
    )


def rows_of(
    seconds: dict[str, float], memory: dict[str, int], graded_steps: int | None
) -> list[Row]:
    """The table, from what was measured."""
    graded = seconds.get(f"ours, graded, {graded_steps} steps", float("inf"))
    steps = f"{graded_steps} steps" if graded_steps else f"over {CANDIDATE_STEPS[0]} steps"
    return [
        Row("IG 128, time / Captum all at once", seconds[OURS] / seconds[CAPTUM], 0.75),
        Row("IG 128, time / Captum 16 rows a call", seconds[OURS] / seconds[CAPTUM_16], 0.75),
        Row("IG 128, extra memory / Captum all at once", memory[OURS] / memory[CAPTUM], 0.4),
        Row("IG 128, extra memory / Captum 16 rows a call", memory[OURS] / memory[CAPTUM_16]),
        Row(f"graded, {steps}, same error, time / Captum", graded / seconds[CAPTUM], 0.6),
        *(
            Row(
                f"Captum IG 128, time / X-Gradient, batch of {count}",
                seconds[f"Captum on X-AlexNet, batch of {count}"]
                / seconds[f"X-Gradient, batch of {count}"],
                target,
                at_least=True,
            )
            for count, target in ((1, 70.0), (BATCH, 90.0))
        ),
    ]


add_arguments, main = on_photograph(lambda *options: measure(*options), repeats=5)
