"""`convscope layers`."""

from typing import Any

from rich.table import Table

from convscope.cli.command import Common, Outcome, command
from convscope.models.layer_table import COLUMNS, row


@command(
    "layers",
    examples=["layers", "layers --model keras:VGG16 --weights none", "layers --json | python -m json.tool"],
)
def main(common: Common) -> Outcome:
    """Every layer of a network, in the order in which it runs.

    Field is the receptive field: the pixels that one position sees. A star marks the layer at which answers are
    explained unless another is named.
    """
    net = common.load()
    recommended = net.recommended_layer().name
    table = Table(box=None, pad_edge=False, header_style="dim")
    rows: list[tuple[str, ...]] = []
    for layer in net.layers():
        name, *others = row(layer)
        rows.append((name + (" *" if layer.name == recommended else ""), *others))
    for i, title in enumerate(COLUMNS):
        # Where the terminal is narrow the kind is shortened, never a name or a number.
        widest = None if title == "kind" else max(len(title), *(len(cells[i]) for cells in rows))
        table.add_column(title, justify="left" if i < 2 else "right", no_wrap=True, min_width=widest)
    for layer, cells in zip(net.layers(), rows, strict=True):
        table.add_row(*cells, style="dim" if layer.container else "")
    adapter = net.adapter
    total = sum(value.numel() for name, value in adapter.root.named_parameters() if adapter.is_weight(name))
    height, width = net.spec.hw
    headline = f"{net.name}: {total:,} parameters, {net.spec.channels}x{height}x{width} in, {net.note or 'a module'}"
    data = {
        "network": net.name,
        "parameters": total,
        "input": net.spec.describe(),
        "recommended": recommended,
        "layers": [_described(layer) for layer in net.layers()],
    }
    notes = [net.spec.warning] if net.spec.warning else []
    return Outcome(data=data, shown=[headline, table], notes=notes)


def _described(layer: Any) -> dict[str, Any]:
    names = (
        "name",
        "kind",
        "channels",
        "shape",
        "parameters",
        "stride",
        "receptive_field",
        "start",
        "centre",
        "container",
    )
    return {name: getattr(layer, name) for name in names}
