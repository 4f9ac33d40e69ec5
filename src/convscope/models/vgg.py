"""The convolutional trunk of VGG16, and a small network of its plan, with the layer names of its Keras edition.

Source: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition" (ICLR 2015),
table 1, configuration D.
"""

from collections.abc import Callable, Sequence

from torch import Tensor, nn

BLOCKS = (64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512)
"""The channels of each convolution, block by block."""


DEEPER = (64, 64), (128, 128), (256,) * 4, (512,) * 4, (512,) * 4
"""VGG19's."""


def relu_names(blocks: Sequence[Sequence[int]], layer: Callable[[int, int], str]) -> dict[str, str]:
    """The names that papers on style and inversion have for the rectified convolutions, `relu4_2`, with those of a
    network's layers. layer: of a block and a convolution in it, both from 1."""
    return {
        f"relu{block}_{position}": layer(block, position)
        for block, channels in enumerate(blocks, 1)
        for position in range(1, len(channels) + 1)
    }


class VGG16Trunk(nn.Sequential):
    """Pictures `b 3 h w` to maps `b 512 h/32 w/32`: block1_conv1, block1_relu1, ... block5_relu3, block5_pool."""

    def __init__(self) -> None:
        super().__init__()
        channels = 3
        for number, block in enumerate(BLOCKS, 1):
            for position, wide in enumerate(block, 1):
                self.add_module(f"block{number}_conv{position}", nn.Conv2d(channels, wide, 3, padding=1))
                self.add_module(f"block{number}_relu{position}", nn.ReLU())
                channels = wide
            self.add_module(f"block{number}_pool", nn.MaxPool2d(2))


NARROW = (12, 12), (24, 24), (48, 48, 48), (96, 96, 96), (96, 96, 96)
"""VGG16's blocks with fewer channels: such a network learns from a few hundred pictures in minutes."""
CLASSES = 2


class SmallVGG(nn.Module):
    """VGG16's plan, narrower, with batch norm and the mean over positions in place of its three last layers, so that
    it can be trained from scratch. RGB pictures `b 3 h w` to the logits of the classes, `b k`."""

    def __init__(self, classes: int = CLASSES) -> None:
        super().__init__()
        channels, layers = 3, nn.Sequential()
        for number, block in enumerate(NARROW, 1):
            for position, wide in enumerate(block, 1):
                layers.add_module(f"block{number}_conv{position}", nn.Conv2d(channels, wide, 3, padding=1, bias=False))
                layers.add_module(f"block{number}_bn{position}", nn.BatchNorm2d(wide))
                layers.add_module(f"block{number}_relu{position}", nn.ReLU())
                channels = wide
            layers.add_module(f"block{number}_pool", nn.MaxPool2d(2))
        self.features = layers
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.drop = nn.Dropout(0.2)
        self.predictions = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.predictions(self.drop(self.pool(self.features(x)).flatten(1)))
        return logits
