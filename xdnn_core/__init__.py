"""Attributions that can be trusted, on networks for which one gradient is enough.

The public names are on this screen; each is imported when it is first used, so that a page can
draw its photographs before torch is there.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xdnn_core.attribution.baseline import blurred_baseline as blurred_baseline
    from xdnn_core.attribution.captum import (
        captum_attribution as captum_attribution,
        compare_with_captum as compare_with_captum,
    )
    from xdnn_core.attribution.contrast_result import RaySweep as RaySweep
    from xdnn_core.attribution.contrast_sweep import ray_sweep as ray_sweep
    from xdnn_core.attribution.expected import expected_gradients as expected_gradients
    from xdnn_core.attribution.gradients import (
        gradient as gradient,
        input_x_gradient as input_x_gradient,
        x_gradient as x_gradient,
    )
    from xdnn_core.attribution.integrated import integrated_gradients as integrated_gradients
    from xdnn_core.attribution.ledger import (
        Ledger as Ledger,
        bias_attribution as bias_attribution,
    )
    from xdnn_core.attribution.result import (
        Attribution as Attribution,
        relative_l1 as relative_l1,
    )
    from xdnn_core.data.cohorts.cohort import Cohort as Cohort, CohortError as CohortError
    from xdnn_core.data.cohorts.load import load_cohort as load_cohort
    from xdnn_core.errors import UserError as UserError
    from xdnn_core.homogeneity.inspection import (
        HomogeneityReport as HomogeneityReport,
        NotHomogeneousError as NotHomogeneousError,
        inspect_homogeneity as inspect_homogeneity,
        remove_biases as remove_biases,
    )
    from xdnn_core.metrics.distance import half_distance as half_distance
    from xdnn_core.models.zoo import (
        ModelCard as ModelCard,
        PretrainedModel as PretrainedModel,
        available_models as available_models,
        load_model as load_model,
        load_model_file as load_model_file,
    )
    from xdnn_core.priors.live import LiveTrainer as LiveTrainer
    from xdnn_core.priors.live_state import (
        LiveConfig as LiveConfig,
        Snapshot as Snapshot,
    )
    from xdnn_core.priors.loss import (
        attribution_prior_loss as attribution_prior_loss,
        training_attributions as training_attributions,
    )
    from xdnn_core.priors.methods import PriorMethod as PriorMethod
    from xdnn_core.priors.sweep import (
        choose_strengths as choose_strengths,
        run_sweep as run_sweep,
    )
    from xdnn_core.priors.sweep_cells import SweepConfig as SweepConfig

_HOME = {
    "Attribution": "attribution.result",
    "Cohort": "data.cohorts.cohort",
    "CohortError": "data.cohorts.cohort",
    "HomogeneityReport": "homogeneity.inspection",
    "Ledger": "attribution.ledger",
    "LiveConfig": "priors.live_state",
    "LiveTrainer": "priors.live",
    "ModelCard": "models.zoo",
    "NotHomogeneousError": "homogeneity.inspection",
    "PretrainedModel": "models.zoo",
    "PriorMethod": "priors.methods",
    "RaySweep": "attribution.contrast_result",
    "Snapshot": "priors.live_state",
    "SweepConfig": "priors.sweep_cells",
    "UserError": "errors",
    "attribution_prior_loss": "priors.loss",
    "available_models": "models.zoo",
    "bias_attribution": "attribution.ledger",
    "blurred_baseline": "attribution.baseline",
    "captum_attribution": "attribution.captum",
    "choose_strengths": "priors.sweep",
    "compare_with_captum": "attribution.captum",
    "expected_gradients": "attribution.expected",
    "gradient": "attribution.gradients",
    "input_x_gradient": "attribution.gradients",
    "half_distance": "metrics.distance",
    "inspect_homogeneity": "homogeneity.inspection",
    "integrated_gradients": "attribution.integrated",
    "load_cohort": "data.cohorts.load",
    "load_model": "models.zoo",
    "load_model_file": "models.zoo",
    "ray_sweep": "attribution.contrast_sweep",
    "relative_l1": "attribution.result",
    "remove_biases": "homogeneity.inspection",
    "run_sweep": "priors.sweep",
    "training_attributions": "priors.loss",
    "x_gradient": "attribution.gradients",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """Import a public name from where it lives."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
