"""The heavy work of Axioms: Table 1 on random networks, and on one network and one photograph."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from pages.common.cache import results
from pages.common.jobs import Job, Part
from pages.common.photo import Photo
from xdnn_core.axioms.axioms import AXIOMS
from xdnn_core.axioms.loaded import gradient_calls
from xdnn_core.axioms.network import NetworkSettings
from xdnn_core.experiments.table1 import run_table1
from xdnn_core.experiments.table1_network import run_network_table1
from xdnn_core.models.zoo import PretrainedModel


def random_table(trials: int, seed: int, without_biases: bool) -> Job:
    """Every cell on so many random networks, all without biases or not."""
    key = ("table1", trials, seed, without_biases)
    part = Part(
        key,
        lambda progress: run_table1(
            trials, seed, progress=progress, known=_cells(key), without_biases=without_biases
        ),
        trials * len(AXIOMS),
    )
    return Job(without_biases, (part,))


def network_table(
    model: PretrainedModel, photo: Photo, target: int, settings: NetworkSettings
) -> Job:
    """Every cell on one network and one photograph."""
    key = ("table1", model.name, photo.digest, target, settings)
    part = Part(
        key,
        lambda progress: run_network_table1(
            model, photo.image, photo.key or "photo.jpg", target, settings, progress, _cells(key)
        ),
        gradient_calls(model.is_xdnn, settings),
    )
    return Job(settings, (part,))


def _cells(key: Hashable) -> dict[Any, Any]:
    """The cells that are there already, to be added to: after a rerun or a Cancel it goes on."""
    return results().get_or_compute(("partial", key), dict)
