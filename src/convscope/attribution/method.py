"""What an attribution method is: a frozen value with its options, which explains a picture."""

import shlex
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from convscope.attribution.table import METHODS
from convscope.errors import InputError, UnknownNameError
from convscope.models.network import Network
from convscope.models.photograph import ImageLike, Photograph
from convscope.objectives.expression import Objective
from convscope.objectives.units import Logit
from convscope.options import Field, by_present_name, fields_of, text_of, unknown_option
from convscope.progress import Progress, Watch, unwatched
from convscope.taps.record import Recording, record
from convscope.taps.tap import SCORES_TAP

Display = Literal["region", "fine", "coloured"]
"""How maps are shown: laid on the picture; pixel by pixel beside it; or that and the attribution in colours, too."""


@dataclass(frozen=True)
class Job:
    """What is explained: a network, a picture `1 c h w` in [0,1], and a bound objective (None: the first guess)."""

    net: Network
    picture: Float[Tensor, "1 c h w"]
    objective: Objective | None
    watch: Watch = unwatched

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the picture."""
        return self.picture.shape[-2], self.picture.shape[-1]

    def progress(self, what: str, done: int, total: int, figure: str = "") -> None:
        """So many of a total are done; the total is 0 where it cannot be known. May raise Cancel."""
        self.watch(Progress(what, done, max(done, total) if total else 0, figure))

    def settled(self) -> tuple[Objective, Tensor | None]:
        """The objective, and the class scores where it reads them; one forward pass where it does."""
        if self.objective is not None and SCORES_TAP not in self.objective.taps():
            return self.objective, None
        with torch.no_grad():
            recording = record(self.net, self.picture, [SCORES_TAP])
        return first_guess_of(self.objective, recording), recording.scores


def first_guess_of(objective: Objective | None, recording: Recording) -> Objective:
    """The objective, or where there is none the class that the network names first for the first picture."""
    return Logit(int(recording.scores[0].argmax())) if objective is None else objective


@dataclass(frozen=True)
class Attribution:
    """What a method found.

    objective: what was explained, bound. value: its value; None where there was none to compute. map: `h w`, of the
    picture's size or coarser, unscaled. scores: of the classes, where they were computed. coarse: the map at its own
    resolution, where `map` is not that. pixels: by channel of the picture, `c h w`, where the method has such. arrays,
    facts: further ones that the result holds. notes: what a reader has to know. about: what this map tells, where the
    method's own `about` would not be true of it. done: how far it is, such as "12 of 225 positions"; empty where it is
    whole.
    """

    objective: Objective
    value: float | None
    map: Tensor
    scores: Tensor | None = None
    coarse: np.ndarray | None = None
    pixels: Tensor | None = None
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    about: str = ""
    done: str = ""


@dataclass(frozen=True, kw_only=True)
class Method(ABC):
    """A way to explain, with its options as fields: each `Annotated[type, About(...)]`.

    A subclass says what it is in its class line (name, title, display) and in the class variables below. Nothing else
    in convscope knows a method by its name.
    """

    name: ClassVar[str] = ""
    title: ClassVar[str] = ""
    display: ClassVar[Display] = "region"
    about: ClassVar[str] = ""
    """What its maps tell, in a few words."""
    caveat: ClassVar[str] = ""
    """What a reader of any of its maps has to know."""
    targeted: ClassVar[bool] = True
    """Whether the target makes a difference."""
    adds_up: ClassVar[bool] = False
    """Whether the attributions sum to the target's value less that on the neutral colour."""
    coarse: ClassVar[bool] = False
    """Whether its maps tell no more than the region where the layer has few positions."""
    layer_optional: ClassVar[bool] = False
    """Whether it looks at the picture, and at a layer only where one is given."""
    strongest_is_mean: ClassVar[bool] = False
    """Whether "strongest(layer)" stands for the mean of the channel rather than its greatest activation."""
    asks_probability: ClassVar[bool] = False
    """Whether it explains a class's probability in place of its logit."""
    gives_winners: ClassVar[bool] = False
    """Whether it tells which class is named first where."""
    from_lowest: ClassVar[bool] = False
    """Whether its scale begins at the least value of a map and not at zero."""
    picture_options: ClassVar[Mapping[str, Callable[[str], bool]]] = {}
    """The options that take a photograph too, and whether a text is a word of theirs and never a path."""
    batched: ClassVar[bool] = False
    """Whether several pictures cost less together: `run_batch`."""

    def __init_subclass__(cls, *, name: str = "", title: str = "", display: Display | None = None) -> None:
        super().__init_subclass__()
        if not name:
            return
        cls.name, cls.title, cls.display = name, title or name, display or cls.display
        home = METHODS.get(name)
        if home is not None and cls.__module__ != _module(home):
            raise InputError(f"a method named {name!r} is there already: give {cls.__name__} another name")
        if home is None:
            _DEFINED[name] = cls

    def __post_init__(self) -> None:
        for name in self.options():
            object.__setattr__(self, name, self.checked(name, getattr(self, name)))

    @classmethod
    def checked(cls, option: str, value: Any) -> Any:
        """An option's value as it is used. Raises InputError, saying of which method it is."""
        try:
            return cls.options()[option].taken(value)
        except InputError as error:
            raise InputError(f"{cls.name}: {error}") from None

    def resolved(self, net: Network, objective: Objective | None) -> "Method":
        """The method with nothing left open: what stands in for options that were not given is filled in.

        objective: what will be explained, None for the first guess. This is what a recipe holds. Raises InputError,
        before any work, for what the network cannot do.
        """
        return self

    @abstractmethod
    def run(self, job: Job) -> Iterator[Attribution]:
        """Explain: ever better attributions, the last of which is the answer. It catches no interruption."""

    def run_batch(
        self, net: Network, pictures: Float[Tensor, "n c h w"], objectives: Sequence[Objective | None]
    ) -> list[Attribution]:
        """Explain several pictures at once, each for its objective; of a resolved method that is `batched`."""
        raise NotImplementedError(f"{self.name} explains one picture at a time")

    def repeatable(self, facts: Mapping[str, Any]) -> "Method":
        """The method, asked to do as much work again as when it gave these facts."""
        return self

    def pictures(self) -> dict[str, ImageLike | Photograph]:
        """Its options that are photographs, by name; they are opened before it is resolved."""
        return {
            name: value
            for name, is_word in self.picture_options.items()
            if _is_picture(value := getattr(self, name), is_word)
        }

    @classmethod
    def options(cls) -> Mapping[str, Field]:
        """What it takes."""
        return fields_of(cls)

    def given(self) -> dict[str, Any]:
        """Its options by name."""
        return {name: getattr(self, name) for name in self.options()}

    def to_dict(self) -> dict[str, Any]:
        """The method as plain JSON: its name and every option. `method_of` is the inverse."""
        return {"name": self.name, **{name: _plain(value) for name, value in self.given().items()}}

    @property
    def text(self) -> str:
        """The method as a line: its name, and the options that are not the default ones. `method_of` reads it."""
        words = [f"{name}={_text(value)}" for name, value in self._own().items()]
        return shlex.join([self.name, *words])

    @property
    def label(self) -> str:
        """Its title, with the options that are not the default ones."""
        words = [f"{name}={_text(value)}" for name, value in self._own().items()]
        return f"{self.title} ({' '.join(words)})" if words else self.title

    def _own(self) -> dict[str, Any]:
        fields = self.options()
        return {n: value for n, value in self.given().items() if value is not None and value != fields[n].default}

    def __str__(self) -> str:
        return self.text


def _is_picture(value: Any, is_word: Callable[[str], bool]) -> bool:
    if isinstance(value, str):
        return not is_word(value) and Path(value).is_file()
    return value is not None and not isinstance(value, float | int)


_DEFINED: dict[str, type[Method]] = {}
"""Methods that were defined outside convscope, by name."""


def _module(home: str) -> str:
    return f"convscope.attribution.{home.partition(':')[0]}"


def names() -> list[str]:
    """The names of all methods: convscope's own, then those defined elsewhere."""
    return [*METHODS, *_DEFINED]


def method_class(name: str) -> type[Method]:
    """The class of a method. Raises UnknownNameError."""
    if name in METHODS:
        home = METHODS[name]
        result: type[Method] = getattr(import_module(_module(home)), home.partition(":")[2])
        return result
    if name not in _DEFINED:
        raise UnknownNameError("method", name, names(), "A method of your own has to be imported first")
    return _DEFINED[name]


def methods() -> list[type[Method]]:
    """All methods: convscope's own, then those defined elsewhere."""
    return [method_class(name) for name in names()]


def method_of(given: Method | str | Mapping[str, Any], options: Mapping[str, Any] | None = None) -> Method:
    """A method from what a caller gives: a value, its name, a line such as "occlusion patch=16", or to_dict.

    options: further ones by name; None stands for one that is not given. Raises UnknownNameError for a method that is
    not there, InputError for an option that it does not take or that cannot be.
    """
    if isinstance(given, Method):
        kind, own = type(given), given.given()
    elif isinstance(given, Mapping):
        own = dict(given)
        kind = method_class(str(own.pop("name", "")))
    elif isinstance(given, str):
        kind, own = _read(given)
    else:
        raise InputError(
            f"the method is {given!r}; expected a name, such as 'grad_cam', or a value, such as Occlusion()"
        )
    more = {name: value for name, value in (options or {}).items() if value is not None}
    fields = kind.options()
    taken = by_present_name(fields, own) | by_present_name(fields, more)
    taken = {name: method_of(value) if isinstance(value, Mapping) else value for name, value in taken.items()}
    for name in taken:
        if name not in fields:
            takers = [other for other in names() if _takes(other, name)]
            raise unknown_option(name, kind.name, list(fields), takers)
    return kind(**{name: kind.checked(name, value) for name, value in taken.items()})


