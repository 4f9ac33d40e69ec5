"""Small networks of every kind that methods must work on. All take 3x32x32 pictures and tell 5 classes apart."""

from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import convscope as cs

SIZE, CLASSES = 32, 5
SPEC = cs.InputSpec(size=SIZE, range=(0, 1), mean=0.45, std=0.25)
LABELS = ["ant", "bee", "tiger cat", "dung beetle", "eel"]


class Plain(nn.Module):
    """Convolutions and ReLU modules in a row."""

    inplace = False

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.relu1 = nn.ReLU(self.inplace)
        self.pool = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(8, 12, 3, padding=1)
        self.relu2 = nn.ReLU(self.inplace)
        self.head = nn.Linear(12, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.relu1(self.conv1(x)))
        return self.head(self.relu2(self.conv2(x)).mean((2, 3)))


class Inplace(Plain):
    """ReLUs that overwrite what the layer before gave."""

    inplace = True


class Functional(Plain):
    """ReLUs that are no modules, one of them in place."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(F.relu(self.conv1(x)))
        x = self.conv2(x)
        x.relu_()
        return self.head(x.mean((2, 3)))


class Reused(nn.Module):
    """One ReLU and one convolution, each used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.again = nn.Conv2d(8, 8, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.AvgPool2d(2)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.first(x))
        x = self.pool(self.relu(self.again(x)))
        return self.head(self.again(x).mean((2, 3)))


class Residual(nn.Module):
    """Batch norm, a stride, an identity shortcut added in place, dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 5, stride=2, padding=2, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv = nn.Conv2d(8, 8, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(8)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.stem(x)))
        y = self.bn2(self.conv(x))
        y += x
        return self.head(self.drop(F.relu(y)).mean((2, 3)))


class Inception(nn.Module):
    """Branches of different reach, concatenated."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1)
        self.one = nn.Conv2d(6, 4, 1)
        self.five = nn.Conv2d(6, 4, 5, padding=2)
        self.pooled = nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(6, 4, 1))
        self.act = nn.ReLU()
        self.last = nn.Conv2d(12, 8, 3, stride=2)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        x = self.act(torch.cat([self.one(x), self.five(x), self.pooled(x)], 1))
        return self.head(F.relu(self.last(x)).mean((2, 3)))


class Depthwise(nn.Module):
    """Depthwise and pointwise convolutions, dilation, ReLU6."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=8)
        self.pointwise = nn.Conv2d(8, 10, 1)
        self.act = nn.ReLU6(inplace=True)
        self.head = nn.Linear(10, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.stem(x))
        return self.head(torch.clamp(self.pointwise(self.depthwise(x)), 0, 6).mean((2, 3)))


def keras_model() -> nn.Module:
    """A functional Keras network with fused activations, a nested model, and a softmax at the end."""
    import keras

    layers = keras.layers
    keras.utils.set_random_seed(0)
    inside = keras.Sequential(
        [layers.Input((16, 16, 8)), layers.Conv2D(12, 3, padding="same", activation="relu", name="deep")], name="inner"
    )
    start = layers.Input((SIZE, SIZE, 3), name="picture")
    x = layers.Conv2D(8, 3, padding="same", activation="relu", name="conv1")(start)
    x = layers.MaxPooling2D(2, name="pool1")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.GlobalAveragePooling2D(name="gap")(inside(x))
    model: nn.Module = keras.Model(start, layers.Dense(CLASSES, activation="softmax", name="predictions")(x))
    return model


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    """A module with random weights that are always the same, and batch norms that have seen something."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        module = make()
        for part in module.modules():
            if isinstance(part, nn.BatchNorm2d) and part.running_mean is not None:
                part.running_mean.normal_(0, 0.3)
                part.running_var.uniform_(0.5, 1.5)
    return module


MODULES: dict[str, Callable[[], nn.Module]] = {
    "plain": Plain,
    "functional": Functional,
    "inplace": Inplace,
    "reused": Reused,
    "residual": Residual,
    "inception": Inception,
    "depthwise": Depthwise,
    "keras": keras_model,
}

DEEP = {
    "plain": "conv2", "functional": "conv2", "inplace": "conv2", "reused": "again#1", "residual": "conv",
    "inception": "last", "depthwise": "pointwise", "keras": "inner/deep",
}  # fmt: skip
"""A late layer with positions and kernels in each network."""


def deep(kind: str) -> str:
    """The late layer of a kind; that of the odd ones is named so."""
    return DEEP.get(kind, "deep")


def network(kind: str) -> cs.Network:
    """A fresh network of a kind, in training mode with gradients on, as users hand theirs over."""
    module = seeded(MODULES[kind])
    return cs.load_model(module.train() if kind != "keras" else module, input=SPEC, labels=LABELS)


@cache
def shared(kind: str) -> cs.Network:
    """One network of a kind for the tests that only look."""
    return network(kind)


def noise(seed: int = 0, channels: int = 3, size: int = SIZE, n: int = 1) -> Tensor:
    """Pictures of noise in [0,1]."""
    return torch.rand((n, channels, size, size), generator=torch.Generator().manual_seed(seed))


class Planted(nn.Module):
    """A class for each colour: how much of the picture's brightest spot of it there is, by a 5x5 mean and a square."""

    def __init__(self) -> None:
        super().__init__()
        self.spot = nn.Conv2d(3, 3, 5, padding=2, bias=False)
        self.act = nn.ReLU()
        self.head = nn.Linear(3, 3, bias=False)
        with torch.no_grad():
            self.spot.weight.zero_()
            for i in range(3):
                self.spot.weight[i, i] = 1 / 25
            self.head.weight.copy_(torch.eye(3))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.act(self.spot(x) - 0.3).square().sum((2, 3)))


PLANTED = cs.InputSpec(size=48, range=(0, 1), mean=0.0, std=1.0)


def planted(seed: int) -> tuple[Tensor, tuple[int, int]]:
    """Faint noise with a square of blue 9 pixels wide, and where its middle is."""
    generator = torch.Generator().manual_seed(seed)
    picture = 0.2 * torch.rand((1, 3, 48, 48), generator=generator)
    y, x = (int(v) for v in torch.randint(6, 42, (2,), generator=generator))
    picture[:, 2, y - 4 : y + 5, x - 4 : x + 5] = 0.9
    return picture, (y, x)
