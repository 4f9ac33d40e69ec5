"""Against pytorch-grad-cam, on networks of torchvision and timm: `make test-zoo`."""

import numpy as np
import pytest
import torch
from torch import nn

import convscope as cs
from tests.networks import noise

pytestmark = [pytest.mark.zoo, pytest.mark.filterwarnings("default")]

SPEC = cs.InputSpec(size=96, range=(0, 1), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
# Layers whose output no operation in place overwrites later: there pytorch-grad-cam reads what it was overwritten with.
NETWORKS = {
    "torchvision resnet18": ("layer4.1.conv2", lambda: __import__("torchvision").models.resnet18()),
    "torchvision vgg11": ("features.19", lambda: __import__("torchvision").models.vgg11()),
    "torchvision densenet121": (
        "features.denseblock4.denselayer16.conv2",
        lambda: __import__("torchvision").models.densenet121(),
    ),
    "torchvision mobilenet_v2": ("features.18.0", lambda: __import__("torchvision").models.mobilenet_v2()),
    "timm resnetv2_50": ("stages.3.blocks.2.conv3", lambda: __import__("timm").create_model("resnetv2_50")),
    "timm convnext_atto": ("stages.3.blocks.1.conv_dw", lambda: __import__("timm").create_model("convnext_atto")),
}


def load(name: str) -> tuple[cs.Network, nn.Module, str]:
    layer, make = NETWORKS[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = make().eval()
    return cs.load_model(module, input=SPEC), module, layer


@pytest.mark.parametrize("name", NETWORKS)
def test_grad_cam_equals_pytorch_grad_cam(name: str) -> None:
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    net, module, layer = load(name)
    picture = noise(size=96)
    ours = cs.explain(net, picture, 3, layer=layer).arrays["coarse"]
    with GradCAM(model=module, target_layers=[module.get_submodule(layer)]) as cam:
        cam(input_tensor=SPEC.preprocess(picture), targets=[ClassifierOutputTarget(3)])
        activations = cam.activations_and_grads.activations[0].numpy()
        gradients = cam.activations_and_grads.gradients[0].numpy()
        weights = cam.get_cam_weights(None, None, None, activations, gradients)
    theirs = np.maximum((weights[..., None, None] * activations).sum(1)[0], 0)
    assert np.abs(ours - theirs).max() <= 1e-5 * max(1.0, theirs.max())


# Not among them: their Grad-CAM++ adds 1e-6 to squared gradients, on random networks more than these are; their
# Score-CAM enlarges masks from corner to corner, so that they lie half a cell off.
CAMS = {"layer_cam": "LayerCAM", "hires_cam": "HiResCAM", "eigen_cam": "EigenCAM"}


@pytest.mark.parametrize("name", [name for name in NETWORKS if "densenet" not in name])
@pytest.mark.parametrize("method", CAMS)
def test_the_other_cams_equal_pytorch_grad_cams(method: str, name: str) -> None:
    import pytorch_grad_cam
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    net, module, layer = load(name)
    picture = noise(size=96)
    target = None if method == "eigen_cam" else 3
    ours = cs.explain(net, picture, target, method=method, layer=layer, signed=True).arrays["coarse"]
    place = module.get_submodule(layer)
    with getattr(pytorch_grad_cam, CAMS[method])(model=module, target_layers=[place]) as cam:
        prepared = SPEC.preprocess(picture)
        cam.activations_and_grads(prepared)[:, 3].sum().backward()
        activations = cam.activations_and_grads.activations[0].numpy()
        gradients = cam.activations_and_grads.gradients[0].numpy()
        found = cam.get_cam_image(prepared, place, [ClassifierOutputTarget(3)], activations, gradients, False)[0]
    if method == "eigen_cam":  # theirs is about the mean, and of either sign
        assert abs(np.corrcoef(ours.ravel(), found.ravel())[0, 1]) > 1 - 1e-5
    else:
        assert np.abs(ours - found).max() <= 1e-4 * np.abs(found).max()


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_can_be_looked_at(name: str) -> None:
    net, _, layer = load(name)
    result = cs.activations(net, noise(size=96))
    assert len(result.arrays) > 20
    made = cs.visualize(net, [f"{layer}:1", "class:5"], steps=3)
    start = cs.visualize(net, [f"{layer}:1", "class:5"], steps=1, lr=1e-6)
    assert np.abs(made.arrays["images"] - start.arrays["images"]).max(axis=(1, 2, 3)).min() > 0.01
    assert not made.notes
