"""The layers of a network: what each is called, gives and sees."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from torch import Tensor

from convscope.errors import InputError, UnknownNameError
from convscope.models.layout import Layout

INPUT = "input"
"""The name under which the network's input, as its first layer is given it, can be recorded."""
PICTURES = ""
"""The `module` of that layer: no module is named so."""
RESERVED = (INPUT, "scores")
"""Names that mean something else than a module; a module of that name is listed with `_` behind it."""


Port = int | str | None


@dataclass(frozen=True)
class Layer:
    """One layer that can be tapped.

    name: the network's own name; `name#1` is the second call of a module that is used more than once, `name[0]` the
        first of several outputs, and `name@1` the second of several rows that it gives for each picture.
    kind: its class. channels: of its output. shape: (c, h, w) of a map, (c,) of a vector.
    parameters: numbers learned in it and below it. container: whether it only groups other layers.
    tokens: whether the output is a list without positions on the picture; its shape is (c, n, 1).
    stride: pixels (down, across) between neighbouring positions; receptive_field: pixels (height, width) that one
        position can see, at most the picture; start: the pixel (row, column) at the centre of what the first position
        sees, the picture's first pixel being 0; centre: the same with pixels counted by how much they matter, by the
        energy of the kernels: where a map is drawn. All None for vectors and where they are undefined.
    extent: the receptive field as far as it would reach beyond the picture's edges, infinite where it sees all.
    layout: how its own tensor is read as `b c h w`; None where its axes are not known, and then shape is its own.
    inner: whether it is a part of a layer, which `net.layers` lists where it is asked to: what a layer with a fused
        activation gives before it (`block1_conv1.pre`).
    alias: another name that the field has for it (relu4_2 of VGG), by which it can be asked for, too.
    """

    name: str
    kind: str
    channels: int
    shape: tuple[int, ...]
    parameters: int
    container: bool = False
    stride: tuple[float, float] | None = None
    receptive_field: tuple[int, int] | None = None
    start: tuple[float, float] | None = None
    centre: tuple[float, float] | None = None
    module: str = ""
    call: int = 0
    port: Port = None
    tokens: bool = False
    layout: Layout | None = field(default=None, repr=False)
    alias: str = field(default="", repr=False)
    inner: bool = field(default=False, repr=False)
    extent: tuple[float, float] | None = field(default=None, repr=False)

    @property
    def is_feature(self) -> bool:
        """Whether it computes something, and does not merely pool, drop or shape what it is given."""
        return is_feature(self.kind)

    @property
    def is_map(self) -> bool:
        """Whether the output has positions on the picture (more than one)."""
        return has_positions(self.layout, self.shape)

    def sees(self, row: int, column: int, picture: tuple[int, int]) -> tuple[int, int, int, int] | None:
        """The pixels (top, left, bottom, right) of a picture (height, width) that a position sees; None if unknown."""
        if self.start is None or self.stride is None or self.extent is None:
            return None
        box = []
        for i, at in enumerate((row, column)):
            middle, reach = self.start[i] + at * self.stride[i], (min(self.extent[i], 4 * picture[i]) - 1) / 2
            box.append((max(0, math.floor(middle - reach)), min(picture[i], math.ceil(middle + reach) + 1)))
        return box[0][0], box[1][0], box[0][1], box[1][1]


def has_positions(layout: Layout | None, shape: Sequence[int]) -> bool:
    """Whether an output of a shape, channels first, has more than one position on the picture."""
    known = layout is not None and not layout.tokens
    return known and len(shape) == 3 and shape[1] * shape[2] > 1


def map_layers(layers: Sequence[Layer]) -> list[Layer]:
    """Those whose output has positions, and which neither contain others nor are the pictures that are put in."""
    return [layer for layer in layers if layer.is_map and layer.module != PICTURES and not layer.container]


_NOT_FEATURES = ("pool", "dropout", "flatten", "identity", "upsample", "padding", "permute", "rearrange", "reshape")


def layer_named(layers: Sequence[Layer], name: str) -> Layer:
    """The layer of a name. Raises UnknownNameError, listing the near matches; InputError for a module of several
    outputs."""
    result = next((layer for layer in layers if layer.name == name), None)
    result = result or next((layer for layer in layers if name and layer.alias == name), None)
    if result is not None:
        return result
    several = [layer.name for layer in layers if layer.module == name]
    if several:
        raise InputError(f"the layer {name!r} gives more than one output: say which, one of {', '.join(several)}")
    names = [layer.name for layer in layers]
    raise UnknownNameError("layer", name, names, "All layers: net.layers() or `convscope layers`")


def is_feature(kind: str) -> bool:
    """Whether a layer of a class computes something; see Layer.is_feature."""
    return not any(word in kind.lower() for word in _NOT_FEATURES)


def ports(output: Any) -> dict[Port, Tensor]:
    """The tensors that a module gave: {None: tensor} for a plain one, else by position or key."""
    if isinstance(output, Tensor):
        return {None: output}
    if isinstance(output, Mapping):
        return {str(key): value for key, value in output.items() if isinstance(value, Tensor)}
    if is_dataclass(output) and not isinstance(output, type):
        named = {part.name: getattr(output, part.name) for part in fields(output)}
        return {name: value for name, value in named.items() if isinstance(value, Tensor)}
    if isinstance(output, tuple | list):
        return {i: value for i, value in enumerate(output) if isinstance(value, Tensor)}
    return {}
