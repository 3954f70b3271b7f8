"""Adam on one flat buffer."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.optim.adam import adam


class FlatAdam:
    """Adam (Kingma and Ba 2015) with torch's fused kernel and default decay rates.

    Takes torch's function instead of its class, whose constructor imports a compiler: seconds of
    delay before the first live training.
    """

    def __init__(self, parameters: Tensor, gradients: Tensor, learning_rate: float) -> None:
        self.parameters = parameters
        self.gradients = gradients
        self.learning_rate = learning_rate
        self._mean = torch.zeros_like(parameters)
        self._square = torch.zeros_like(parameters)
        self._steps = torch.zeros((), device=parameters.device)

    def step(self) -> None:
        """Move the parameters once; call it where gradients are not recorded."""
        adam(
            [self.parameters],
            [self.gradients],
            [self._mean],
            [self._square],
            [],
            [self._steps],
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=self.learning_rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )
