"""From a verb's typed signature to a command: its options and the common ones."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast, get_origin

import typer

from convscope.cli.look import OPTIONS, OTHERWISE, Look
from convscope.cli.look import PICTURE as PICTURE
from convscope.cli.progress import Watcher
from convscope.cli.telling import Outcome as Outcome
from convscope.cli.telling import carry_out
from convscope.errors import InputError, Stopped
from convscope.models.catalogue import known_sources
from convscope.options import Field, fields_of, numbers_of
from convscope.results.result import Result
from convscope.verbs.presets import Preset

DEFAULT_MODEL = "efficientnet_lite0"
NETWORK = ("model", "weights", "labels", "input", "range", "mean", "std", "order", "scores", "device", "trust")
"""What commands share that load a network."""
DRAWN = (*NETWORK, *PICTURE)
"""What commands share that load a network and write a picture."""
MADE = (*DRAWN, "preview")
"""What commands share that make pictures step by step."""
Made = TypeVar("Made")


@dataclass(frozen=True, kw_only=True)
class Common(Look):
    """The options that the commands share, as far as a command takes them."""

    model: str = DEFAULT_MODEL
    weights: str | None = None
    labels: Path | None = None
    input: str | None = None
    range: str | None = None
    mean: str | None = None
    std: str | None = None
    order: Literal["RGB", "BGR"] | None = None
    scores: str | None = None
    device: str | None = None
    trust: bool = False
    json: bool = False
    preview: Path | None = None

    def load(self, model: str | None = None) -> Any:
        """The network that was asked for, or another with the same options."""
        from convscope.models.class_scores import output_of
        from convscope.models.load import load_model

        return load_model(
            model or self.model,
            input=contract(self.input, self.range, self.mean, self.std, self.order),
            labels=self.labels,
            output=output_of(self.scores),
            weights=self.weights,
            device=self.device,
            trust=self.trust,
        )

    def made(self, verb: Callable[..., Made], *given: Any, save: Callable[[Made], Outcome], **options: Any) -> Outcome:
        """What a verb of long work makes, watched and then saved; also as far as it is when it is stopped."""
        with Watcher(self.preview) as watch:
            try:
                result = verb(*given, watch=watch, **options)
            except Stopped as stopped:
                kept = Outcome() if stopped.result is None else save(cast(Made, stopped.result))
                return replace(kept, stopped=str(stopped))
        return save(result)


def contract(
    size: str | None, range: str | None, mean: str | None, std: str | None, order: str | None = None
) -> dict[str, Any] | None:
    """What was said of a network's input, as load_model takes it. Raises InputError."""
    from convscope.models.stated import stated

    parts: dict[str, Any] = dict(stated(size).parts)
    for name, text in (("range", range), ("mean", mean), ("std", std)):
        if text is not None:
            numbers = _numbers(name, text)
            parts[name] = numbers[0] if len(numbers) == 1 else numbers
    if order is not None:
        parts["order"] = order
    return parts or None


def _numbers(name: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"--{name} is {text!r}; expected numbers with commas, as in 0.485,0.456,0.406") from None


def _complete_model(incomplete: str) -> list[str]:
    return [name for name in known_sources() if name.startswith(incomplete)]


_JSON = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
_DEBUG = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def _of_network(help: str, *names: str, **more: Any) -> Any:
    return typer.Option(*names, help=help, rich_help_panel="The network", **more)


_SHARED: Mapping[str, tuple[Any, Any]] = {
    **OPTIONS,
    "model": (
        Annotated[
            str,
            _of_network("A name, a file, or file.py:function.", "--model", "-m", autocompletion=_complete_model),
        ],
        DEFAULT_MODEL,
    ),
    "weights": (Annotated[str | None, _of_network("FILE of weights for it; 'none' for random ones.")], None),
    "labels": (Annotated[Path | None, _of_network("FILE.txt: the name of a class on each line.")], None),
    "input": (
        Annotated[str | None, _of_network("Size of its pictures: 64, 64x48 (high x wide), 64x64x1 (grey).")],
        None,
    ),
    "range": (Annotated[str | None, _of_network("What black and white become: 0,1 or 0,255 or -1,1.")], None),
    "mean": (Annotated[str | None, _of_network("Then taken off: a number, or one a channel.")], None),
    "std": (Annotated[str | None, _of_network("Then divided by: a number, or one a channel.")], None),
    "order": (
        Annotated[
            Literal["RGB", "BGR"] | None, _of_network("In which order it wants the colours.", case_sensitive=False)
        ],
        None,
    ),
    "scores": (
        Annotated[
            str | None,
            _of_network("Which output holds the class scores: 1, or a name; 'sigmoid' where several may be true."),
        ],
        None,
    ),
    "device": (Annotated[str | None, _of_network("cpu or cuda.")], None),
    "trust": (Annotated[bool, _of_network("Run the code that a file brings.", "--trust")], False),
    "preview": (
        Annotated[Path | None, typer.Option(help="FILE.png: how the pictures stand, written every two seconds.")],
        None,
    ),
}


