"""Small networks, and their files in every layout there is."""

import io
import re
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from xdnn_core.data.download import cache_folder
from xdnn_core.data.preprocessing import Preprocessing
from xdnn_core.models.checkpoints import save_embedded
from xdnn_core.models.networks import AlexNet, NetworkConfig

FILES = {
    "alexnet-imagenet": "alexnet_model_best.pth.tar",
    "xalexnet-imagenet": "xalexnet_model_best.pth.tar",
    "vgg16-imagenet": "vgg16_model_best.pth.tar",
    "xvgg16-imagenet": "xvgg16_model_best.pth.tar",
    "fixup_resnet50-imagenet": "fixup_resnet50_model_best.pth.tar",
    "xfixup_resnet50-imagenet": "xfixup_resnet50_model_best.pth.tar",
    "alexnet-torchvision": "alexnet-owt-7be5be79.pth",
}
LAYOUTS = {
    "plain": lambda key: key,
    "outer": lambda key: f"module.{key}",
    "inner": lambda key: key.replace("features.", "features.module."),
}


def make_network(biases: bool = True, classes: int = 5, head: int = 8, seed: int = 0) -> AlexNet:
    torch.manual_seed(seed)
    return AlexNet(NetworkConfig(classes, head, biases)).eval()


def encode(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def checkpoint(network: nn.Module, layout: str = "inner") -> bytes:
    """A small file in the layout of the authors' training script, saved on a GPU."""
    state = {LAYOUTS[layout](key): value for key, value in network.state_dict().items()}
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    data = encode(
        {
            "epoch": 90,
            "arch": "alexnet",
            "state_dict": state,
            "best_acc1": torch.tensor(56.5),
            "optimizer": optimizer.state_dict(),
        }
    )
    return with_location(data, "cuda:0")


def with_location(data: bytes, location: str) -> bytes:
    """The same torch file with every storage tagged as lying on another device."""
    out = io.BytesIO()
    old = b"X" + len("cpu").to_bytes(4, "little") + b"cpu"
    new = b"X" + len(location).to_bytes(4, "little") + location.encode()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w") as target:
        for entry in source.infolist():
            content = source.read(entry)
            if entry.filename.endswith("data.pkl"):
                assert old in content
                content = content.replace(old, new)
            target.writestr(entry.filename, content)
    return out.getvalue()


def folder() -> Path:
    return cache_folder() / "models"


def inputs() -> torch.Tensor:
    return torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(1))


def assert_same_network(one: nn.Module, other: nn.Module) -> None:
    assert torch.equal(one(inputs()), other(inputs()))


def refused(kind: type[ValueError], call, *arguments) -> str:
    with pytest.raises(kind) as caught:
        call(*arguments)
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    assert not re.search(r"\. [A-Z]", message), "one sentence"
    return message


def embed(path: Path, network: AlexNet, **changes: object) -> Path:
    options = {
        "title": "Small",
        "classes": [f"Klasse {i}" for i in range(network.config.classes)],
        "preprocessing": Preprocessing(96, 100, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), "squeeze"),
        "top1": 91.234,
        "top5": 98.0,
        "recipe": {"epochs": 3},
    } | changes
    save_embedded(path, network, **options)
    return path
