"""What the catalogue lists, and the real weights behind it."""

import pytest
import torch
from PIL import Image

from tests.models.small_files import FILES, checkpoint, make_network, refused
from xdnn_core.models.zoo import available_models, load_model


def test_catalogue():
    cards = {card.name: card for card in available_models()}
    assert list(cards) == ["alexnet-caltech101", "xalexnet-caltech101", *FILES]
    assert [card.is_xdnn for card in cards.values()] == [False, True] * 4 + [False]
    assert [cards[name].top5 for name in FILES] == [
        79.21,
        78.54,
        90.44,
        90.25,
        92.56,
        91.12,
        79.066,
    ]
    assert [cards[name].top1 for name in FILES] == [None] * 6 + [56.522]
    assert all(cards[name].classes == 1000 and not cards[name].installed for name in FILES)
    assert all(card.size_bytes > 10**7 and card.title and card.source for card in cards.values())


def test_unknown_name_device_and_dtype():
    assert "xalexnet-imagenet" in refused(ValueError, load_model, "resnet50")
    assert "cpu" in refused(ValueError, load_model, "xalexnet-caltech101", "tpu")
    assert "float32" in refused(ValueError, load_model, "alexnet-caltech101", "cpu", torch.int32)


@pytest.mark.parametrize("name", ["alexnet-caltech101", "xalexnet-caltech101"])
def test_real_embedded_weights(name):
    model = load_model(name)
    card = next(card for card in available_models() if card.name == name)
    assert card.installed
    assert model.card == card
    assert model.name == name
    assert len(model.classes) == len(set(model.classes)) == card.classes == 101
    assert model.is_xdnn == name.startswith("x")
    assert 80 < card.top1 < card.top5 < 100
    assert card.size_bytes < 20_000_000
    tensor = model.preprocess(Image.new("RGB", (300, 400), (90, 120, 30)))
    logits = model.network(tensor[None])
    assert logits.shape == (1, 101)
    assert logits.isfinite().all()
    doubled = model.network(2 * tensor[None])
    assert torch.allclose(doubled, 2 * logits, rtol=1e-4, atol=1e-4) == model.is_xdnn


def test_imagenet_names_are_torchvisions(server):
    server.files[FILES["alexnet-imagenet"]] = checkpoint(make_network(classes=1000))
    model = load_model("alexnet-imagenet")
    assert len(model.classes) == 1000
    assert model.classes[0] == "tench"
    assert model.classes[999] == "toilet tissue"
