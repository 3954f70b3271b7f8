"""Take the biases out of a network.

Source: Hesse et al. 2021, Corollary 3.10.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from xdnn_core.homogeneity.layer_kinds import WITH_BIAS, FoldedBatchNorm


def remove_biases(network: nn.Module) -> nn.Module:
    """Return a copy of a network with every bias gone.

    Linear, convolution, transposed convolution and attention lose their biases. Batch
    normalisation in evaluation mode is x ↦ s·x + shift: it becomes the factor s, the shift is
    dropped. Every other parameter that is called a bias, as Fixup's scalars, becomes 0. All else is
    kept, so the copy is an X-DNN only where all else commutes with scaling; `inspect_homogeneity`
    tells.

    Parameters
    ----------
    network
        Any module; it is left as it is.

    Returns
    -------
    nn.Module
        A new network in evaluation mode.

    Raises
    ------
    UserError
        If a batch normalisation keeps no running statistics, so that it has no fixed factor.

    References
    ----------
    Hesse et al. 2021, Corollary 3.10.

    Examples
    --------
    >>> from torch import nn
    >>> remove_biases(nn.Sequential(nn.Linear(2, 1)))
    Sequential(
      (0): Linear(in_features=2, out_features=1, bias=False)
    )
    """
    stripped = copy.deepcopy(network).eval()
    if isinstance(stripped, _BatchNorm):
        return FoldedBatchNorm(stripped, "the network")
    # Also under every further name of a shared module.
    for name, module in list(stripped.named_modules(remove_duplicate=False)):
        if isinstance(module, WITH_BIAS):
            module.register_parameter("bias", None)
        elif isinstance(module, nn.MultiheadAttention):
            for key in ("in_proj_bias", "bias_k", "bias_v"):
                setattr(module, key, None)
        elif isinstance(module, _BatchNorm):
            parent = stripped.get_submodule(name.rpartition(".")[0])
            setattr(parent, name.rpartition(".")[2], FoldedBatchNorm(module, name))
    with torch.no_grad():
        for _, _, bias in loose_biases(stripped):
            bias.zero_()
    return stripped


def loose_biases(network: nn.Module) -> Iterator[tuple[str, str, nn.Parameter]]:
    """Biases that no layer of a known kind holds: the module's name, their own, and they."""
    for name, module in network.named_modules():
        if isinstance(module, WITH_BIAS):
            continue
        for key, parameter in module.named_parameters(recurse=False):
            if "bias" in key:
                yield name, key, parameter
