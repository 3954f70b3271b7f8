"""One network, one image, one class: the single-gradient attribution beside Integrated Gradients.

The Compare page, the command line and the figures all read their numbers from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from xdnn_core.attribution.baseline import blurred_baseline
from xdnn_core.attribution.gradients import single_gradient_method
from xdnn_core.attribution.integrated import integrated_gradients
from xdnn_core.attribution.ledger import Ledger, bias_attribution
from xdnn_core.attribution.path import Progress
from xdnn_core.attribution.result import Attribution
from xdnn_core.errors import UserError
from xdnn_core.metrics.distance import relative_l1
from xdnn_core.models.zoo import PretrainedModel
from xdnn_core.text import percent

BaselineName = Literal["zero", "blurred", "black", "white"]
BASELINES: tuple[BaselineName, ...] = get_args(BaselineName)


@dataclass(frozen=True)
class IntegrationSettings:
    """How Integrated Gradients is computed."""

    # rule, steps: quadrature rule and number of points; with a tolerance the cap on their number
    rule: str = "graded"
    steps: int = 128
    baseline: str = "zero"  # ``"zero"`` (the mean image), ``"blurred"``, ``"black"`` or ``"white"``
    # estimated error at which doubling the points ends, relative; None takes `steps` points
    tolerance: float | None = None

    @property
    def options(self) -> dict[str, Any]:
        """The arguments of `integrated_gradients` but for the baseline."""
        if self.tolerance is None:
            return {"rule": self.rule, "steps": self.steps}
        return {"rule": self.rule, "tolerance": self.tolerance, "max_steps": self.steps}

    @property
    def description(self) -> str:
        """The settings in words."""
        if self.tolerance is None:
            calls = f"{self.steps} gradient calls"
        else:
            calls = (
                f"to an estimated error of {percent(self.tolerance)}, at most {self.steps} calls"
            )
        return f"{self.rule}, {calls}, {self.baseline} baseline"


@dataclass(frozen=True)
class Comparison:
    """What one network says about one image and one class."""

    fast: Attribution  # X-Gradient for a homogeneous network, Input×Gradient for any other
    integrated: Attribution  # Integrated Gradients
    distance: float  # ‖fast − IG‖₁ / ‖IG‖₁, relative
    ledger: Ledger  # what pixels and biases put into the target logit

    @property
    def difference(self) -> Tensor:
        """fast − IG, (1, 3, H, W)."""
        return self.fast.values - self.integrated.values

    @property
    def speedup(self) -> float:
        """Seconds of Integrated Gradients over seconds of the single gradient."""
        return self.integrated.seconds / self.fast.seconds

    @property
    def target_logit(self) -> float:
        """F(x) for the target."""
        return float(self.fast.outputs[0])


def named_baseline(name: str, model: PretrainedModel, inputs: Tensor) -> Tensor | None:
    """Turn a baseline's name into a tensor in the shape of the inputs; None for zero."""
    if name == "zero":
        return None
    if name == "blurred":
        return blurred_baseline(inputs)
    if name in ("black", "white"):
        level = torch.full_like(inputs, 0.0 if name == "black" else 1.0)
        return model.preprocessing.normalise(level)
    raise UserError(f"Baseline {name!r} is not known; choose one of {', '.join(BASELINES)}.")


def named_target(name: str, model: PretrainedModel, inputs: Tensor) -> int:
    """Turn ``auto`` (the prediction), a class's name or its number into its index."""
    if name == "auto":
        return predict(model, inputs)[0].index
    if name in model.classes:
        return model.classes.index(name)
    if name.isdigit() and int(name) < len(model.classes):
        return int(name)
    raise UserError(
        f"--target {name} is no class of {model.name}; give auto, a number from 0 to "
        f"{len(model.classes) - 1}, or a name such as {model.classes[0]}."
    )


def fast_method(model: PretrainedModel) -> str:
    """Name of the single-gradient method that suits a network."""
    return single_gradient_method(model.is_xdnn).__name__


def compare(
    model: PretrainedModel,
    inputs: Tensor,
    target: int,
    settings: IntegrationSettings,
    progress: Progress | None = None,
    chunk: int | None = None,
    finer: int | None = None,
    known: Comparison | None = None,
) -> Comparison:
    """Attribute one image by one gradient and by Integrated Gradients.

    `inputs`: a normalised image (1, 3, H, W). `progress`: called with (points done, steps) after
    every chunk; may raise to cancel.
    """
    x = inputs.to(next(model.network.parameters()))
    network = model.network
    fast = known.fast if known else single_gradient_method(model.is_xdnn)(network, x, target)
    integrated = integrated_gradients(
        network,
        x,
        target,
        baseline=named_baseline(settings.baseline, model, x),
        **settings.options,
        finer=finer,
        begun=known.integrated if known and _is_for(known.integrated, settings) else None,
        chunk=chunk,
        progress=progress,
    )
    return Comparison(
        fast=fast,
        integrated=integrated,
        distance=float(relative_l1(fast.values, integrated.values)[0]),
        ledger=known.ledger if known else bias_attribution(network, x, target),
    )


def _is_for(integrated: Attribution, settings: IntegrationSettings) -> bool:
    """Whether an integral was made as the beginning of one with these settings."""
    begun = integrated.begun
    requested = None if settings.tolerance else (settings.rule, settings.steps)
    return begun is not None and (begun.rule, begun.steps) == requested


@dataclass(frozen=True)
class Prediction:
    """A class, its logit and its softmax confidence."""

    index: int
    name: str
    logit: float
    confidence: float


def predict(model: PretrainedModel, inputs: Tensor) -> list[Prediction]:
    """Return every class of one image (1, 3, H, W), most confident first."""
    x = inputs.to(next(model.network.parameters()))
    with torch.no_grad():
        logits = model.network(x)[0].double()  # (classes,)
    confidences = logits.softmax(dim=0)
    order = logits.argsort(descending=True).tolist()
    return [Prediction(i, model.classes[i], float(logits[i]), float(confidences[i])) for i in order]
