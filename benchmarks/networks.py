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


class Bottleneck(nn.Module):
    """Three convolutions and a shortcut (He et al., "Deep Residual Learning", 2015, figure 5; strides of v1.5)."""

    def __init__(self, given: int, width: int, stride: int) -> None:
        super().__init__()
        out = 4 * width
        self.conv1, self.bn1 = nn.Conv2d(given, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, out, 1, bias=False), nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        self.down = None
        if stride > 1 or given != out:
            self.down = nn.Sequential(nn.Conv2d(given, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn3(self.conv3(self.relu(self.bn2(self.conv2(y)))))
        y += x if self.down is None else self.down(x)
        return self.relu(y)


class ResNet50(nn.Module):
    """ResNet-50's sixteen bottlenecks."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
        )
        blocks, given = [], 64
        for width, count, first in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
            for i in range(count):
                blocks.append(Bottleneck(given, width, first if i == 0 else 1))
                given = 4 * width
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(given, 1000)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(x)).mean((2, 3)))


def vgg16() -> cs.Network:
    """A VGG16-shaped network with random weights."""
    return _made(Vgg16)


def resnet50() -> cs.Network:
    """A ResNet-50-shaped network with random weights."""
    return _made(ResNet50)


def _made(kind: type[nn.Module]) -> cs.Network:
    """Random weights that keep the size of what flows, so that the scores depend on the picture."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = kind()
        for part in module.modules():
            if isinstance(part, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
        return cs.load_model(module.eval(), input=SPEC)


def macs(net: cs.Network) -> dict[str, float]:
    """Multiply-accumulates of every convolution and dense layer, for one picture."""
    found = {}
    for layer in net.layers():
        kernel = net.adapter.kernel(layer.module) if layer.module in net.adapter.modules() else None
        if kernel is not None and not layer.container:
            positions = layer.shape[1] * layer.shape[2] if len(layer.shape) == 3 else 1
            found[layer.name] = kernel.numel() * positions
    return found
