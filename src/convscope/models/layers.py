"""The layers of a network, as one forward pass shows them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from convscope.models.adapter import Adapter, Squash
from convscope.models.axes import unknown
from convscope.models.draws import Source, changed, repeatable, restore, states
from convscope.models.flow import Flow, Graph, Known
from convscope.models.functions import KINDS, Calls
from convscope.models.heads import Squashers, head_of
from convscope.models.layout import MAP, MOST_ROWS, Layout, layout_of
from convscope.models.receptive import Field
from convscope.models.untouched import Watched, Written, overwrite, untouched

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
    layout: how its own tensor is read as `b c h w`; None where its axes are not known, and then shape is its own.
    """

    name: str
    kind: str
    channels: int
    shape: tuple[int, ...]
    parameters: int
    container: bool = False
    stride: tuple[int, int] | None = None
    receptive_field: tuple[int, int] | None = None
    start: tuple[float, float] | None = None
    centre: tuple[float, float] | None = None
    module: str = ""
    call: int = 0
    port: Port = None
    tokens: bool = False
    layout: Layout | None = None

    @property
    def is_feature(self) -> bool:
        """Whether it computes something, and does not merely pool, drop or shape what it is given."""
        return _is_feature(self.kind)

    @property
    def is_map(self) -> bool:
        """Whether the output has positions on the picture (more than one)."""
        known = self.layout is not None and not self.tokens
        return known and len(self.shape) == 3 and self.shape[1] * self.shape[2] > 1

    def sees(self, row: int, column: int, picture: tuple[int, int]) -> tuple[int, int, int, int] | None:
        """The pixels (top, left, bottom, right) of a picture (height, width) that a position sees; None if unknown."""
        if self.start is None or self.stride is None or self.receptive_field is None:
            return None
        box = []
        for i, at in enumerate((row, column)):
            centre, reach = self.start[i] + at * self.stride[i], (self.receptive_field[i] - 1) / 2
            box.append((max(0, math.floor(centre - reach)), min(picture[i], math.ceil(centre + reach) + 1)))
        return box[0][0], box[1][0], box[0][1], box[1][1]


@dataclass(frozen=True)
class _Firing:
    """What one call of a module gave at one port."""

    module: str
    kind: str
    call: int
    port: Port
    shape: tuple[int, ...]
    layout: Layout | None
    known: Known | None
    shared: bool = False

    @property
    def is_map(self) -> bool:
        """Whether it has positions."""
        known = self.layout is not None and not self.layout.tokens
        return known and len(self.shape) == 3 and self.shape[1] * self.shape[2] > 1


@dataclass(frozen=True)
class Trace:
    """What one forward pass shows: the layers in order of completion, and the network's outputs by port.

    heads: the calls of modules that end the network with a softmax or sigmoid, whose logits are to be had from what
        they are given, and the port of the network's output that each fills.
    outputs: shape of each output, the batch first. squashed: the outputs that are probabilities (or their logarithms)
        as they stand, without a module whose logits could be taken. batch: how many pictures were put in: 2, or 1 where
        the network takes no more at once.
    random: where the pass drew random numbers from. written: what of its own the network writes when it runs.
    nodes: which tensor of the graph each layer gave; ends: which each output is.
    """

    layers: tuple[Layer, ...]
    heads: Mapping[tuple[str, int], tuple[Squash, Port]]
    outputs: Mapping[Port, tuple[int, ...]]
    squashed: Mapping[Port, Squash]
    batch: int
    random: tuple[Source, ...]
    written: tuple[Written, ...]
    nodes: Mapping[str, int]
    ends: Mapping[Port, int]
    graph: Graph


