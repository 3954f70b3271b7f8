"""Pretrained convolutions to start from."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from xdnn_core.errors import UserError
from xdnn_core.models.networks import AlexNet, NetworkConfig


def load_features(source: str) -> dict[str, Tensor]:
    """Read pretrained convolutions: a safetensors file, or ``"torchvision"``."""
    if source == "torchvision":
        from xdnn_core.models.torchvision_import import torchvision

        weights = torchvision.models.AlexNet_Weights.IMAGENET1K_V1
        state = weights.get_state_dict(progress=True, check_hash=True)
    else:
        if not Path(source).is_file():
            raise UserError(
                f"--features {source} is not a file; give a safetensors file or 'torchvision'."
            )
        try:
            state = load_file(source)
        except SafetensorError as error:
            raise UserError(f"--features {source} is not a safetensors file.") from error
    needed = AlexNet(NetworkConfig(classes=1, head=1)).features.state_dict(prefix="features.")
    missing = sorted(set(needed) - set(state))
    if missing:
        raise UserError(
            f"--features {source} lacks {', '.join(missing)}; needed are torchvision's names for "
            "AlexNet's five convolutions."
        )
    return {key: state[key] for key in needed}
