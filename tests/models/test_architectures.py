"""VGG16 and Fixup ResNet-50 against what is published about them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from xdnn_core.homogeneity.inspection import inspect_homogeneity
from xdnn_core.models.fixup_resnet import FixupBottleneck, FixupResNet50
from xdnn_core.models.networks import VGG16, NetworkConfig
from xdnn_core.models.torchvision_import import torchvision


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def meta_vgg(**options: object) -> VGG16:
    with torch.device("meta"):
        return VGG16(NetworkConfig(**options))


def test_vgg16_has_torchvisions_names_shapes_and_number_of_parameters() -> None:
    with torch.device("meta"):
        theirs = torchvision.models.vgg16(weights=None)
    ours = meta_vgg()
    assert count(ours) == 138_357_544
    assert {k: v.shape for k, v in ours.state_dict().items()} == {
        k: v.shape for k, v in theirs.state_dict().items()
    }
    without = meta_vgg(biases=False)
    assert set(without.state_dict()) == {k for k in theirs.state_dict() if "bias" not in k}


def test_vgg16_computes_what_torchvisions_does() -> None:
    torch.manual_seed(0)
    ours = VGG16(NetworkConfig(classes=3, head=16)).eval()
    theirs = torchvision.models.vgg16(weights=None, init_weights=False).eval()
    theirs.classifier[0] = nn.Linear(512 * 49, 16)
    theirs.classifier[3] = nn.Linear(16, 16)
    theirs.classifier[6] = nn.Linear(16, 3)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 3, 48, 64)
    with torch.no_grad():
        assert torch.allclose(ours(x), theirs(x), atol=1e-6)


def test_fixup_resnet50_has_the_parameters_of_a_resnet50_without_normalisation() -> None:
    with torch.device("meta"):
        plain = torchvision.models.resnet50(weights=None)
        fixup = FixupResNet50(NetworkConfig())
        x_network = FixupResNet50(NetworkConfig(biases=False))
    convolutions = sum(m.weight.numel() for m in plain.modules() if isinstance(m, nn.Conv2d))
    linear = plain.fc.weight.numel()
    assert count(x_network) == convolutions + linear == 25_502_912
    # 16 blocks of 6 scalar biases and a multiplier, 2 scalars outside, 1,000 of the classifier.
    assert count(fixup) == count(x_network) + 16 * 7 + 2 + 1000
    names = set(fixup.state_dict())
    assert {"layer1.0.bias1a", "layer4.2.scale", "layer2.0.downsample.weight", "bias2"} <= names
    assert set(x_network.state_dict()) == {k for k in names if k.endswith(("weight",))}, (
        "no biases, no multipliers"
    )


def test_fixup_initialisation() -> None:
    torch.manual_seed(0)
    network = FixupResNet50(NetworkConfig(classes=7))
    assert not network.fc.weight.any()
    assert not network.fc.bias.any()
    shrink = 16 ** (-1 / 4)  # L = 16 blocks of m = 3 layers
    for module in network.modules():
        if isinstance(module, FixupBottleneck):
            assert not module.conv3.weight.any()
            assert module.scale.item() == 1.0
            for layer, factor in ((module.conv1, shrink), (module.conv2, shrink)):
                out, _, height, width = layer.weight.shape
                wanted = factor * (2 / (out * height * width)) ** 0.5
                assert float(layer.weight.std()) == pytest.approx(wanted, rel=0.05)
    # With zero last layers every block without a short-cut convolution is ReLU(identity).
    block = network.layer1[1]
    x = torch.rand(1, 256, 5, 5)
    assert torch.equal(block(x), x)


@pytest.mark.parametrize("biases", [True, False])
def test_shapes_and_homogeneity(biases: bool) -> None:
    torch.manual_seed(0)
    for network in (
        VGG16(NetworkConfig(classes=4, head=8, biases=biases)),
        FixupResNet50(NetworkConfig(classes=4, biases=biases)),
    ):
        with torch.no_grad():
            for parameter in network.parameters():
                if parameter.ndim == 1:
                    parameter.uniform_(0.1, 0.5)
                elif not parameter.any():
                    parameter.normal_(0, 0.02)
        x = torch.randn(2, 3, 32, 32)
        assert network.eval()(x).shape == (2, 4)
        report = inspect_homogeneity(network, x[:1])
        assert report.is_homogeneous == (not biases), report.first_break
        if not biases:
            assert report.max_relative_error < 1e-12