def methods_of(several: Sequence[Method | str | Mapping[str, Any]], options: Mapping[str, Any]) -> list[Method]:
    """Methods from what a caller gives, as `method_of`. options: further ones by name, each for all methods that take
    it and have its default; None stands for one that is not given.

    Raises InputError also for an option that none of them takes.
    """
    more = {name: value for name, value in options.items() if value is not None}
    plain = [method_of(one) for one in several]
    for name in more:
        if not any(_takes(one.name, name) for one in plain):
            takers = [other for other in names() if _takes(other, name)]
            raise unknown_option(name, ", ".join(one.name for one in plain), [], takers)
    return [method_of(one, {name: value for name, value in more.items() if _lacks(one, name)}) for one in plain]


def _lacks(method: Method, option: str) -> bool:
    """Whether a method takes an option and has the default of it."""
    fields = method.options()
    present = next(iter(by_present_name(fields, {option: None})))
    return present in fields and getattr(method, present) == fields[present].default


def _takes(method: str, option: str) -> bool:
    fields = method_class(method).options()
    return option in fields or any(option == field.about.was for field in fields.values())


def _read(text: str) -> tuple[type[Method], dict[str, Any]]:
    """A method's class and options from a line."""
    try:
        name, *words = shlex.split(text) or [""]
    except ValueError as error:
        raise InputError(f"the method {text!r} cannot be read: {error}") from None
    kind = method_class(name)
    fields = kind.options()
    options: dict[str, Any] = {}
    for word in words:
        key, equals, value = word.partition("=")
        present = next(iter(by_present_name(fields, {key: value})))
        if not equals or present not in fields:
            takes = ", ".join(fields) or "none"
            raise InputError(f"{word!r} is no option of {name}; expected some of {takes}, such as 'occlusion patch=16'")
        options[present] = fields[present].read(value)
    return kind, options


def _plain(value: Any) -> Any:
    """An option's value as plain JSON; a photograph as the word that stands for one."""
    if isinstance(value, Method):
        return value.to_dict()
    if isinstance(value, tuple):
        return list(value)
    return value if value is None or isinstance(value, bool | int | float | str) else PHOTOGRAPH


def _text(value: Any) -> str:
    return value.text if isinstance(value, Method) else text_of(_plain(value))


PHOTOGRAPH = "photograph"
"""What an option says whose picture is among the inputs of a call."""


def with_seed(method: Method, seed: int | None) -> Method:
    """The method with a seed, where it takes one and none but the default was given."""
    field_ = method.options().get("seed")
    if field_ is None or seed is None or getattr(method, "seed", None) != field_.default:
        return method
    return replace(method, seed=seed)  # type: ignore[call-arg]
