"""Which image sets fit which networks."""

from dataclasses import replace

import pytest

from tests.experiments.small_pair import make_images, make_pair
from xdnn_core.data.images import ImageSet
from xdnn_core.errors import UserError
from xdnn_core.experiments.image_runs import _check_classes
from xdnn_core.models.zoo import PretrainedModel


def model_with(classes: list[str]) -> PretrainedModel:
    return replace(make_pair()[0], classes=classes)


def set_with(classes: list[str]) -> ImageSet:
    return replace(make_images(4), classes=tuple(classes))


def test_the_folders_of_imagenet_are_in_the_order_of_its_logits() -> None:
    named = model_with([f"class {number}" for number in range(1000)])
    folders = [f"n{number:08d}" for number in range(1000)]
    _check_classes(named, set_with(folders))
    with pytest.raises(UserError, match="knows 1000 classes, the image set has 999"):
        _check_classes(named, set_with(folders[:-1]))
    with pytest.raises(UserError, match="class 0 is 'class 0' there and 'kitchen' in the image"):
        _check_classes(named, set_with(["kitchen", *folders[1:]]))


def test_a_network_without_class_names_takes_as_many_classes() -> None:
    nameless = model_with(["0", "1", "2"])
    _check_classes(nameless, set_with(["cat", "dog", "elk"]))
    with pytest.raises(UserError, match="knows 3 classes, the image set has 2"):
        _check_classes(nameless, set_with(["cat", "dog"]))


def test_the_same_names_in_another_order_do_not_fit() -> None:
    with pytest.raises(UserError, match="class 0 is 'cat' there and 'dog' in the image set"):
        _check_classes(model_with(["cat", "dog"]), set_with(["dog", "cat"]))