def trace(adapter: Adapter, sample: Tensor) -> Trace:
    """Run `sample` (`b c h w`, preprocessed) and write down what happens."""
    listening = _Listening(adapter, sample)
    watched = Watched(adapter.root)
    with untouched(adapter.root), torch.inference_mode(False), torch.no_grad():
        before = states()
        given, written = _followed(adapter, sample, listening, watched)
        drawn = changed(before, states())
        if drawn:  # by this pass, or by another thread: look again
            with untouched(adapter.root, written), repeatable(drawn):
                seeded = states()
                adapter.forward(sample)
                drawn = tuple(source for source in drawn if source in changed(seeded, states()))
            restore(before, drawn)
    heads: dict[tuple[str, int], tuple[Squash, Port]] = {}
    squashed: dict[Port, Squash] = {}
    for port, tensor in given.items():
        head = head_of(tensor, listening.squashing, listening.squashers.seen)
        if head is not None and head.call is not None:
            heads[head.call] = head.squash, port
        elif head is not None:
            squashed[port] = head.squash
    flow = listening.flow
    ends = {port: known.node for port, tensor in given.items() if (known := flow.known(tensor)) is not None}
    firings = _worth_listing(listening.firings, flow.graph, list(ends.values()))
    layers = _named(adapter, firings, listening.calls, (sample.shape[-2], sample.shape[-1]))
    named = [(layer, firing) for layer, firing in zip(layers, firings, strict=True)]
    first = Layer(
        INPUT, "Input", sample.shape[1], tuple(sample.shape[1:]), 0, False, (1, 1), (1, 1), (0.0, 0.0), (0.0, 0.0),
        PICTURES, layout=MAP,
    )  # fmt: skip
    return Trace(
        layers=(first, *(layer for layer, _ in named)),
        heads=heads,
        outputs={port: tuple(tensor.shape) for port, tensor in given.items()},
        squashed=squashed,
        batch=len(sample),
        random=(*(("torch",) if flow.drew else ()), *drawn),
        written=written,
        nodes={layer.name: firing.known.node for layer, firing in named if firing.known is not None},
        ends=ends,
        graph=flow.graph,
    )


def _followed(
    adapter: Adapter, sample: Tensor, listening: "_Listening", watched: Watched
) -> tuple[dict[Port, Tensor], tuple[Written, ...]]:
    """One pass, with everything noted; what the network wrote of its own is put back, also when it fails."""
    handles = [module.register_forward_hook(listening.to(name)) for name, module in adapter.modules().items()]
    flow = listening.flow
    try:
        with flow, listening.squashers, Calls(listening.call):
            given = ports(adapter.forward(sample))
    finally:
        for handle in handles:
            handle.remove()
        anew = watched.written()
        for place, was in anew:
            place.put_back(was)
        for tensor, copy in flow.written:
            overwrite(tensor, copy)
    over = watched.places([tensor for tensor, _ in flow.written])
    return given, (*(place for place, _ in anew), *over)


