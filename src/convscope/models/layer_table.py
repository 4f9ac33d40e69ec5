"""Layers as a table: on the command line, in a notebook, and where Python prints them."""

import html
from collections.abc import Sequence

from convscope.models.layers import Layer

COLUMNS = ("layer", "kind", "output", "params", "stride", "field")
"""field: the receptive field, in pixels of the input."""


def row(layer: Layer) -> tuple[str, ...]:
    """A layer's cells, as COLUMNS names them."""
    return (
        layer.name,
        layer.kind,
        "x".join(map(str, layer.shape)),
        f"{layer.parameters:,}" if layer.parameters else "",
        _pair(layer.stride),
        _pair(layer.receptive_field),
    )


def _pair(pair: tuple[float, float] | None) -> str:
    if pair is None:
        return ""
    return f"{pair[0]:g}" if pair[0] == pair[1] else f"{pair[0]:g}x{pair[1]:g}"


class Layers(tuple[Layer, ...]):
    """The layers of a network, in the order in which they run; printed, they are a table."""

    def __repr__(self) -> str:
        rows = [COLUMNS, *map(row, self)]
        widths = [max(len(cells[i]) for cells in rows) for i in range(len(COLUMNS))]
        return "\n".join(_line(cells, widths) for cells in rows)

    def _repr_html_(self) -> str:
        return table(self)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    left = (
        text.ljust(width) if i < 2 else text.rjust(width)
        for i, (text, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(left).rstrip()


def table(layers: Sequence[Layer]) -> str:
    """The same as HTML."""
    head = "".join(f"<th>{name}</th>" for name in COLUMNS)
    rows = ("".join(f"<td>{html.escape(cell)}</td>" for cell in row(layer)) for layer in layers)
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{cells}</tr>' for cells in rows)}</table>"
