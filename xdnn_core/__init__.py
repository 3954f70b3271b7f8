"""Attributions that can be trusted, on networks for which one gradient is enough.

The public names are on this screen; each is imported when it is first used, so that a page can
draw its photographs before torch is there.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xdnn_core.attribution.captum_reference import (
        captum_attribution as captum_attribution,
        compare_with_captum as compare_with_captum,
    )
    from xdnn_core.attribution.expected import expected_gradients as expected_gradients
    from xdnn_core.attribution.gradients import (
        gradient as gradient,
        input_x_gradient as input_x_gradient,
        x_gradient as x_gradient,
    )
    from xdnn_core.attribution.integrated import (
        blurred_baseline as blurred_baseline,
        integrated_gradients as integrated_gradients,
    )
    from xdnn_core.attribution.result import Attribution as Attribution
    from xdnn_core.errors import UserError as UserError
    from xdnn_core.homogeneity import (
        HomogeneityReport as HomogeneityReport,
        NotHomogeneousError as NotHomogeneousError,
        inspect_homogeneity as inspect_homogeneity,
        remove_biases as remove_biases,
    )
    from xdnn_core.metrics.agreement import (
        bias_diagnostics as bias_diagnostics,
        relative_l1 as relative_l1,
    )
    from xdnn_core.models.zoo import (
        ModelCard as ModelCard,
        PretrainedModel as PretrainedModel,
        available_models as available_models,
        load_model as load_model,
        load_model_file as load_model_file,
    )

_HOME = {
    "Attribution": "attribution.result",
    "HomogeneityReport": "homogeneity",
    "ModelCard": "models.zoo",
    "NotHomogeneousError": "homogeneity",
    "PretrainedModel": "models.zoo",
    "UserError": "errors",
    "available_models": "models.zoo",
    "bias_diagnostics": "metrics.agreement",
    "blurred_baseline": "attribution.integrated",
    "captum_attribution": "attribution.captum_reference",
    "compare_with_captum": "attribution.captum_reference",
    "expected_gradients": "attribution.expected",
    "gradient": "attribution.gradients",
    "input_x_gradient": "attribution.gradients",
    "inspect_homogeneity": "homogeneity",
    "integrated_gradients": "attribution.integrated",
    "load_model": "models.zoo",
    "load_model_file": "models.zoo",
    "relative_l1": "metrics.agreement",
    "remove_biases": "homogeneity",
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