def command(
    name: str,
    *,
    verb: Callable[..., Any] | None = None,
    shares: Sequence[str] = NETWORK,
    examples: Sequence[str] = (),
    presets: Mapping[str, Mapping[str, Preset]] | None = None,
    methods: bool = False,
) -> Callable[[Callable[..., Outcome]], Any]:
    """Make a command of a handler `handler(common, ..., **options)`, which returns an Outcome.

    verb: the function whose options (those with an About) the command takes; the handler gets them by name.
    methods: whether it takes the options of attribution methods, too; the handler gets those given as `of_method`.
    presets: tables of presets by heading, which the help lists with what each is for and costs.
    shares: which of the common options it takes; --json and --debug come always.
    """

    def decorate(handler: Callable[..., Outcome]) -> Any:
        own = [
            parameter
            for parameter in list(inspect.signature(handler).parameters.values())[1:]
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD and parameter.name != "of_method"
        ]
        taken = {parameter.name for parameter in own}
        options = {key: value for key, value in _fields(verb, methods).items() if key not in taken}
        before = {given.field.about.was: key for key, given in options.items() if given.field.about.was}
        kind = _kind(verb)
        shared: dict[str, tuple[Any, Any]] = {key: _SHARED[key] for key in shares} | {
            "json": (_JSON, False),
            "debug": (_DEBUG, False),
        }

        def call(**given: Any) -> None:
            debug, as_json = given.pop("debug"), given.pop("json")
            common = Common(json=as_json, **{key: given.pop(key) for key in shares})
            file = given.get("out")
            old = {before[key]: given.pop(key) for key in before}
            given |= {key: value for key, value in old.items() if value is not None}

            def work() -> Outcome:
                common.check_look(kind, file)
                return handler(common, **_parsed(given, options, methods))

            carry_out(work, as_json, debug)

        if "picture_scale" in shared and "scale" in options:  # which is the verb's own, and means another thing
            shared["picture_scale"] = OTHERWISE
        typed: dict[str, tuple[Any, Any]] = {key: (given.option(), given.default) for key, given in options.items()}
        typed |= {
            old: (replace(options[key], methods=options[key].methods or ["-"]).option(hidden=True), None)
            for old, key in before.items()
        }
        typed |= shared
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


def _kind(verb: Callable[..., Any] | None) -> type[Result] | None:
    """The kind of result that a verb gives."""
    if verb is None:
        return None
    told = inspect.signature(verb).return_annotation
    return told if isinstance(told, type) and issubclass(told, Result) else Result


def _fields(verb: Callable[..., Any] | None, methods: bool) -> dict[str, "Given"]:
    """The options of a verb, and where it takes them those of attribution methods."""
    result = (
        {}
        if verb is None
        else {name: Given([field]) for name, field in fields_of(verb).items() if not field.positional}
    )
    if methods:
        from convscope.verbs.question import options_of_methods

        for name, takers in options_of_methods().items():
            result.setdefault(name, Given([field for _, field in takers], [method for method, _ in takers]))
    return {name: given for name, given in result.items() if given.kind is not None}


@dataclass(frozen=True)
class Given:
    """An option as the command line has it. fields: of those that take it, which mean much the same by it. methods:
    the attribution methods that these are of; none for an option of the verb."""

    fields: Sequence[Field]
    methods: Sequence[str] = ()

    @property
    def field(self) -> Field:
        return self.fields[0]

    @property
    def default(self) -> Any:
        """What typer shows as the default: nothing for options of methods, whose help says it."""
        return None if self.methods else self.field.default

    @property
    def kind(self) -> Any:
        """The type that typer knows; None for an option that no flag can give."""
        field = self.field
        if field.picture:
            return str | None if field.picture == "one" else list[str] | None
        if field.numbers:
            return str | None
        optional = type(None) in field.members or bool(self.methods)
        if field.choices and get_origin(field.kind) is not Sequence:
            kind: Any = Literal[field.choices]
        else:
            kind = next((plain for plain in (bool, str, int, float) if plain in field.members), None)
        if kind is None or (any(_is_list(member) for member in field.members) and kind is str and not optional):
            return kind
        return kind | None if optional else kind

    def option(self, *, hidden: bool = False) -> Any:
        """The annotation for typer."""
        bounds: dict[str, Any] = {}
        if self.kind in (int, float, int | None, float | None):
            bounds = {"min": self.field.about.least, "max": self.field.about.most}
        panel = "Options of the method" if self.methods else None
        return Annotated[self.kind, typer.Option(help=self.help, hidden=hidden, rich_help_panel=panel, **bounds)]

    @property
    def help(self) -> str:
        """What the option means, which methods take it, and what stands in for it."""
        if not self.methods:
            shown = self.field.about.unset
            return f"{_sentence(self.field.about.text)}." + (f" \\[default: {shown}]" if shown else "")
        meanings: dict[str, dict[str, list[str]]] = {}
        for field, method in zip(self.fields, self.methods, strict=False):
            shown = "yes" if field.stands_in == "true" else field.stands_in
            meanings.setdefault(field.about.text, {}).setdefault(shown, []).append(method)
        return " ".join(_meaning(text, takers) for text, takers in meanings.items())

    def read(self, value: Any) -> Any:
        """The value of what was given on the command line."""
        return numbers_of(value) if self.field.numbers and value is not None else value


def _meaning(text: str, takers: Mapping[str, Sequence[str]]) -> str:
    """What an option means to some methods. takers: the methods by what stands in where it is not given."""
    told = []
    for shown, names in takers.items():
        named = ", ".join(names)
        told.append(f"{named}: default {shown}" if shown else named)
    return f"{_sentence(text)} ({'; '.join(told)})."


def _is_list(kind: Any) -> bool:
    return get_origin(kind) is Sequence


def _sentence(text: str) -> str:
    """The text with a capital, unless it begins with a word that is to be given as it stands."""
    given = text.split()[0][-1] in ",:)" or "(" in text.split()[0]
    return text if given else text[0].upper() + text[1:]


def _parsed(given: dict[str, Any], options: Mapping[str, Given], methods: bool) -> dict[str, Any]:
    """What the handler is given: options read, those of methods by themselves."""
    read = {key: options[key].read(value) if key in options else value for key, value in given.items()}
    if methods:
        of_method = {key: read.pop(key) for key, one in options.items() if one.methods}
        read["of_method"] = {key: value for key, value in of_method.items() if value is not None}
    return read
