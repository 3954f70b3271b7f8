"""Trainers that end with their test."""

from collections.abc import Iterator

import pytest

from pages.common.queue import WorkQueue
from tests.priors.driving import CONFIG, PATIENCE, Make
from tests.priors.small_cohorts import make_cohort
from xdnn_core.priors.live import LiveTrainer
from xdnn_core.priors.live_state import LiveConfig


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[LiveTrainer] = []

    def maker(config: LiveConfig = CONFIG, **options: object) -> LiveTrainer:
        options.setdefault("turn", WorkQueue(trainings=4).training_turn)
        cohort = options.pop("cohort", None) or make_cohort()
        made.append(LiveTrainer(cohort, config, "cpu", **options))  # type: ignore[arg-type]
        return made[-1]

    yield maker
    for trainer in made:
        trainer.stop()
    for trainer in made:
        trainer.join(PATIENCE)
        assert not trainer.alive
