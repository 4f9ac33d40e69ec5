"""Networks of known shapes for measuring; their weights are random, which costs the same."""

import torch
from torch import Tensor, nn

import convscope as cs

VGG16 = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M")
SPEC = cs.InputSpec(size=224, range=(0, 1), mean=0.45, std=0.225)


class Vgg16(nn.Module):
    """VGG16's thirteen convolutions and three dense layers (Simonyan and Zisserman, 2014, configuration D)."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for step in VGG16:
            if step == "M":
                layers.append(nn.MaxPool2d(2))
            else:
                layers += [nn.Conv2d(channels, int(step), 3, padding=1), nn.ReLU(inplace=True)]
                channels = int(step)
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096), nn.ReLU(True), nn.Linear(4096, 4096), nn.ReLU(True), nn.Linear(4096, 1000)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).flatten(1))


def vgg16() -> cs.Network:
    """A VGG16-shaped network with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return cs.load_model(Vgg16().eval(), input=SPEC)


def macs(net: cs.Network) -> dict[str, float]:
    """Multiply-accumulates of every convolution and dense layer, for one picture."""
    found = {}
    for layer in net.layers():
        kernel = net.adapter.kernel(layer.module) if layer.module in net.adapter.modules() else None
        if kernel is not None and not layer.container:
            positions = layer.shape[1] * layer.shape[2] if len(layer.shape) == 3 else 1
            found[layer.name] = kernel.numel() * positions
    return found
