"""The convolutional trunk of VGG16, with the layer names of its Keras edition.

Source: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition" (ICLR 2015),
table 1, configuration D.
"""

from torch import nn

BLOCKS = (64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512)
"""The channels of each convolution, block by block."""


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
