"""What the tests of the ledger share."""

import torch
from torch import nn

from xdnn_core.attribution.ledger import Ledger


def awaken(network: nn.Module) -> nn.Module:
    """Give every bias, factor and running statistic a value of its own; float64, eval mode."""
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "bias" in name:
                parameter.uniform_(-0.3, 0.5)
            elif parameter.ndim <= 1:
                parameter.uniform_(0.5, 1.5)
            elif not parameter.any():
                parameter.normal_(0, 0.02)
        for name, buffer in network.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(0, 0.3)
            elif name.endswith("running_var"):
                buffer.uniform_(0.5, 2)
    return network.double().eval()


def check_sums(ledger: Ledger, tolerance: float = 1e-12) -> None:
    """Entries sum to the logit, and maps to their entries."""
    total = ledger.pixels + sum(entry.values for entry in ledger.layers)
    assert float(((ledger.outputs - total) / ledger.outputs).abs().max()) <= tolerance
    torch.testing.assert_close(ledger.outputs - total, ledger.unexplained)
    for entry in ledger.layers:
        if entry.map is not None:
            torch.testing.assert_close(entry.map.sum((1, 2)), entry.values, rtol=1e-12, atol=0)
