"""One forward pass of a network, written down: its layers, its outputs, and what it does beside."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from convscope.models.adapter import Adapter, Squash
from convscope.models.axes import unknown
from convscope.models.draws import Source, changed, repeatable, restore, states
from convscope.models.flow import Flow, Graph, Known
from convscope.models.functions import KINDS, SUM, Calls
from convscope.models.heads import Squashers, head_of
from convscope.models.layers import INPUT, PICTURES, RESERVED, Layer, Port, has_positions, is_feature, ports
from convscope.models.layout import MAP, MOST_ROWS, Layout, layout_of
from convscope.models.receptive import Field
from convscope.models.residual import branches
from convscope.models.untouched import Watched, Written, overwrite, untouched


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
        return has_positions(self.layout, self.shape)


@dataclass(frozen=True)
class Trace:
    """What one forward pass shows: the layers in order of completion, and the network's outputs by port.

    heads: the calls of modules that end the network with a softmax or sigmoid, whose logits are to be had from what
        they are given, and the port of the network's output that each fills.
    outputs: shape of each output, the batch first. squashed: the outputs that are probabilities (or their logarithms)
        as they stand, without a module whose logits could be taken. batch: how many pictures were put in: 2, or 1 where
        the network takes no more at once.
    random: where the pass drew random numbers from. mixes: whether it did anything across the pictures of the batch.
    written: what of its own the network writes when it runs.
    nodes: which tensor of the graph each layer gave; ends: which each output is.
    branches: of each sum of the pass, in order, which of its terms is the branch of a residual.
    """

    layers: tuple[Layer, ...]
    heads: Mapping[tuple[str, int], tuple[Squash, Port]]
    outputs: Mapping[Port, tuple[int, ...]]
    squashed: Mapping[Port, Squash]
    batch: int
    random: tuple[Source, ...]
    mixes: bool
    written: tuple[Written, ...]
    nodes: Mapping[str, int]
    ends: Mapping[Port, int]
    graph: Graph
    branches: tuple[int | None, ...] = ()


def trace(adapter: Adapter, sample: Tensor) -> Trace:
    """Run `sample` (`b c h w`, preprocessed) and write down what happens."""
    listening = _Listening(adapter, sample)
    watched = Watched(adapter.root, adapter.plain_modules)
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
        INPUT,
        "Input",
        sample.shape[1],
        tuple(sample.shape[1:]),
        0,
        False,
        (1, 1),
        (1, 1),
        (0.0, 0.0),
        (0.0, 0.0),
        PICTURES,
        layout=MAP,
        extent=(1.0, 1.0),
    )
    return Trace(
        layers=(first, *(layer for layer, _ in named)),
        heads=heads,
        outputs={port: tuple(tensor.shape) for port, tensor in given.items()},
        squashed=squashed,
        batch=len(sample),
        random=(*(("torch",) if flow.drew else ()), *drawn),
        mixes=flow.mixes,
        written=written,
        nodes={layer.name: firing.known.node for layer, firing in named if firing.known is not None},
        ends=ends,
        graph=flow.graph,
        branches=branches(flow.graph, listening.sums),
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
        self.sums: list[tuple[int, ...] | None] = []
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
        if kind == SUM:
            self.sums.append(self._terms(inputs, output))

    def _terms(self, inputs: Any, output: Tensor) -> tuple[int, ...] | None:
        """The numbers of a sum's tensor and of its two terms in the graph; None where these are not known."""
        known = self.flow.known(output)
        if known is None or len(inputs) < 2:
            return None
        found = [self.flow.known(one) if isinstance(one, Tensor) else None for one in inputs[:2]]
        nodes = [None if one is None else one.node for one in found]
        if known.node in nodes:  # added in place: that term was another tensor before
            others = [node for node in self.flow.graph.parents[known.node] if node not in nodes]
            nodes[nodes.index(known.node)] = others[0] if others else None
        return None if None in nodes else (known.node, *(node for node in nodes if node is not None))

    def _note(self, name: str, port: Port, tensor: Tensor, inputs: Any) -> None:
        known = self.flow.known(tensor)
        dims = known.dims if known is not None else unknown(tensor.shape)
        layout = None if tensor.is_complex() else layout_of(dims, tensor.shape, self.batch)
        call, kind = self.calls[name], KINDS[name] if name in KINDS else self.adapter.kind(name)
        shape = tuple(tensor.shape[1:]) if layout is None else _shape(layout, tensor, self.batch)
        rows = 1 if layout is None else layout.rows
        if layout is None or rows > MOST_ROWS:
            self.firings.append(_Firing(name, kind, call, port, tuple(tensor.shape[1:]), None, known))
        for row in range(rows if layout is not None and rows <= MOST_ROWS else 0):
            assert layout is not None
            self.firings.append(_Firing(name, kind, call, port, shape, replace(layout, row=row), known, rows > 1))
        if math.prod(tensor.shape[2:]) == 1 and name not in KINDS:
            result = self.adapter.squashed(name, inputs)
            if result is not None:
                self.squashing.append(((name, call), result[1], tensor, tensor.clone()))


def _shape(layout: Layout, tensor: Tensor, batch: int) -> tuple[int, ...]:
    """A layer's shape without the batch, channels first."""
    shape = tuple(layout.read(torch.empty(tensor.shape, device="meta"), batch, "").shape[1:])
    return shape[:1] if layout.vector else shape


def _worth_listing(firings: Sequence[_Firing], graph: Graph, ends: Sequence[int]) -> list[_Firing]:
    """What modules gave, and those bare sums and concatenations that are a cut of the network and are not followed by
    a module's cut before the next such sum."""
    passed = set().union(*(graph.passed_by_all([end]) for end in ends))
    cuts = [firing for firing in firings if firing.is_map and firing.known is not None and firing.known.node in passed]
    modular = sorted(
        firing.known.node for firing in cuts if firing.module not in KINDS and firing.known and is_feature(firing.kind)
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
    result = []
    for firing in firings:
        name = firing.module.strip("<>")
        while name in RESERVED or (name != firing.module and name in modules):
            name += "_"
        several = listed.get(firing.module)
        if several is None and calls[firing.module] > 1:
            name += f"#{firing.call}"
        elif several is not None and len(several) > 1:
            name += f"#{next(i for i, other in enumerate(several) if other is firing)}"
        result.append(_layer(adapter, firing, name, size))
    return result


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
        inner=module is not None and adapter.is_inner(firing.module),
    )
    field = None if firing.known is None or not layer.is_map else firing.known.field
    return layer if field is None else _placed(layer, field, size)


def _parameters(adapter: Adapter, module: nn.Module | None) -> int:
    """How many numbers are learned in a module and below it."""
    if module is None:
        return 0
    return sum(value.numel() for name, value in module.named_parameters() if adapter.is_weight(name))


def _short(number: float) -> float:
    """A whole number as one."""
    return int(number) if number == int(number) else number


def _placed(layer: Layer, field: Field, size: tuple[int, int]) -> Layer:
    """A layer with its receptive field, where its positions have one."""
    if math.isinf(field.stride[0]) or math.isinf(field.stride[1]):
        return layer
    return replace(
        layer,
        stride=(_short(field.stride[0]), _short(field.stride[1])),
        receptive_field=(int(min(field.size[0], size[0])), int(min(field.size[1], size[1]))),
        extent=field.size,
        start=field.start,
        centre=field.centre,
    )
