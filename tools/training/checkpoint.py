"""The state of a run after every epoch, so that one that was killed goes on."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import torch

from tools.training.recipes import TrainConfig
from xdnn_core.errors import UserError
from xdnn_core.models.networks import AlexNet


def resume(
    checkpoint: Path, network: AlexNet, optimizer: torch.optim.Optimizer, config: TrainConfig
) -> int:
    """Load the last finished epoch, if any; returns the epoch to start with."""
    if not checkpoint.exists():
        return 0
    state = torch.load(checkpoint, weights_only=True, map_location="cpu")
    if json.loads(state["config"]) != asdict(config):
        raise UserError(
            f"{checkpoint} was made with another recipe; delete it or give another --work folder."
        )
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["epoch"])


def save_checkpoint(
    checkpoint: Path,
    network: AlexNet,
    optimizer: torch.optim.Optimizer,
    config: TrainConfig,
    epoch: int,
) -> None:
    """Write beside, then rename: a kill leaves the old checkpoint or the new one, never half."""
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    temporary = checkpoint.with_suffix(".tmp")
    torch.save(
        {
            "epoch": epoch,
            "config": json.dumps(asdict(config)),
            "network": network.state_dict(),
            "optimizer": optimizer.state_dict(),
        },
        temporary,
    )
    os.replace(temporary, checkpoint)
