"""The formula of Integrated Gradients as the paper writes it, to compare with."""

import torch
from torch import Tensor, nn

from xdnn_core.attribution.quadrature import quadrature


def plainly(
    network: nn.Module,
    x: Tensor,
    target: int | Tensor | None,
    steps: int,
    rule: str,
    baseline: Tensor | None = None,
) -> Tensor:
    """Equation 1 of Sundararajan et al. 2017 with one autograd call a point and nothing else."""
    start = torch.zeros_like(x) if baseline is None else baseline.expand_as(x)
    total = torch.zeros_like(x)
    index = None if target is None else torch.as_tensor(target).expand(len(x))
    for t, w in zip(*quadrature(rule, steps), strict=True):
        at = (start + t * (x - start)).requires_grad_()
        out = network(at)
        picked = out.sum() if index is None else out[torch.arange(len(x)), index].sum()
        total += w * torch.autograd.grad(picked, at)[0]
    return (x - start) * total


def assert_same(found: Tensor, expected: Tensor) -> None:
    size = float(expected.abs().max())
    assert size > 0
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12 * size)
