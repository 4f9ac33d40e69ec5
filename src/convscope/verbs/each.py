"""`convscope.each`: a verb on many pictures, batch by batch; one result after the other."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from itertools import islice
from typing import Any, Literal

from convscope.errors import ConvscopeError, ImageError, InputError, Stopped
from convscope.memory import attempted
from convscope.models.network import Network
from convscope.models.photograph import ImageLike, Photograph
from convscope.models.picture_files import Images, name_of, stream_of
from convscope.models.steady import steady
from convscope.progress import Progress, Watch, keeping, unwatched
from convscope.results.result import Result
from convscope.taps.batching import pictures_at_once
from convscope.verbs.table import VERBS

AT_ONCE = 16
"""Pictures in a batch, at most, unless a number is given."""
Batch = Callable[[Sequence[Photograph]], Sequence[Result]]
"""What a verb does with a batch of pictures that are open."""


@dataclass(frozen=True)
class Skipped:
    """A picture that gave no result. name: its path, or its number; error: why."""

    name: str
    error: ConvscopeError

    def __str__(self) -> str:
        return str(self.error) if self.name in str(self.error) else f"{self.name}: {self.error}"


class Each(Iterator[Result]):
    """The results, one by one, as they are asked for. skipped: the pictures that gave none, by now. total: how many
    there are, those skipped among them; 0 where nobody knows."""

    def __init__(self, results: Iterator[Result], skipped: list[Skipped], total: int) -> None:
        self._results, self.skipped, self.total = results, skipped, total

    def __next__(self) -> Result:
        return next(self._results)


def each(
    verb: Callable[..., Result],
    net: Network,
    images: Images,
    *arguments: Any,
    batch: int | None = None,
    errors: Literal["skip", "raise"] = "skip",
    watch: Watch = unwatched,
    **options: Any,
) -> Each:
    """A verb on many pictures: an iterator of its results, one for each picture, in order.

    verb: such as `cs.explain`; any whose second argument is a picture. images: files, folders, patterns, lists of
    these, pictures, a tensor of several, or an iterator of these (a data loader), which is read as it is needed; see
    `convscope.models.picture_files`. arguments, options: as the verb takes them after the picture. `explain` (by
    methods that say `batched`), `activations` and `predict` run a batch at a time, and give what they give of a single
    picture, to rounding; other verbs one picture at a time.

    batch: pictures at once; as many as fit into memory, at most AT_ONCE, unless given. errors: "skip" leaves a picture
    that cannot be read or used out, and says so in `skipped`; "raise" raises. Only a batch is held in memory: results
    that are not kept are freed.

    Raises InputError, before any picture is opened, for options that cannot be; Stopped on Ctrl-C or Cancel, with the
    picture that was under way as far as it is done, where the verb keeps that.
    """
    name = _name_of(verb)
    if batch is not None and not (isinstance(batch, int) and batch >= 1):
        raise InputError(f"batch is {batch!r}; expected at least 1")
    if errors not in ("skip", "raise"):
        raise InputError(f"errors is {errors!r}; expected 'skip' or 'raise'")
    pictures, total = stream_of(images)
    try:
        given = inspect.signature(verb).bind(net, None, *arguments, **options).arguments
    except TypeError as error:
        raise InputError(f"{name} cannot be called so: {error}") from None
    more = {key: value for key, value in list(given.items())[2:] if key != "options"} | given.get("options", {})
    prepare = VERBS[name].many if name in VERBS else ""
    work: Batch | None = None
    if prepare:
        module, _, function = prepare.partition(":")
        work = getattr(import_module(module), function)(net, **more)
    run = _Run(name, pictures, total, errors == "raise", watch)
    if work is not None:
        run.work, run.open = _steadily(net, work), _opening(net, more.get("fit", "crop"))
        run.size = batch or max(1, min(AT_ONCE, pictures_at_once(net, [], 1, net.spec.hw)))
        run.size = 1 if net.one_at_a_time else run.size
    else:
        run.work = _one_by_one(verb, net, more | run.watching(verb))
    return Each(run.results(), run.skipped, total)


def _name_of(verb: Callable[..., Any]) -> str:
    """The verb's name. Raises InputError for what takes no picture."""
    names = list(inspect.signature(verb).parameters) if callable(verb) else []
    if len(names) < 2 or names[1] not in ("image", "content"):
        given = getattr(verb, "__name__", repr(verb))
        raise InputError(f"each was given {given}; expected a verb whose second argument is a picture, such as explain")
    return str(getattr(verb, "__name__", "verb"))


