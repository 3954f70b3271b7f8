"""What every page about a photograph begins with: the pair's networks, their input and classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from streamlit.delta_generator import DeltaGenerator
from torch import Tensor

from pages.common.cache import results
from pages.common.choices import choose_pair
from pages.common.errors import for_screen
from pages.common.networks import load_pair
from pages.common.photo import Photo
from xdnn_core.errors import UserError
from xdnn_core.experiments.comparison import Prediction, predict
from xdnn_core.models.zoo import PretrainedModel


@dataclass(frozen=True)
class View:
    """A pair of networks and a photograph."""

    models: list[PretrainedModel]  # the regular network, the X-network
    photo: Photo
    inputs: Tensor  # normalised, (1, 3, H, W)
    image: np.ndarray  # what the networks see, (H, W, 3), uint8
    predictions: list[list[Prediction]]  # every network's classes, most confident first

    @property
    def classes(self) -> list[str]:
        """Names of the classes, which both networks know."""
        return list(self.models[0].classes)


def load_view(
    photo: Photo, toolbar: DeltaGenerator, answer: DeltaGenerator, loading: DeltaGenerator
) -> View | None:
    """Draw the choice of networks and load them; None, with a sentence in `answer`, where it fails.

    `loading` shows downloads.
    """
    with toolbar:
        pair = choose_pair()
    try:
        with loading:
            models = load_pair(pair)
    except UserError as error:
        answer.error(for_screen(error), icon=":material/cloud_off:")
        return None
    return view_of(models, photo)


def view_of(models: list[PretrainedModel], photo: Photo) -> View:
    """Prepare a photograph for a pair and predict, once for all reruns and sessions."""

    def prepare() -> tuple[Tensor, np.ndarray]:
        inputs = models[0].preprocess(photo.image)[None]  # (1, 3, H, W)
        return inputs, models[0].to_display(inputs[0])

    once = results().get_or_compute
    inputs, image = once(("inputs", models[0].preprocessing, photo.digest), prepare)
    predictions = [
        once(("prediction", model.name, photo.digest), lambda model=model: predict(model, inputs))
        for model in models
    ]
    return View(models, photo, inputs, image, predictions)
