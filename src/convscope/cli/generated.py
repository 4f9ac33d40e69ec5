"""The command of a verb that needs nothing special: from its row in the table and its signature."""

import inspect
from pathlib import Path
from typing import Annotated, Any

import typer

from convscope.cli.arguments import Saved
from convscope.cli.command import DRAWN, MADE, Common, Given, Outcome, command
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
    places = {field.name: Given([field]) for field in fields_of(verb).values() if field.positional}
    watched = "watch" in inspect.signature(verb).parameters

    def handler(common: Common, out: Path | None, **options: Any) -> Outcome:
        by_place = {place: given.read(options.pop(place)) for place, given in places.items()}
        first = next(iter(places))
        file = out or Path(_file(name, places[first].field, by_place[first]))
        check_ending(file)
        net = common.load()
        if watched:
            return common.made(verb, net, *by_place.values(), save=lambda result: common.saved(result, file), **options)
        return common.saved(verb(net, *by_place.values(), **options), file)

    keyword = inspect.Parameter.KEYWORD_ONLY
    own = [inspect.Parameter("common", keyword)]
    for place, given in places.items():
        if given.default is NEEDED:
            kind: Any = given.kind
            asked: Any = Annotated[kind, typer.Argument(help=given.help)]
            own.append(inspect.Parameter(place, keyword, annotation=asked))
        else:
            own.append(inspect.Parameter(place, keyword, annotation=given.option(), default=given.default))
    own.append(inspect.Parameter("out", keyword, annotation=Saved, default=None))
    own.append(inspect.Parameter("options", inspect.Parameter.VAR_KEYWORD))
    handler.__signature__ = inspect.Signature(own)  # type: ignore[attr-defined]
    handler.__doc__ = VERBS[name].summary
    shares = MADE if watched else DRAWN
    return command(name, verb=verb, shares=shares, examples=VERBS[name].examples)(handler)


def _file(verb: str, field: Field, value: Any) -> str:
    if field.picture:
        return f"{Path(value if isinstance(value, str) else value[0]).stem}-{verb}.png"
    return f"{verb}-{file_name(str(value))}.png"
