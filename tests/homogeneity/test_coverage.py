"""Which of torchvision's networks are X-DNNs once their biases are removed, and which are not.

Random weights, statistics of batch normalisation that are not trivial, small inputs, float64.
"""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from xdnn_core.attribution.gradients import x_gradient
from xdnn_core.attribution.integrated import integrated_gradients
from xdnn_core.homogeneity.inspection import NotHomogeneousError, inspect_homogeneity, remove_biases
from xdnn_core.models.torchvision_import import torchvision

# name: side of the input, pixels
EXACT = {
    "alexnet": 64,
    "vgg11": 32,
    "vgg11_bn": 32,
    "resnet18": 33,
    "resnext50_32x4d": 33,
    "densenet121": 33,
    "googlenet": 33,
    "inception_v3": 75,
    "squeezenet1_1": 33,
    "mnasnet0_5": 33,
    "regnet_x_400mf": 33,
    "shufflenet_v2_x0_5": 33,
    "shufflenet_v2_x1_0": 33,
    "shufflenet_v2_x1_5": 33,
    "shufflenet_v2_x2_0": 33,
}
# name: the first layer that breaks F(αx) = αF(x), its kind, and words of the reason
BROKEN = {
    "mobilenet_v2": ("features.0.2", "ReLU6", "activation"),
    "mobilenet_v3_small": ("features.0.2", "Hardswish", "activation"),
    "efficientnet_b0": ("features.0.2", "SiLU", "activation"),
    "regnet_y_400mf": (
        "trunk_output.block1.block1-0.f.se.scale_activation", "Sigmoid", "activation",
    ),
    "convnext_tiny": ("features.0.1", "LayerNorm2d", "normalisation"),
    "swin_t": ("features.0.2", "LayerNorm", "normalisation"),
    "VisionTransformer": ("encoder.layers.encoder_layer_0.ln_1", "LayerNorm", "normalisation"),
}  # fmt: skip
WIDE = ("alexnet", "vgg11", "vgg11_bn")
OPTIONS: dict[str, dict[str, object]] = {
    "googlenet": {"init_weights": False},
    "inception_v3": {"init_weights": False},
    "VisionTransformer": {
        "image_size": 32,
        "patch_size": 16,
        "num_layers": 2,
        "num_heads": 2,
        "hidden_dim": 16,
        "mlp_dim": 32,
    },
}


def without_biases(name: str) -> nn.Module:
    """Of 5 classes, in evaluation mode."""
    make, options = getattr(torchvision.models, name), OPTIONS.get(name, {})
    if name in WIDE:
        # Built without memory first, so that wide heads are made narrow before they cost any.
        with torch.device("meta"):
            network = make(num_classes=5, **options)
            _narrow(network)
        network = network.to_empty(device="cpu")
    else:
        network = make(num_classes=5, **options)
    _randomise(network)
    return remove_biases(network.double())


def _narrow(network: nn.Module) -> None:
    """Fully connected layers of 16 in place of 4096."""
    for name, layer in list(network.named_modules()):
        if isinstance(layer, nn.Linear) and 4096 in (layer.in_features, layer.out_features):
            sizes = [
                16 if size == 4096 else size for size in (layer.in_features, layer.out_features)
            ]
            parent = network.get_submodule(name.rpartition(".")[0])
            setattr(parent, name.rpartition(".")[2], nn.Linear(*sizes))


@torch.no_grad()
def _randomise(network: nn.Module) -> None:
    for parameter in network.parameters():
        if parameter.ndim > 1:
            nn.init.kaiming_normal_(parameter)
        else:
            parameter.uniform_(0.5, 1.5)
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.bias.normal_(0, 0.3)
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2.0)


def image(side: int) -> Tensor:
    return torch.randn(1, 3, side, side, dtype=torch.float64)


@pytest.mark.parametrize("name", EXACT)
def test_one_gradient_is_integrated_gradients(name: str) -> None:
    network, x = without_biases(name), image(EXACT[name])
    report = inspect_homogeneity(network, x)
    assert report.is_homogeneous, report.first_break
    target = int(network(x).abs().argmax())
    found = x_gradient(network, x, target, check="full")
    size = float(found.values.abs().sum())
    assert size > 0
    exact = integrated_gradients(network, x, target, steps=2).values
    assert float((found.values - exact).abs().sum()) < 1e-12 * size
    assert abs(float(found.values.sum() - found.outputs[0])) < 1e-12 * size


@pytest.mark.parametrize("name", BROKEN)
def test_the_first_layer_that_breaks_it_is_named(name: str) -> None:
    network, x = without_biases(name), image(33 - (name == "VisionTransformer"))
    layer, kind, reason = BROKEN[name]
    found = inspect_homogeneity(network, x).first_break
    assert found is not None
    assert (found.name, found.kind) == (layer, kind)
    assert reason in found.reason
    with pytest.raises(NotHomogeneousError, match=rf"layer '{layer}' \({kind}: .*{reason}"):
        x_gradient(network, x, 1)


@pytest.mark.parametrize(
    ("name", "unused"), [("googlenet", ("aux1", "aux2")), ("inception_v3", ("AuxLogits",))]
)
def test_heads_for_training_alone_are_reported(name: str, unused: tuple[str, ...]) -> None:
    assert inspect_homogeneity(without_biases(name), image(EXACT[name])).unreached == unused
