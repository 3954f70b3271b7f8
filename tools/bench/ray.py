"""One sweep for every contrast, and one pass for every number of calls, against one by one.

    python -m tools.bench ray

On the embedded AlexNet in float32. The sweep gives Integrated Gradients, Input×Gradient and all
logits at 31 contrasts. Against it stand Integrated Gradients with 128 points at every one of them,
by Captum and by ourselves, both with the paper's Gauss–Legendre rule; these are timed at three
contrasts and scaled to 31, since their time does not depend on the contrast. Times are medians of
calls made in turns, after a warm-up. Errors are relative L1 distances of channel-summed maps to
those of a sweep with 1,024 cells.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm import tqdm

from tools.bench.attribution import BATCH, PLAIN, STEPS, XDNN, Method, by_captum, by_us, photographs
from tools.bench.report import Report, Row, circumstances, on_photograph
from xdnn_core.attribution.contrast_mesh import ray_mesh
from xdnn_core.attribution.contrast_result import RaySweep
from xdnn_core.attribution.contrast_sweep import STOPS, ray_sweep
from xdnn_core.experiments.convergence import measure_convergence
from xdnn_core.experiments.measuring import interleaved_seconds
from xdnn_core.metrics.distance import relative_l1
from xdnn_core.models.zoo import PretrainedModel, load_model
from xdnn_core.progress import on_bar

TIMED_STOPS = (0.25, 0.75, 1.25)
REFERENCE_CELLS = 1024

SWEEP, COARSE, SCALING = "one sweep", "one sweep, coarse", "one gradient, X-AlexNet"
CAPTUM, CAPTUM_16, OURS = "Captum", "Captum, 16 rows a call", "ours"
ONE_BY_ONE: dict[str, Method] = {
    CAPTUM: by_captum(None),
    CAPTUM_16: by_captum(BATCH),
    OURS: by_us("gauss_legendre"),
}


@dataclass(frozen=True)
class RayReport(Report):
    """Everything that was measured."""

    seconds: dict[str, float]  # for all 31 contrasts, by name
    sweep_calls: int  # gradient calls of the sweep
    errors: dict[str, list[float]]  # of the sweep and of Captum at `TIMED_STOPS`, by name
    convergence_calls: int  # gradient calls of the convergence plot
    separate_calls: int  # of the same computed one by one
    reference_calls: int  # how many of both are the reference's
    convergence_seconds: float  # of the plot

    def table(self) -> list[Row]:
        """The ratios, beside their targets."""
        calls = self.convergence_calls, self.separate_calls, self.reference_calls
        return rows_of(self.seconds, *calls)

    def lines(self) -> list[str]:
        """Times, errors and calls."""
        lines = [f"{'all 31 contrasts':<34}{'seconds':>9}"]
        for name, seconds in self.seconds.items():
            scaled = "  timed at 3 contrasts, scaled to 31" if name in ONE_BY_ONE else ""
            lines.append(f"{name:<34}{seconds:>9.3g}{scaled}")
        lines += ["", f"{'error at α =':<34}" + "".join(f"{alpha:>9g}" for alpha in TIMED_STOPS)]
        for name, errors in self.errors.items():
            lines.append(f"{name:<34}" + "".join(f"{error:>9.2%}" for error in errors))
        return [
            *lines,
            "",
            f"The sweep takes {self.sweep_calls} gradient calls; the convergence plot "
            f"{self.convergence_calls:,} in {self.convergence_seconds:.1f} s,",
            f"one by one it would be {self.separate_calls:,}; {self.reference_calls} of both are "
            "the reference's.",
        ]


def one_by_one(method: Method, model: PretrainedModel, x: Tensor, target: int) -> list[Tensor]:
    """Attributions (1, C, H, W) at every one of `TIMED_STOPS`."""
    return [method(model, alpha * x, target).detach() for alpha in TIMED_STOPS]


def time_contrasts(
    plain: PretrainedModel, xdnn: PretrainedModel, x: Tensor, target: int, repeats: int
) -> dict[str, float]:
    """Median seconds for all contrasts, by name, after a round to warm up."""
    whole: dict[str, Callable[[], object]] = {
        SWEEP: lambda: ray_sweep(plain.network, x, target, cells=STEPS),
        COARSE: lambda: ray_sweep(plain.network, x, target, cells=16),
        SCALING: lambda: ray_sweep(xdnn.network, x, target),
    }
    parts = {
        name: lambda m=method: one_by_one(m, plain, x, target)
        for name, method in ONE_BY_ONE.items()
    }
    works = [*whole.values(), *parts.values()]
    interleaved_seconds(works, 1, x.device)
    medians = dict(
        zip([*whole, *parts], interleaved_seconds(works, repeats, x.device), strict=True)
    )
    share = len(STOPS) / len(TIMED_STOPS)
    return {name: took * (share if name in parts else 1) for name, took in medians.items()}


def errors_at_stops(model: PretrainedModel, x: Tensor, target: int) -> dict[str, list[float]]:
    """Errors of the sweep and of Captum at `TIMED_STOPS`, by name."""
    with _bar("reference") as bar:
        reference = _maps(
            ray_sweep(model.network, x, target, cells=REFERENCE_CELLS, progress=on_bar(bar))
        )
    captum = torch.stack(
        [one[0].sum(dim=0).cpu() for one in one_by_one(by_captum(BATCH), model, x, target)]
    )
    by_name = {SWEEP: _maps(ray_sweep(model.network, x, target, cells=STEPS)), CAPTUM: captum}
    return {name: relative_l1(maps, reference).tolist() for name, maps in by_name.items()}


def _maps(sweep: RaySweep) -> Tensor:
    """Integrated Gradients at `TIMED_STOPS`, (3, H, W)."""
    return sweep.integrated[[STOPS.index(alpha) for alpha in TIMED_STOPS]]


def measure(image: str, device: torch.device, repeats: int) -> RayReport:
    """Measure everything; see the module's docstring."""
    plain, xdnn = load_model(PLAIN, device), load_model(XDNN, device)
    x, targets = photographs(plain, image, 1)
    target = int(targets[0])
    seconds = time_contrasts(plain, xdnn, x, target, repeats)
    errors = errors_at_stops(plain, x, target)
    with _bar("convergence") as bar:
        plot = measure_convergence(plain.network, x, target, progress=on_bar(bar))
    return RayReport(
        *circumstances(device, f"photograph {image!r}", repeats),
        seconds=seconds,
        sweep_calls=len(ray_mesh(STEPS, STOPS).points),
        errors=errors,
        convergence_calls=plot.gradient_calls,
        separate_calls=plot.gradient_calls_separately,
        reference_calls=plot.reference_calls,
        convergence_seconds=plot.seconds,
    )


def _bar(title: str) -> tqdm:
    return tqdm(desc=title, file=sys.stderr, leave=False)


def rows_of(seconds: dict[str, float], ours: int, separate: int, aside: int) -> list[Row]:
    """The table, from seconds and gradient calls, those of the reference being `aside`."""
    against = [(CAPTUM, 20.0), (CAPTUM_16, None), (OURS, 15.0)]
    return [
        *(
            Row(f"{name}, IG {STEPS} at 31 contrasts, time / sweep",
                seconds[name] / seconds[SWEEP], target, at_least=True)
            for name, target in against
        ),
        Row("curves of the convergence plot, calls / one by one",
            (ours - aside) / (separate - aside), 0.45),
        Row("the same with the reference in both", ours / separate),
    ]  # fmt: skip


add_arguments, main = on_photograph(lambda *options: measure(*options), repeats=3)
