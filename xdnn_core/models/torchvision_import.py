"""The one door to torchvision.

A torch built for the CPU beside a torchvision built for CUDA (what `pip install` gives on some
machines) makes `import torchvision` fail with "operator torchvision::nms does not exist": its
compiled operators do not load, and a decorator then asks for one of them. Models and transforms
need none of them, so declaring the two names before the import is enough.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch

_DECLARATIONS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


def _compiled_operators_load() -> bool:
    """Whether torchvision's compiled operators can be loaded beside this torch."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        raise ImportError("torchvision is not installed; install it with `pip install torchvision`")
    for library in sorted(Path(spec.origin).parent.glob("_C*")):
        try:
            torch.ops.load_library(str(library))
        except OSError:
            return False
    return hasattr(torch.ops.torchvision, "nms")


if not _compiled_operators_load():
    # The library object must stay alive: when it is collected, its operators go with it.
    _declared = torch.library.Library("torchvision", "DEF")
    for _declaration in _DECLARATIONS:
        _declared.define(_declaration)

import torchvision  # noqa: E402  (the operators must be declared first)
import torchvision.datasets  # noqa: E402
import torchvision.models  # noqa: E402
import torchvision.transforms.v2.functional as transforms  # noqa: E402

__all__ = ["torchvision", "transforms"]
