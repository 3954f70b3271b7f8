"""The heavy work of Axioms: Table 1 on random networks, and on one network and one photograph.

Cells are kept as they come and added to: after a rerun or a Cancel it goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pages.common.cache import results
from pages.common.jobs import Job, Part
from pages.common.photo import Photo
from pages.common.progress import Progress
from xdnn_core.axioms.axioms import AXIOMS
from xdnn_core.axioms.loaded import CellKey, WitnessMaps, gradient_calls
from xdnn_core.axioms.network import NetworkSettings
from xdnn_core.experiments.table1 import Table1, run_table1
from xdnn_core.experiments.table1_network import NetworkTable1, run_network_table1
from xdnn_core.models.zoo import PretrainedModel


class Tried(NamedTuple):
    """What was found on a network: the table, and the maps its witnesses speak of."""

    table: NetworkTable1
    witnesses: Mapping[CellKey, WitnessMaps]


def random_table(trials: int, seed: int, without_biases: bool) -> Job:
    """Every cell on so many random networks, all without biases or not."""
    key = ("table1", trials, seed, without_biases)

    def compute(progress: Progress) -> Table1:
        cells = results().get_or_compute(("partial", key), dict)
        return run_table1(
            trials, seed, progress=progress, known=cells, without_biases=without_biases
        )

    return Job(without_biases, (Part(key, compute, trials * len(AXIOMS)),))


def network_table(
    model: PretrainedModel, photo: Photo, target: int, settings: NetworkSettings
) -> Job:
    """Every cell on one network and one photograph; gives a `Tried`."""
    key = ("table1", model.name, photo.digest, target, settings)

    def compute(progress: Progress) -> Tried:
        cells, witnesses = results().get_or_compute(("partial", key), lambda: ({}, {}))
        name = photo.key or "photo.jpg"
        table = run_network_table1(
            model, photo.image, name, target, settings, progress, cells, witnesses
        )
        return Tried(table, witnesses)

    return Job(settings, (Part(key, compute, gradient_calls(model.is_xdnn, settings)),))
