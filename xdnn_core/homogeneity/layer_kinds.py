"""What a kind of layer does to F(αx) = αF(x), α ≥ 0, told by what the layer is.

Source: Hesse et al. 2021, Propositions 3.8 and 3.9.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

from xdnn_core.errors import UserError

WITH_BIAS = (
    nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d,
    nn.ConvTranspose3d,
)  # fmt: skip
_ALWAYS = (
    nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.Identity, nn.Flatten, nn.Unflatten, nn.MaxPool1d,
    nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, nn.AdaptiveAvgPool1d,
    nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d,
    nn.AdaptiveMaxPool3d, nn.Upsample, nn.PixelShuffle, nn.PixelUnshuffle, nn.ZeroPad1d,
    nn.ZeroPad2d, nn.ZeroPad3d, nn.ReflectionPad1d, nn.ReflectionPad2d, nn.ReflectionPad3d,
    nn.ReplicationPad1d, nn.ReplicationPad2d, nn.ReplicationPad3d,
)  # fmt: skip
# For one draw of the dropped elements they commute with scaling; the other two shift what is left.
DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
_SHIFTING_DROPOUTS = (nn.AlphaDropout, nn.FeatureAlphaDropout)
_ACTIVATIONS = (  # ReLU6 is a Hardtanh
    nn.CELU, nn.ELU, nn.GELU, nn.GLU, nn.Hardshrink, nn.Hardsigmoid, nn.Hardswish, nn.Hardtanh,
    nn.LogSigmoid, nn.LogSoftmax, nn.Mish, nn.SELU, nn.SiLU, nn.Sigmoid, nn.Softmax, nn.Softmax2d,
    nn.Softmin, nn.Softplus, nn.Softshrink, nn.Softsign, nn.Tanh, nn.Tanhshrink,
)  # fmt: skip
_NORMALISATIONS = (
    nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.LocalResponseNorm, nn.InstanceNorm1d,
    nn.InstanceNorm2d, nn.InstanceNorm3d, nn.CrossMapLRN2d,
)  # fmt: skip
# They hold other layers whose weights they use themselves.
COMPOSITES = (nn.MultiheadAttention,)


class FoldedBatchNorm(nn.Module):
    """What is left of a batch normalisation without its shift: one factor a channel."""

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
    if isinstance(module, (*DROPOUTS, *_SHIFTING_DROPOUTS, nn.RReLU)):
        if mixes_or_draws(module) is not None:
            return False, "random in training mode"
        return True, "fixed in evaluation mode"
    if isinstance(module, nn.Threshold):
        plain = module.threshold == module.value == 0
        return (True, "commutes with scaling") if plain else (False, "a threshold that is not 0")
    if isinstance(module, _ALWAYS):
        return True, "commutes with scaling"
    if isinstance(module, _ACTIVATIONS):
        return False, "an activation that bends away from 0"
    if isinstance(module, _NORMALISATIONS):
        return False, "a normalisation divides the scale out"
    if isinstance(module, COMPOSITES):
        return False, "a softmax of products of its inputs"
    return None


def mixes_or_draws(module: nn.Module) -> str | None:
    """What makes the output of a layer more than a function of one input, and what to do."""
    if isinstance(module, _BatchNorm) and module.running_mean is None:
        return "takes its statistics from the batch; use track_running_stats=True"
    if not module.training:
        return None
    if isinstance(module, _BatchNorm):
        return "is in training mode and takes its statistics from the batch; call .eval()"
    if isinstance(module, _InstanceNorm) and module.track_running_stats:
        return "is in training mode and moves its running statistics; call .eval()"
    if isinstance(module, (*DROPOUTS, *_SHIFTING_DROPOUTS)):
        draws = module.p > 0
    elif isinstance(module, (nn.RNNBase, nn.MultiheadAttention)):
        draws = module.dropout > 0
    else:
        draws = isinstance(module, nn.RReLU)
    return "is in training mode and draws at random; call .eval()" if draws else None


def leaf_layers(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Layers that compute something themselves, with their names, each once."""
    below: set[nn.Module] = set()
    for name, module in network.named_modules():
        if module in below:
            continue
        if isinstance(module, (*WITH_BIAS, *COMPOSITES)):
            below.update(module.modules())
            yield name, module
        elif next(module.children(), None) is None:
            yield name, module


def _batch_norm_verdict(module: _BatchNorm) -> tuple[bool, str]:
    if module.training or module.running_mean is None or module.running_var is None:
        return False, "a normalisation divides the scale out"
    scale = (module.running_var + module.eps).rsqrt()  # (C,)
    shift = -module.running_mean * scale
    if module.weight is not None:
        shift = shift * module.weight.detach()
    if module.bias is not None:
        shift = shift + module.bias.detach()
    if bool(shift.any()):
        return False, "its shift does not scale"
    return True, "a fixed factor a channel"
