"""Where the cells of a layer's map look, on real architectures: `make test-zoo`."""

import pytest
import torch

import convscope as cs
from convscope.attribution.cam import enlarge
from tests.parity.test_cut_law import network, torchvision_module

pytestmark = [pytest.mark.zoo, pytest.mark.filterwarnings("default")]


SIZE = 960


NETWORKS = {
    "resnet18": torchvision_module, "resnet50": torchvision_module, "mobilenet_v2": torchvision_module,
    "vgg16": torchvision_module, "googlenet": torchvision_module, "convnext_tiny": torchvision_module,
}  # fmt: skip


def centre(net: cs.Network, layer: str, y: int, x: int) -> tuple[float, float]:
    """The middle (row, column) of the pixels that a position depends on, each counted by how much: the mean of the
    gradient's square over pictures of noise and directions among the channels. The picture is so large that its
    edges cut nothing off."""
    generator = torch.Generator().manual_seed(0)
    total = torch.zeros(net.spec.hw)
    for _ in range(2):
        picture = torch.rand((1, 3, *net.spec.hw), generator=generator).requires_grad_()
        with torch.enable_grad():
            maps = cs.record(net, picture, [layer])[layer][0, :, y, x]
            for _ in range(4):
                direction = torch.randn(maps.shape, generator=generator)
                (gradient,) = torch.autograd.grad((maps * direction).sum(), picture, retain_graph=True)
                total += gradient.square().sum((0, 1))
    rows, columns = (torch.arange(side, dtype=torch.float32) for side in total.shape)
    return float((total.sum(1) * rows).sum() / total.sum()), float((total.sum(0) * columns).sum() / total.sum())


@pytest.mark.parametrize("name", NETWORKS)
def test_a_cell_lies_where_it_sees(name: str) -> None:
    net = network(name, NETWORKS[name], SIZE)
    layer = net.recommended_layer()
    assert layer.centre is not None
    assert layer.stride is not None
    y, x = layer.shape[1] // 2, layer.shape[2] // 2
    told = layer.centre[0] + y * layer.stride[0], layer.centre[1] + x * layer.stride[1]
    found = centre(net, layer.name, y, x)
    spread = (y + 0.5) * net.spec.height / layer.shape[1] - 0.5
    print(f"{name:20} {layer.name:25} told {told} found {found[0]:.1f} {found[1]:.1f}; evenly spread {spread:.1f}")
    assert abs(told[0] - found[0]) <= 2
    assert abs(told[1] - found[1]) <= 2


def test_what_is_planted_is_drawn_where_it_was_planted_in_a_trained_network() -> None:
    """Its kernels have unlearned the padding on one side: by the fields alone maps would lie 13 pixels off."""
    net = cs.load_model("efficientnet_lite0")
    layer = net.recommended_layer()
    base = 0.4 + 0.2 * torch.rand((1, 3, 224, 224), generator=torch.Generator().manual_seed(0))
    at = torch.arange(224.0)
    off = []
    with torch.no_grad():
        plain = cs.record(net, base, [layer.name])[layer.name]
        for y in range(80, 145, 16):
            for x in range(80, 145, 16):
                picture = base.clone()
                picture[:, :, y - 2 : y + 3, x - 2 : x + 3] = 1.3 - picture[:, :, y - 2 : y + 3, x - 2 : x + 3]
                change = (cs.record(net, picture, [layer.name])[layer.name] - plain).abs().sum(1)
                drawn = enlarge(change, (224, 224), layer)[0]
                off.append([float((drawn.sum(i) * at).sum() / drawn.sum()) - p for i, p in ((1, y), (0, x))])
    down, right = torch.tensor(off).mean(0).tolist()
    print(f"efficientnet_lite0: {down:.1f} down, {right:.1f} right")
    assert abs(down) <= 2
    assert abs(right) <= 2
