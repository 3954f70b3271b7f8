"""One ONNX graph that gives logits and, for a class given as input, the exact attribution."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from torch import Tensor, nn

from xdnn_core.attribution.adjoint import WithAttribution
from xdnn_core.errors import UserError
from xdnn_core.io import atomic_write

_NEEDED = ("onnx", "onnxscript")


def export_onnx(network: nn.Module, path: Path | str, example: Tensor | None = None) -> Path:
    """Write a homogeneous network as one ONNX graph with its attribution.

    The graph takes ``images`` (B, C, H, W), normalised, and ``target`` (B,), class indices, and
    gives ``logits`` (B, classes) and ``attribution`` (B, C, H, W), x ⊙ ∂F/∂x, exact Integrated
    Gradients from zero. B is free. It runs in any engine of ONNX; PyTorch is not needed there.

    Parameters
    ----------
    network
        See `xdnn_core.attribution.adjoint.WithAttribution`; float32. It is left as it is.
    path
        File to write, replaced where it is there.
    example
        Images (B, C, H, W) of the size that the graph takes; None for (1, 3, 224, 224).

    Returns
    -------
    Path
        The file.

    Raises
    ------
    NotHomogeneousError
        If F(αx) = αF(x) does not hold, with the first layer that breaks it.
    UserError
        If the packages of the extra ``onnx`` are missing, or the network uses what cannot be
        written out, with its name.

    References
    ----------
    Hesse et al. 2021, Equation 4.

    Examples
    --------
    >>> import tempfile
    >>> network = nn.Sequential(nn.Conv2d(3, 2, 3, bias=False), nn.ReLU(), nn.Flatten()).eval()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export_onnx(network, f"{folder}/network.onnx", torch.randn(1, 3, 5, 5)).name
    'network.onnx'
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(
            f"{' and '.join(missing)} is not installed; pip install 'xdnn[onnx]' adds what is "
            "needed to write ONNX."
        )
    if example is None:
        example = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    parameter = next(network.parameters(), example)
    images = example.to(parameter)
    images = torch.cat([images, images])[:2]  # 2: a batch of 1 would be taken for a constant
    model = WithAttribution(network, images).eval().requires_grad_(False)
    target = torch.zeros(2, dtype=torch.int64, device=images.device)
    batch = torch.export.Dim("batch", min=1)
    program = torch.onnx.export(
        model,
        (images, target),
        dynamo=True,
        opset_version=18,
        input_names=["images", "target"],
        output_names=["logits", "attribution"],
        dynamic_shapes={"images": {0: batch}, "target": {0: batch}},
        verbose=False,
    )
    assert program is not None
    with atomic_write(Path(path)) as temporary:
        temporary.write_bytes(program.model_proto.SerializeToString())
    return Path(path)