class _Listening:
    """What the modules of one pass give, as their hooks hear it."""

    def __init__(self, adapter: Adapter, sample: Tensor) -> None:
        own = [*adapter.root.parameters(), *adapter.root.buffers()]
        self.adapter, self.batch = adapter, len(sample)
        self.flow, self.squashers = Flow(sample, own), Squashers()
        self.firings: list[_Firing] = []
        self.squashing: list[tuple[tuple[str, int], Squash, Tensor, Tensor]] = []
        self.calls: dict[str, int] = dict.fromkeys([*adapter.modules(), *KINDS], 0)

    def to(self, name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            for port, tensor in ports(output).items():
                self._note(name, port, tensor, inputs)
            self.calls[name] += 1

        return hook

    def call(self, kind: str, inputs: Any, output: Tensor) -> None:
        """A sum or concatenation was made."""
        self._note(kind, None, output, inputs)
        self.calls[kind] += 1

    def _note(self, name: str, port: Port, tensor: Tensor, inputs: Any) -> None:
        known = self.flow.known(tensor)
        dims = known.dims if known is not None else unknown(tensor.shape)
        layout = None if tensor.is_complex() else layout_of(dims, tensor.shape, self.batch)
        call, kind = self.calls[name], KINDS[name] if name in KINDS else type(self.adapter.modules()[name]).__name__
        shape = tuple(tensor.shape[1:]) if layout is None else _shape(layout, tensor, self.batch)
        rows = 1 if layout is None else layout.rows
        if layout is None or rows > MOST_ROWS:
            self.firings.append(_Firing(name, kind, call, port, tuple(tensor.shape[1:]), None, known))
        for row in range(rows if layout is not None and rows <= MOST_ROWS else 0):
            assert layout is not None
            self.firings.append(_Firing(name, kind, call, port, shape, replace(layout, row=row), known, rows > 1))
        if math.prod(tensor.shape[2:]) == 1 and name not in KINDS:
            found = self.adapter.squashed(name, inputs)
            if found is not None:
                self.squashing.append(((name, call), found[1], tensor, tensor.clone()))


def _shape(layout: Layout, tensor: Tensor, batch: int) -> tuple[int, ...]:
    """A layer's shape without the batch, channels first."""
    shape = tuple(layout.read(torch.empty(tensor.shape, device="meta"), batch, "").shape[1:])
    return shape[:1] if layout.vector else shape


def map_layers(layers: Sequence[Layer]) -> list[Layer]:
    """Those whose output has positions, and which neither contain others nor are the pictures that are put in."""
    return [layer for layer in layers if layer.is_map and layer.module != PICTURES and not layer.container]


_NOT_FEATURES = ("pool", "dropout", "flatten", "identity", "upsample", "padding", "permute", "rearrange", "reshape")


def _is_feature(kind: str) -> bool:
    return not any(word in kind.lower() for word in _NOT_FEATURES)


def ports(output: Any) -> dict[Port, Tensor]:
    """The tensors that a module gave: {None: tensor} for a plain one, else by position or key."""
    if isinstance(output, Tensor):
        return {None: output}
    if isinstance(output, Mapping):
        return {str(key): value for key, value in output.items() if isinstance(value, Tensor)}
    if is_dataclass(output) and not isinstance(output, type):
        named = {field.name: getattr(output, field.name) for field in fields(output)}
        return {name: value for name, value in named.items() if isinstance(value, Tensor)}
    if isinstance(output, tuple | list):
        return {i: value for i, value in enumerate(output) if isinstance(value, Tensor)}
    return {}


def _worth_listing(firings: Sequence[_Firing], graph: Graph, ends: Sequence[int]) -> list[_Firing]:
    """All that modules gave; of sums and concatenations that no module gave those maps through which all goes, and
    after which no module gives one like it before the next."""
    passed = set().union(*(graph.passed_by_all([end]) for end in ends))
    cuts = [firing for firing in firings if firing.is_map and firing.known is not None and firing.known.node in passed]
    modular = sorted(
        firing.known.node for firing in cuts if firing.module not in KINDS and firing.known and _is_feature(firing.kind)
    )
    plain = [firing for firing in cuts if firing.module in KINDS and firing.known and firing.known.node not in modular]
    kept = []
    nodes = [firing.known.node for firing in plain if firing.known is not None]
    for firing, node, until in zip(plain, nodes, [*nodes[1:], len(graph.parents)], strict=False):
        if not any(node < other < until for other in modular):
            kept.append(firing)
    return [firing for firing in firings if firing.module not in KINDS or any(firing is one for one in kept)]


def _named(
    adapter: Adapter, firings: Sequence[_Firing], calls: Mapping[str, int], size: tuple[int, int]
) -> list[Layer]:
    """The layers of these firings. Calls of a module are numbered as they were made, sums as they are listed."""
    modules = adapter.modules()
    listed = {kind: [firing for firing in firings if firing.module == kind] for kind in KINDS}
    found = []
    for firing in firings:
        name = firing.module.strip("<>")
        while name in RESERVED or (name != firing.module and name in modules):
            name += "_"
        several = listed.get(firing.module)
        if several is None and calls[firing.module] > 1:
            name += f"#{firing.call}"
        elif several is not None and len(several) > 1:
            name += f"#{next(i for i, other in enumerate(several) if other is firing)}"
        found.append(_layer(adapter, firing, name, size))
    return found


def _layer(adapter: Adapter, firing: _Firing, name: str, size: tuple[int, int]) -> Layer:
    if firing.port is not None:
        name += f"[{firing.port}]"
    if firing.shared and firing.layout is not None:
        name += f"@{firing.layout.row}"
    module = adapter.modules().get(firing.module)
    layer = Layer(
        name=name,
        kind=firing.kind,
        channels=firing.shape[0] if firing.shape else 1,
        shape=firing.shape,
        parameters=_parameters(adapter, module),
        container=module is not None and adapter.is_container(firing.module),
        module=firing.module,
        call=firing.call,
        port=firing.port,
        tokens=firing.layout is not None and firing.layout.tokens,
        layout=firing.layout,
    )
    field = None if firing.known is None or not layer.is_map else firing.known.field
    return layer if field is None else _placed(layer, field, size)


def _parameters(adapter: Adapter, module: nn.Module | None) -> int:
    """How many numbers are learned in a module and below it."""
    if module is None:
        return 0
    return sum(value.numel() for name, value in module.named_parameters() if adapter.is_weight(name))


def _placed(layer: Layer, field: Field, size: tuple[int, int]) -> Layer:
    """A layer with its receptive field, where its positions have one."""
    if math.isinf(field.stride[0]) or math.isinf(field.stride[1]):
        return layer
    return replace(
        layer,
        stride=(int(field.stride[0]), int(field.stride[1])),
        receptive_field=(int(min(field.size[0], size[0])), int(min(field.size[1], size[1]))),
        start=field.start,
        centre=field.centre,
    )
