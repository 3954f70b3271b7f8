"""How far two attributions are apart."""

from __future__ import annotations

from torch import Tensor, nn

from xdnn_core.attribution.gate import check_repeatable
from xdnn_core.attribution.result import relative_l1 as relative_l1
from xdnn_core.attribution.target import Target, check_request, input_gradient
from xdnn_core.device import full_float32


@full_float32()
def half_distance(network: nn.Module, inputs: Tensor, target: Target = None) -> Tensor:
    """Return ‖x∇F(x/2) − x∇F(x)‖₁ / ‖x∇F(x/2)‖₁ of every input, (B,), from two gradients.

    Close to the distance between Input×Gradient and Integrated Gradients, with which it has a rank
    correlation of 0.93 over the 100 images of the embedded pair's Table 2; 0 where F(αx) = αF(x).

    Parameters
    ----------
    network
        Maps (B, ...) to logits; in evaluation mode.
    inputs
        x, (B, ...).
    target
        Class index, one per input (B,), or None.

    Raises
    ------
    UserError
        If the inputs are not finite, or the target is out of range.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> network = nn.Linear(2, 1, bias=False)
    >>> network.weight.data = torch.tensor([[2.0, -1.0]])
    >>> x = torch.tensor([[1.0, 3.0]])
    >>> half_distance(network, x)  # homogeneous
    tensor([0.])
    """
    x, classes = check_request(network, inputs, target)
    check_repeatable(network, x)
    at_one, at_half = (input_gradient(network, at, classes)[1] for at in (x, x / 2))
    return relative_l1(x * at_one, x * at_half)