def _opening(net: Network, fit: Any) -> Callable[[Any], Any]:
    return lambda picture: net.photograph(picture, fit=fit)


def _steadily(net: Network, work: Batch) -> Batch:
    def made(photographs: Sequence[Photograph]) -> Sequence[Result]:
        with steady(net):
            return work(photographs)

    return made


def _one_by_one(verb: Callable[..., Result], net: Network, options: dict[str, Any]) -> Callable[[Sequence[Any]], Any]:
    return lambda pictures: [verb(net, picture, **options) for picture in pictures]


@dataclass
class _Run:
    """The work on all pictures, batch by batch."""

    what: str
    pictures: Iterator[ImageLike | Photograph]
    total: int
    raises: bool
    watch: Watch
    open: Callable[[Any], Any] = lambda picture: picture
    work: Callable[[Sequence[Any]], Sequence[Any]] = list
    size: int = 1
    skipped: list[Skipped] = field(default_factory=list)
    done: int = 0
    partial: Result | None = None

    def watching(self, verb: Callable[..., Any]) -> dict[str, Watch]:
        """The watch for a verb that takes one: its news become a note on the pictures that are done."""

        def heard(news: Progress) -> None:
            of = f" of {news.total}" if news.total else ""
            self.watch(Progress(self.what, self.done, self.total, f"{news.what} {news.done}{of}", news.now))

        return {"watch": heard} if "watch" in inspect.signature(verb).parameters else {}

    def results(self) -> Iterator[Result]:
        """The results, in order."""
        while True:
            with keeping(self._told, lambda: self.partial):
                given = list(enumerate(islice(self.pictures, self.size), self.done))
                results = self._batch(given)
            if not given:
                break
            yield from results
            self.done += len(given)
            told = f"{len(self.skipped)} skipped" if self.skipped else ""
            with keeping(self._told):
                self.watch(Progress(self.what, self.done, self.total, told))
        if not self.done:
            raise ImageError("no picture was given; expected at least one")

    def _told(self) -> str:
        return f"stopped after {self.done} of {self.total or 'the'} pictures"

    def _batch(self, given: Sequence[tuple[int, ImageLike | Photograph]]) -> Sequence[Result]:
        opened: list[tuple[str, Any]] = []
        for number, picture in given:
            try:
                opened.append((name_of(picture, number), self.open(picture)))
            except ImageError as error:
                self._skip(name_of(picture, number), error)
        return self._made(opened)

    def _made(self, opened: Sequence[tuple[str, Any]]) -> list[Result]:
        """The results of pictures that are open, by name; halves the batch where memory runs out, and finds the bad
        ones."""
        if not opened:
            return []
        made: list[Result] = []
        pictures = [picture for _, picture in opened]
        half = len(opened) // 2
        try:
            now = attempted(
                lambda: made.extend(self.work(pictures)), len(opened), f"{self.what} of {len(opened)} pictures"
            )
            if now == len(opened):
                return made
            self.size = min(self.size, now)
        except Stopped as stopped:
            self.partial = stopped.result
            raise
        except ConvscopeError as error:
            if len(opened) == 1:
                if isinstance(error, InputError) and not isinstance(error, ImageError):
                    raise  # the same for every picture: an option, not the picture
                self._skip(opened[0][0], error)
                return []
        return [*self._made(opened[:half]), *self._made(opened[half:])]

    def _skip(self, name: str, error: ConvscopeError) -> None:
        if self.raises:
            raise error
        self.skipped.append(Skipped(name, error))
