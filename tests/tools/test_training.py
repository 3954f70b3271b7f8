"""Training the pair: reproducible, resumable, alone or in several processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from tools.training import TrainConfig, build_network, loop, train_network
from tools.training.__main__ import main
from tools.training.caltech101 import split_by_class
from tools.training.crops import CropConfig, CropDataset
from tools.training.features import load_features
from tools.training.frozen import FrozenFeatures
from tools.training.objective import loss
from xdnn_core.data.images import ImageSet, open_image_set
from xdnn_core.data.preprocessing import Preprocessing
from xdnn_core.errors import UserError
from xdnn_core.models.checkpoints import read_embedded, recipe_in_words
from xdnn_core.models.networks import AlexNet, NetworkConfig

ROOT = Path(__file__).resolve().parents[2]
CLASSES = ("round", "square", "tall")
TINY = CropConfig(epochs=3, size=64)
RECIPE = TrainConfig(
    biases=False, head=8, crops=TINY, batch=4, features_rate=1e-4, bf16=False, workers=0
)


def make_folder(folder: Path, count: int = 4) -> Path:
    """An ImageFolder with two splits of small coloured noise."""
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for number, name in enumerate(CLASSES):
            place = folder / split / name
            place.mkdir(parents=True)
            for i in range(count):
                pixels = rng.integers(0, 120, (70, 80, 3)) + 40 * number
                Image.fromarray(pixels.astype(np.uint8)).save(place / f"{i}.png")
    return folder


def make_features() -> dict[str, Tensor]:
    torch.manual_seed(1)
    network = AlexNet(NetworkConfig(classes=3, head=8))
    return {k: v.clone() for k, v in network.features.state_dict(prefix="features.").items()}


@pytest.fixture
def images(tmp_path: Path) -> ImageSet:
    return open_image_set(make_folder(tmp_path / "data"), "train")


def train(
    images: ImageSet,
    work: Path,
    config: TrainConfig = RECIPE,
    teacher: AlexNet | None = None,
) -> dict[str, Tensor]:
    crops = CropDataset(images, config.crops)
    network = train_network(crops, 3, make_features(), config, work, "tiny", "cpu", teacher)
    return network.state_dict()


def assert_same(a: dict[str, Tensor], b: dict[str, Tensor]) -> None:
    assert a.keys() == b.keys()
    for key in a:
        assert torch.equal(a[key], b[key]), key


def test_crops_depend_on_seed_epoch_and_image_alone(images: ImageSet) -> None:
    first, second = CropDataset(images, TINY), CropDataset(images, TINY)
    first[0], first[5]
    assert torch.equal(first[3][0], second[3][0])
    second.epoch = 1
    assert not torch.equal(first[3][0], second[3][0])
    assert first[3][0].shape == (3, 64, 64)


def test_training_is_reproducible_and_changes_every_weight(
    images: ImageSet, tmp_path: Path
) -> None:
    once, again = train(images, tmp_path / "a"), train(images, tmp_path / "b")
    assert_same(once, again)
    start = build_network(RECIPE, 3, make_features()).state_dict()
    assert all(not torch.equal(once[key], start[key]) for key in start)
    assert not any(key.endswith("bias") for key in once), "the X network has no biases"


def test_a_rate_of_zero_leaves_the_convolutions_alone(images: ImageSet, tmp_path: Path) -> None:
    trained = train(images, tmp_path, replace(RECIPE, features_rate=0.0))
    start = build_network(RECIPE, 3, make_features()).state_dict()
    for key, value in trained.items():
        assert torch.equal(value, start[key]) == key.startswith("features"), key


def test_fixed_convolutions_are_run_once_for_each_view(images: ImageSet) -> None:
    crops = CropDataset(images, replace(TINY, smallest=1.0))
    network = build_network(RECIPE, 3, make_features()).eval()
    frozen = FrozenFeatures(crops, network, RECIPE, torch.device("cpu"))
    seen = set()
    for epoch in range(6):
        frozen.epoch = epoch
        features, label = frozen[5]
        pixels = crops.whole(5)
        for mirrored in (False, True):
            x = Preprocessing().normalise((pixels.flip(2) if mirrored else pixels)[None] / 255)
            wanted = network.avgpool(network.features(x)).flatten(1)[0]
            if torch.allclose(features, wanted, rtol=1e-3, atol=1e-4):
                seen.add(mirrored)
        assert label == crops.labels[5]
    assert seen == {False, True}


HEAD_ALONE = replace(RECIPE, features_rate=0.0, crops=replace(TINY, smallest=1.0))


@pytest.mark.parametrize("config", [RECIPE, HEAD_ALONE], ids=["whole network", "head alone"])
def test_a_stopped_run_resumes_to_the_same_weights(
    config: TrainConfig, images: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(images, tmp_path / "whole", config)
    start = build_network(config, 3, make_features()).state_dict()
    for key, value in whole.items():
        frozen = config is HEAD_ALONE and key.startswith("features")
        assert torch.equal(value, start[key]) == frozen, key
    real = loop._train_epoch

    def stopped_in_the_last_epoch(*args: object) -> float:
        if args[7] == TINY.epochs - 1:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(loop, "_train_epoch", stopped_in_the_last_epoch)
    with pytest.raises(KeyboardInterrupt):
        train(images, tmp_path / "broken", config)
    monkeypatch.setattr(loop, "_train_epoch", real)
    assert_same(whole, train(images, tmp_path / "broken", config))


def test_another_recipe_does_not_continue_a_checkpoint(images: ImageSet, tmp_path: Path) -> None:
    train(images, tmp_path)
    with pytest.raises(UserError, match="another recipe"):
        train(images, tmp_path, replace(RECIPE, dropout=0.1))


def test_the_loss_is_the_textbook_formula() -> None:
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.5, 1.5, 0.0]], dtype=torch.float64)
    taught = torch.tensor([[1.0, 1.0, 0.0], [0.0, 3.0, -2.0]], dtype=torch.float64)
    labels = torch.tensor([0, 2])
    config = replace(RECIPE, label_smoothing=0.0, distillation=0.25, temperature=4.0)
    hard = -logits.log_softmax(1)[torch.arange(2), labels].mean()
    p, q = (taught / 4).softmax(1), (logits / 4).softmax(1)
    soft = 16 * (p * (p / q).log()).sum(1).mean()
    assert torch.allclose(loss(logits, labels, None, config), hard)
    assert torch.allclose(loss(logits, labels, taught, config), 0.75 * hard + 0.25 * soft)
    same = loss(taught, labels, taught, replace(config, distillation=1.0))
    assert abs(float(same)) < 1e-12, "nothing to learn from oneself"


def test_a_teacher_changes_what_is_learned(images: ImageSet, tmp_path: Path) -> None:
    teacher = build_network(replace(RECIPE, biases=True), 3, make_features()).eval()
    taught = replace(RECIPE, teacher="other")
    alone, with_teacher = (
        train(images, tmp_path / "a"),
        train(images, tmp_path / "b", taught, teacher),
    )
    assert any(not torch.equal(alone[key], with_teacher[key]) for key in alone)
    started = build_network(taught, 3, make_features())
    loop._take_weights(started, teacher)
    assert all(torch.equal(v, teacher.state_dict()[k]) for k, v in started.state_dict().items())
    with pytest.raises(TypeError, match="teacher"):
        train(images, tmp_path / "c", taught)


def test_pretrained_convolutions_are_taken_over() -> None:
    features = make_features()
    with_biases = build_network(replace(RECIPE, biases=True), 3, features).state_dict()
    without = build_network(RECIPE, 3, features).state_dict()
    for key, value in features.items():
        assert torch.equal(with_biases[key], value)
        assert key.endswith("bias") or torch.equal(without[key], value)


def test_features_that_lack_a_layer_are_refused(tmp_path: Path) -> None:
    features = make_features()
    del features["features.6.bias"]
    save_file(features, tmp_path / "f.safetensors")
    with pytest.raises(UserError, match=r"lacks features\.6\.bias"):
        load_features(str(tmp_path / "f.safetensors"))
    (tmp_path / "no.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(UserError, match="not a safetensors file"):
        load_features(str(tmp_path / "no.safetensors"))
    with pytest.raises(UserError, match="not a file"):
        load_features(str(tmp_path / "absent.safetensors"))


def test_splitting_keeps_classes_apart_and_loses_nothing(images: ImageSet) -> None:
    kept, aside = split_by_class(images, 0.25, seed=3)
    assert sorted(kept.names + aside.names) == sorted(images.names)
    assert sorted(aside.labels) == [0, 1, 2], "one of four in every class"
    assert split_by_class(images, 0.25, seed=3)[1].names == aside.names
    fewer = images.without_class("square")
    assert fewer.classes == ("round", "tall")
    assert set(fewer.labels) == {0, 1}


def options(folder: Path, *more: str) -> list[str]:
    """What the command is given to train both networks on few images."""
    save_file(make_features(), folder / "f.safetensors")
    given = ["caltech101", "--fp32", "--data", str(make_folder(folder / "data")), "--epochs", "1"]
    given += ["--features", str(folder / "f.safetensors"), "--device", "cpu"]
    return [*given, "--out", str(folder / "out"), "--work", str(folder / "work"), *more]


@pytest.mark.parametrize("processes", [1, 2])
def test_the_command_stores_both_networks_with_their_accuracy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], processes: int
) -> None:
    if processes == 1:
        assert main(options(tmp_path)) == 0
        printed = capsys.readouterr().out
    else:
        launcher = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes)]
        command = [sys.executable, *launcher, "-m", "tools.training", *options(tmp_path)]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        printed = done.stdout
    for name, biases in (("alexnet-caltech101", True), ("xalexnet-caltech101", False)):
        network, description = read_embedded(tmp_path / "out" / f"{name}.safetensors")
        assert network.config.biases is biases
        assert description.classes == CLASSES
        assert f"top-1 {description.top1:.2f}%" in printed
        assert description.recipe["crops"]["epochs"] == 1
        json.dumps(description.recipe)
    assert "homogeneous: True" in printed


def test_a_pair_is_trained_alike_once_a_seed_with_images_held_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(options(tmp_path, "--alike", "--seeds", "0", "1")) == 0
    printed = capsys.readouterr().out
    recipes = {}
    for name, biases in (("alexnet-alike", True), ("xalexnet-alike", False)):
        for seed in (0, 1):
            file = tmp_path / "out" / f"{name}-seed{seed}.safetensors"
            network, description = read_embedded(file)
            assert network.config.biases is biases
            recipe = dict(description.recipe)
            assert recipe["train_images"] == 9, "one of four in every class is held out"
            assert recipe["validation_images"] == 3
            assert recipe.pop("validation_top1") in (0, 1 / 3, 2 / 3, 1)
            assert "all layers trained for 1 epochs on the labels, 9 images, seed" in (
                recipe_in_words(recipe)
            )
            recipes[biases, seed] = recipe
            assert f"{name}-seed{seed}: top-1" in printed
    for seed in (0, 1):
        with_biases, without = recipes[True, seed], recipes[False, seed]
        assert {key for key in without if without[key] != with_biases[key]} == {"biases"}
    differing = {key for key in recipes[True, 0] if recipes[True, 0][key] != recipes[True, 1][key]}
    assert differing == {"crops"}, "the seed"
