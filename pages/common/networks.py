"""The networks of a page: which pairs there are, loaded once a server."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from pages.common.progress import download_progress
from xdnn_core.errors import UserError

if TYPE_CHECKING:
    from xdnn_core.models.zoo import PretrainedModel


# Names of a regular network and its X-network, by title; the title stands in the address.
PAIRS = {
    "Caltech-101": ("alexnet-caltech101", "xalexnet-caltech101"),
    "ImageNet": ("alexnet-imagenet", "xalexnet-imagenet"),
    "ImageNet, VGG16": ("vgg16-imagenet", "xvgg16-imagenet"),
    "ImageNet, ResNet-50": ("fixup_resnet50-imagenet", "xfixup_resnet50-imagenet"),
    "ImageNet, torchvision": ("alexnet-torchvision", "alexnet-torchvision-without-biases"),
}


class NetworkStore:
    """Networks by name; each is loaded once, whoever asks first."""

    def __init__(self) -> None:
        self._models: dict[str, PretrainedModel] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def get(self, name: str, visible: bool = False) -> PretrainedModel:
        """Return a network, loading it first; `visible` shows a download's progress."""
        with self._guard:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            if name not in self._models:
                from xdnn_core.models.zoo import load_model

                progress = download_progress(name) if visible else None
                self._models[name] = load_model(name, progress=progress)
            return self._models[name]


@st.cache_resource(show_spinner=False)
def store() -> NetworkStore:
    """The server's one store of networks."""
    return NetworkStore()


def load_pair(names: Sequence[str]) -> list[PretrainedModel]:
    """The regular and the X-network, which take the same input and know the same classes."""
    models = [store().get(name, visible=True) for name in names]
    regular, x = ((model.preprocessing, list(model.classes)) for model in models)
    if regular != x:
        raise UserError(
            f"{' and '.join(names)} cannot be compared, because they do not take the same input or "
            "do not know the same classes; choose another pair of networks."
        )
    return models
