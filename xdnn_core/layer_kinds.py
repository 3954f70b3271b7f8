"""What a kind of layer does to F(αx) = αF(x), α ≥ 0, told by what the layer is.

Source: Hesse et al. 2021, Propositions 3.2 to 3.4.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from xdnn_core.errors import UserError

WITH_BIAS = (
    nn.Linear,
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
)
_ALWAYS = (
    nn.ReLU,
    nn.LeakyReLU,
    nn.PReLU,
    nn.Identity,
    nn.Flatten,
    nn.Unflatten,
    nn.MaxPool1d,
    nn.MaxPool2d,
    nn.MaxPool3d,
    nn.AvgPool1d,
    nn.AvgPool2d,
    nn.AvgPool3d,
    nn.AdaptiveAvgPool1d,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveAvgPool3d,
    nn.AdaptiveMaxPool1d,
    nn.AdaptiveMaxPool2d,
    nn.AdaptiveMaxPool3d,
    nn.Upsample,
    nn.PixelShuffle,
    nn.PixelUnshuffle,
    nn.ZeroPad1d,
    nn.ZeroPad2d,
    nn.ZeroPad3d,
    nn.ReflectionPad1d,
    nn.ReflectionPad2d,
    nn.ReflectionPad3d,
    nn.ReplicationPad1d,
    nn.ReplicationPad2d,
    nn.ReplicationPad3d,
)
_INACTIVE_IN_EVAL = (
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
    nn.AlphaDropout,
    nn.FeatureAlphaDropout,
    nn.RReLU,
)
_ACTIVATIONS = (
    nn.CELU,
    nn.ELU,
    nn.GELU,
    nn.GLU,
    nn.Hardshrink,
    nn.Hardsigmoid,
    nn.Hardswish,
    nn.Hardtanh,  # ReLU6 is one
    nn.LogSigmoid,
    nn.LogSoftmax,
    nn.Mish,
    nn.SELU,
    nn.SiLU,
    nn.Sigmoid,
    nn.Softmax,
    nn.Softmax2d,
    nn.Softmin,
    nn.Softplus,
    nn.Softshrink,
    nn.Softsign,
    nn.Tanh,
    nn.Tanhshrink,
)
_NORMALISATIONS = (
    nn.LayerNorm,
    nn.GroupNorm,
    nn.RMSNorm,
    nn.LocalResponseNorm,
    nn.InstanceNorm1d,
    nn.InstanceNorm2d,
    nn.InstanceNorm3d,
    nn.CrossMapLRN2d,
)


class FoldedBatchNorm(nn.Module):
    """What is left of a batch normalisation without its shift: one factor a channel.

    Parameters
    ----------
    source
        The batch normalisation.
    name
        What to call it in a message.
    """

    def __init__(self, source: _BatchNorm, name: str) -> None:
        super().__init__()
        if source.running_var is None:
            raise UserError(
                f"{name} is a batch normalisation without running statistics, so it has no fixed "
                "factor to keep; use track_running_stats=True."
            )
        scale = (source.running_var + source.eps).rsqrt()  # (C,)
        if source.weight is not None:
            scale = scale * source.weight.detach()
        trainable = source.weight is not None and source.weight.requires_grad
        self.weight = nn.Parameter(scale, requires_grad=trainable)
        self.train(source.training)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply channels of (B, C, ...) by their factors."""
        return x * self.weight.view(1, -1, *[1] * (x.ndim - 2))  # (C,) -> (1, C, 1, ...)


def known_verdict(module: nn.Module) -> tuple[bool, str] | None:
    """The verdict that follows from what a layer is, or None for an unknown kind."""
    if isinstance(module, WITH_BIAS):
        bias = module.bias is not None and bool(module.bias.detach().any())
        return (False, "its bias does not scale") if bias else (True, "linear, no bias")
    if isinstance(module, _BatchNorm):
        return _batch_norm_verdict(module)
    if isinstance(module, FoldedBatchNorm):
        return True, "a fixed factor a channel"
    if isinstance(module, _INACTIVE_IN_EVAL):
        if module.training:
            return False, "random in training mode"
        return True, "fixed in evaluation mode"
    if isinstance(module, _ALWAYS):
        return True, "commutes with scaling"
    if isinstance(module, _ACTIVATIONS):
        return False, "an activation that bends away from 0"
    if isinstance(module, _NORMALISATIONS):
        return False, "a normalisation divides the scale out"
    return None


def _batch_norm_verdict(module: _BatchNorm) -> tuple[bool, str]:
    if module.training or module.running_mean is None or module.running_var is None:
        return False, "a normalisation divides the scale out"
    scale = (module.running_var + module.eps).rsqrt()  # (C,)
    shift = -module.running_mean * scale
    if module.weight is not None:
        shift = shift * module.weight.detach() + module.bias.detach()
    if bool(shift.any()):
        return False, "its shift does not scale"
    return True, "a fixed factor a channel"
