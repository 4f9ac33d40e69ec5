"""Every verb and every method on networks of torchvision and timm by name, with random weights: `make test-zoo`.

Each works, or says in one line what it cannot do and why.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

import convscope as cs
from convscope.attribution.method import method_of
from convscope.attribution.table import METHODS
from tests.contracts.verbs import SMALLER

pytestmark = [pytest.mark.zoo, pytest.mark.filterwarnings("default")]

USUAL = {
    "torchvision:resnet18": "layer4.1.relu#1",
    "torchvision:vgg16": "features.29",
    "torchvision:densenet121": "features.norm5",
    "torchvision:googlenet": "inception5b",
    "torchvision:inception_v3": "Mixed_7c",
    "torchvision:mobilenet_v2": "features.18.2",
    "torchvision:efficientnet_b0": "features.8.2",
    "torchvision:convnext_tiny": "features",
    "torchvision:regnet_y_400mf": "trunk_output.block4.block4-5.activation",
    "torchvision:squeezenet1_1": "classifier.2",
    "torchvision:vit_b_16": "conv_proj",
    "torchvision:swin_t": "norm",
    "timm:resnet18": "layer4.1.act2",
    "timm:convnext_atto": "stages",
    "timm:efficientnet_b0": "bn2.act",
    "timm:mobilenetv3_small_100": "blocks.5.0.bn1.act",
    "timm:regnetx_002": "s4.b7.act3",
    "timm:vit_tiny_patch16_224": "patch_embed.proj",
    "timm:deit_tiny_patch16_224": "patch_embed.proj",
    "timm:swin_tiny_patch4_window7_224": "norm",
    "timm:mixer_s32_224": "norm",
    "timm:inception_v4": "features",
    "timm:dpn68": "features.conv5_bn_ac.bn.act",
    "timm:poolformer_s12": "stages",
}
"""The layer at which answers of each are explained: the last with positions, as its authors and the libraries for class
activation maps take it; of vision transformers the patch embedding, and a note says so."""
SMALL = 64
"""Pixels of the side, of networks that run at any size."""


@pytest.fixture(scope="module", params=USUAL)
def net(request: pytest.FixtureRequest) -> cs.Network:
    network = cs.load_model(request.param, weights="none")
    side = SMALL if "inception" not in request.param else 160
    if not network.spec.fixed_size:
        try:
            small = cs.load_model(request.param, weights="none", input=side)
            small.layers()
            return small
        except cs.ConvscopeError:
            return network
    return network


def picture(net: cs.Network) -> torch.Tensor:
    return torch.rand((1, 3, *net.spec.hw), generator=torch.Generator().manual_seed(0))


def has_rectifiers(net: cs.Network) -> bool:
    """Whether its authors use ReLU anywhere, as a module or a function; the others use GELU or SiLU alone."""
    without = ("convnext", "vit", "deit", "swin", "mixer", "poolformer", "efficientnet")
    return not any(word in str(net.source) for word in without)


def test_the_usual_layer(net: cs.Network) -> None:
    found = net.recommendation()
    assert found.layer.name == USUAL[str(net.source)]
    if "vit" in str(net.source) or "deit" in str(net.source):
        assert "without positions" in found.note


@pytest.mark.parametrize("method", METHODS)
def test_every_method(method: str, net: cs.Network) -> None:
    small = dict(SMALLER.get(method, {}))
    if method == "occlusion":
        small = {"patch": net.spec.height // 2, "stride": net.spec.height // 2}
    if method == "score_cam":
        small = {"top": 4}
    if method in ("guided_backprop", "deconvnet", "guided_grad_cam") and not has_rectifiers(net):
        with pytest.raises(cs.ConvscopeError, match="there is none on the way"):
            cs.explain(net, picture(net), 3, method=method, **small)
        return
    target = 3 if method_of(method).targeted else None
    result = cs.explain(net, picture(net), target, method=method, **small)
    assert np.isfinite(result.arrays["map"]).all()
    assert result.arrays["map"].shape == net.spec.hw


def test_every_verb(net: cs.Network, tmp_path: Path) -> None:
    image, layer = picture(net), net.recommended_layer()
    kernel = next(one.name for one in net.layers() if net.kernel(one.module) is not None)
    cs.predict(net, image).image()
    cs.activations(net, image, layer.name).image()
    cs.weights(net, kernel).image()
    cs.visualize(net, [f"{layer.name}:0", "class:3"], steps=2, size=net.spec.height).image()
    cs.dream(net, image, "class:3", steps=2, schedule="single").image()
    cs.invert(net, image, layer.name, steps=2).image()
    cs.stylize(net, image, image, steps=2, schedule="single").image()
    cs.compare(net, image, methods=["grad_cam"]).image()
    cs.hybrid(net, image).image()
    cs.assess(net, image, cs.explain(net, image), points=4, stages=2).image()
    cs.diff(net, net, image, pictures=0).image()
    cs.report(net, image, tmp_path / "report.html", filters=1, filter_steps=2, class_steps=2)


def test_a_head_of_other_classes(net: cs.Network) -> None:
    from convscope.models.labels import Labels
    from convscope.models.new_head import with_classes

    if "squeezenet" in str(net.source):  # whose last convolution is followed by a rectifier and a mean
        with pytest.raises(cs.ConvscopeError, match="give the class scores by itself"):
            with_classes(net, Labels(("a", "b", "c")), 0)
        return
    new = with_classes(net, Labels(("a", "b", "c")), 0)
    assert new.scores(new.run(picture(net)), 1).shape == (1, 3)
