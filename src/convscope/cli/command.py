"""From a verb's typed signature to a command: its options and the common ones."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import typer

from convscope.cli.progress import Watcher
from convscope.cli.telling import Outcome as Outcome
from convscope.cli.telling import carry_out
from convscope.errors import Stopped
from convscope.models.catalogue import known_sources
from convscope.options import About, numbers_of
from convscope.verbs.presets import Preset

DEFAULT_MODEL = "efficientnet_lite0"
MADE = ("model", "weights", "device", "trust", "preview")
"""What commands share that make pictures step by step."""
Made = TypeVar("Made")


@dataclass(frozen=True)
class Common:
    """The options that the commands share."""

    model: str
    weights: str | None
    device: str | None
    trust: bool
    json: bool
    preview: Path | None

    def load(self) -> Any:
        """The network that was asked for."""
        from convscope.models.load import load_model

        return load_model(self.model, weights=self.weights, device=self.device, trust=self.trust)

    def made(self, verb: Callable[..., Made], *given: Any, save: Callable[[Made], Outcome], **options: Any) -> Outcome:
        """What a verb of long work makes, watched and then saved; also as far as it is when it is stopped."""
        with Watcher(self.preview) as watch:
            try:
                result = verb(*given, watch=watch, **options)
            except Stopped as stopped:
                kept = Outcome() if stopped.result is None else save(cast(Made, stopped.result))
                return replace(kept, stopped=str(stopped))
        return save(result)


def _complete_model(incomplete: str) -> list[str]:
    return [name for name in known_sources() if name.startswith(incomplete)]


_JSON = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
_DEBUG = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
_TRUST = Annotated[bool, typer.Option("--trust", help="Let a network's file run its own code.")]
_SHARED = {
    "model": (
        Annotated[
            str,
            typer.Option(
                "--model",
                "-m",
                help="A name or a file; see convscope models.",
                autocompletion=_complete_model,
            ),
        ],
        DEFAULT_MODEL,
    ),
    "weights": (Annotated[str | None, typer.Option(help="'none' for random weights; for Keras also a file.")], None),
    "device": (Annotated[str | None, typer.Option(help="cpu or cuda.")], None),
    "trust": (_TRUST, False),
    "preview": (
        Annotated[Path | None, typer.Option(help="FILE.png: how the pictures stand, written every two seconds.")],
        None,
    ),
}


def command(
    name: str,
    *,
    verb: Callable[..., Any] | None = None,
    shares: Sequence[str] = ("model", "weights", "device", "trust"),
    examples: Sequence[str] = (),
    presets: Mapping[str, Mapping[str, Preset]] | None = None,
) -> Callable[[Callable[..., Outcome]], Any]:
    """Make a command of a handler `handler(common, ..., **options)`, which returns an Outcome.

    verb: the function whose options (those with an About) the command takes; the handler gets them by name.
    presets: tables of presets by heading, which the help lists with what each is for and costs.
    shares: which of the common options it takes; --json and --debug come always.
    """

    def decorate(handler: Callable[..., Outcome]) -> Any:
        own = [
            parameter
            for parameter in list(inspect.signature(handler).parameters.values())[1:]
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        taken = {parameter.name for parameter in own}
        options = {key: value for key, value in _verb_options(verb).items() if key not in taken}
        shared: dict[str, tuple[Any, Any]] = {key: _SHARED[key] for key in shares} | {
            "json": (_JSON, False),
            "debug": (_DEBUG, False),
        }

        def call(**given: Any) -> None:
            debug, as_json = given.pop("debug"), given.pop("json")
            common = Common(
                given.pop("model", DEFAULT_MODEL), given.pop("weights", None),
                given.pop("device", None), given.pop("trust", False), as_json,
                given.pop("preview", None),
            )  # fmt: skip
            carry_out(lambda: handler(common, **_parsed(given, options)), as_json, debug)

        typed = {key: (annotation, default) for key, (annotation, default, _) in options.items()} | shared
        keyword = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own] + [
            inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
            for key, (annotation, default) in typed.items()
        ]
        call.__signature__ = inspect.Signature(keyword)  # type: ignore[attr-defined]
        call.__annotations__ = {p.name: p.annotation for p in keyword}
        call.__doc__ = handler.__doc__
        app = typer.Typer(rich_markup_mode="rich", pretty_exceptions_enable=False, add_completion=False)
        told = [f"[dim]$[/dim] convscope {line}" for line in examples]
        for heading, table in (presets or {}).items():
            told.append(f"[bold]{heading}[/bold]")
            told += [f"{key}: {preset.about}; {preset.cost}" for key, preset in table.items()]
        lines = "\n\n".join(told)
        settings = {"help_option_names": ["-h", "--help"]}
        app.command(name, epilog=lines, context_settings=settings)(call)
        return typer.main.get_command(app)

    return decorate


def _verb_options(verb: Callable[..., Any] | None) -> dict[str, tuple[Any, Any, bool]]:
    """The options of a verb as (annotation for typer, default, whether it is a list of numbers)."""
    if verb is None:
        return {}
    hints = get_type_hints(verb, include_extras=True)
    found: dict[str, tuple[Any, Any, bool]] = {}
    for parameter in inspect.signature(verb).parameters.values():
        hint = hints[parameter.name]
        about = next((extra for extra in get_args(hint)[1:] if isinstance(extra, About)), None)
        if about is None or get_origin(hint) is not Annotated:
            continue
        kind, numbers = _plain(get_args(hint)[0])
        bounds = {} if kind not in (int, float, int | None, float | None) else {"min": about.least, "max": about.most}
        option = typer.Option(help=f"{_sentence(about.text)}.", **bounds)  # type: ignore[arg-type]
        found[parameter.name] = (Annotated[kind, option], parameter.default, numbers)
    return found


def _sentence(text: str) -> str:
    """The text with a capital, unless it begins with a word that is to be given as it stands."""
    given = text.split()[0][-1] in ",:)" or "(" in text.split()[0]
    return text if given else text[0].upper() + text[1:]


def _plain(kind: Any) -> tuple[Any, bool]:
    """A type that typer knows, for a type of ours; and whether it is a list of numbers, given as `3,7,10-15`."""
    if get_origin(kind) is Literal or kind in (int, float, str, bool):
        return kind, False
    if get_origin(kind) in (Union, UnionType):
        members = get_args(kind)
        if Sequence[int] in members:
            return str | None, True
        choices = next((member for member in members if get_origin(member) is Literal), None)
        if choices is not None:
            return (choices | None if type(None) in members else choices), False
        for plain in (bool, str, int, float):
            if plain in members:
                return (plain | None if type(None) in members else plain), False
    raise TypeError(f"no command-line form for an option of type {kind}")


def _parsed(given: dict[str, Any], options: dict[str, tuple[Any, Any, bool]]) -> dict[str, Any]:
    return {
        key: numbers_of(value) if key in options and options[key][2] and value is not None else value
        for key, value in given.items()
    }
