"""The command of a verb that needs nothing special: from its row in the table and its signature."""

import inspect
from pathlib import Path
from typing import Annotated, Any

import typer

from convscope.cli.arguments import Saved
from convscope.cli.command import MADE, Common, Outcome, command
from convscope.cli.telling import saved
from convscope.options import NEEDED, Field, fields_of
from convscope.results.files import check_ending
from convscope.results.result import file_name
from convscope.verbs.calls import function_of
from convscope.verbs.table import VERBS


def command_of(name: str) -> Any:
    """The command of a verb: its needed arguments by place, the others as options, one result saved to --out.

    The file is called after the first argument, unless --out names it.
    """
    verb = function_of(name)
    fields = [field for field in fields_of(verb).values() if field.positional]
    watched = "watch" in inspect.signature(verb).parameters

    def handler(common: Common, out: Path | None, **given: Any) -> Outcome:
        by_place = [given.pop(field.name) for field in fields]
        file = out or Path(_file(name, fields[0], by_place[0]))
        check_ending(file)
        net = common.load()
        if watched:
            return common.made(verb, net, *by_place, save=lambda result: saved(result, file), **given)
        return saved(verb(net, *by_place, **given), file)

    keyword = inspect.Parameter.KEYWORD_ONLY
    own = [
        inspect.Parameter("common", keyword),
        *(
            inspect.Parameter(field.name, keyword, annotation=_asked(field), default=_default(field))
            for field in fields
        ),
        inspect.Parameter("out", keyword, annotation=Saved, default=None),
        inspect.Parameter("options", inspect.Parameter.VAR_KEYWORD),
    ]
    handler.__signature__ = inspect.Signature(own)  # type: ignore[attr-defined]
    handler.__doc__ = VERBS[name].summary
    shares = MADE if watched else MADE[:-1]
    return command(name, verb=verb, shares=shares, examples=VERBS[name].examples)(handler)


def _asked(field: Field) -> Any:
    """How the command line asks for an argument."""
    kind: Any = next((plain for plain in (str, int, float) if plain in field.members), str)
    kind = list[str] if field.picture == "several" else kind
    text = f"{field.about.text[0].upper()}{field.about.text[1:]}."
    if field.default is NEEDED:
        return Annotated[kind, typer.Argument(help=text)]
    stands_in = f" \\[default: {field.about.unset}]" if field.about.unset else ""
    return Annotated[kind | None, typer.Option(help=text + stands_in)]


def _default(field: Field) -> Any:
    return inspect.Parameter.empty if field.default is NEEDED else field.default


def _file(verb: str, field: Field, value: Any) -> str:
    if field.picture:
        return f"{Path(value if isinstance(value, str) else value[0]).stem}-{verb}.png"
    return f"{verb}-{file_name(str(value))}.png"
