"""The layer at which an answer is explained, on the architectures of torchvision, timm and Keras: `make test-zoo`.

The law: what the layer gives for picture A, put into a pass of picture B, gives A's scores. Where a network has no
such layer with positions, a note says what was taken in its place.
"""

import os
from collections.abc import Callable
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
import pytest
import torch

import convscope as cs
from convscope.taps.tap import SCORES_TAP, Tap
from tests.networks import noise

pytestmark = [pytest.mark.zoo, pytest.mark.filterwarnings("default")]


def words(text: str) -> list[str]:
    return text.split()


TORCHVISION = words("""
    alexnet vgg11 vgg16_bn resnet18 resnet50 resnext50_32x4d wide_resnet50_2 densenet121 squeezenet1_1 googlenet
    inception_v3 mobilenet_v2 mobilenet_v3_small shufflenet_v2_x0_5 mnasnet0_5 efficientnet_b0 efficientnet_v2_s
    regnet_y_400mf regnet_x_400mf convnext_tiny swin_t swin_v2_t maxvit_t vit_b_16
""")
TIMM = words("""
    convnext_atto convnextv2_atto resnetv2_50 inception_v4 inception_next_tiny poolformer_s12 pvt_v2_b0 darknet53
    edgenext_xx_small davit_tiny repvit_m0_9 mambaout_femto convformer_s18 caformer_s18 efficientformer_l1
    efficientformerv2_s0 crossvit_9_240 twins_svt_small swin_tiny_patch4_window7_224 vit_tiny_patch16_224
    deit_tiny_patch16_224 mixer_s32_224 resmlp_12_224 gmlp_s16_224 repvgg_a0 mobileone_s0 fastvit_t8 ghostnet_100
    hrnet_w18_small dla34 dpn68 nfnet_f0 xception41 cspresnet50 vovnet39a selecsls42b tresnet_m mobilevit_xxs
    coatnet_nano_rw_224 focalnet_tiny_srf levit_128s visformer_tiny
""")
KERAS = words("""
    ConvNeXtTiny MobileNetV2 MobileNetV3Small DenseNet121 InceptionV3 Xception ResNet50V2 EfficientNetB0 VGG16
""")
NOT_WHOLE = {"vit_b_16", "vit_tiny_patch16_224", "deit_tiny_patch16_224", "crossvit_9_240"}
"""Those whose late layers are lists of tokens with one that has no position: a note has to say so."""


def torchvision_module(name: str) -> Any:
    import torchvision

    more = {"init_weights": False, "aux_logits": False} if name in ("googlenet", "inception_v3") else {}
    return getattr(torchvision.models, name)(**more)


def timm_module(name: str) -> Any:
    import timm

    return timm.create_model(name)


def network(name: str, make: Callable[[str], Any], size: int | None = None) -> cs.Network:
    """A network with random weights, made livelier where they would let nothing through."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = make(name).eval()
        for part in module.modules():
            for key, value in part.named_parameters(recurse=False):
                if value.ndim == 1 and ("gamma" in key or "layer_scale" in key or "scale" in key):
                    value.data.fill_(0.5)  # 1e-6 and the like: branches would add nothing that could be seen
                if value.ndim >= 1 and float(value.detach().abs().max()) == 0 and key == "weight":
                    value.data.fill_(0.5)
    size = size or {"crossvit_9_240": 240, "inception_v3": 299, "inception_v4": 299}.get(name, 224)
    return cs.load_model(module, input=cs.InputSpec(size=size, range=(0, 1), mean=0.45, std=0.25))


def cut(net: cs.Network) -> float:
    """The share of the scores' difference between two pictures that the recommended layer carries; 1 is all."""
    layer = net.recommended_layer().name
    height, width = net.spec.hw
    one, two = (noise(seed, size=max(height, width))[:, :, :height, :width] for seed in (0, 1))
    with torch.no_grad():
        first = cs.record(net, one, [layer, "scores"])
        second = cs.record(net, two, ["scores"]).scores
        mixed = cs.record(net, two, [layer, "scores"], replaced={Tap(layer): first[layer]})[SCORES_TAP]
    difference = float((first.scores - second).abs().max())
    assert difference > 0
    return 1 - float((mixed - first.scores).abs().max()) / difference


def check(net: cs.Network, name: str) -> None:
    found = net.recommendation()
    share = cut(net)
    print(f"{name:32} {found.layer.name:45} {found.layer.shape} {share:.4f} {found.note[:60]}")
    assert share > 0.999 or found.note, (name, found.layer.name, share)
    assert found.layer.is_map
    if found.note:
        assert name in NOT_WHOLE or share <= 0.999, (name, found.note)
    result = cs.explain(net, np.full((*net.spec.hw, 3), 0.4, np.float32), 0)
    assert result.arrays["coarse"].shape == found.layer.shape[1:]
    assert not found.note or found.note in result.notes


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvision(name: str) -> None:
    check(network(name, torchvision_module), name)


@pytest.mark.parametrize("name", TIMM)
def test_timm(name: str) -> None:
    check(network(name, timm_module), name)


@pytest.mark.parametrize("name", KERAS)
def test_keras(name: str) -> None:
    check(cs.load_model(f"keras:{name}", weights="none"), name)
