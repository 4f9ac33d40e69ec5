"""`convscope.compare`: maps of several methods, targets and networks beside each other, on scales that they share."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
import torch

from convscope.attribution.cam import enlarge
from convscope.attribution.method import Method, methods_of, names, with_seed
from convscope.errors import ConvscopeError, InputError, Stopped
from convscope.memory import memory_watched
from convscope.models.fitting import Fit
from convscope.models.network import Network
from convscope.models.photograph import ImageLike, Photograph, listed
from convscope.objectives.units import Logit
from convscope.options import MOST_SEED, About, check_given, plain_number
from convscope.progress import Progress, Watch, keeping, unwatched
from convscope.results.board import Board
from convscope.results.heatmap import Heatmap
from convscope.results.heatmap_facts import class_name
from convscope.verbs.calls import counted, recipe_of
from convscope.verbs.explain import COARSE, explain
from convscope.verbs.question import GivenMethod, Question, Target, question_of
from convscope.verbs.verb import verb

Scale = Literal["method", "all", "network", "each", "rank"]
USUAL = ("grad_cam", "integrated_gradients", "occlusion")
MOST_MAPS = 200


@memory_watched("compare")
@verb
def compare(
    net: Network | Sequence[Network],
    image: Annotated[ImageLike | Photograph, About("the photograph")],
    targets: Annotated[
        Target | Sequence[Target] | None, About("those of the columns", unset="the first guesses")
    ] = None,
    *,
    methods: Annotated[
        GivenMethod | Sequence[GivenMethod | Sequence[GivenMethod]],
        About("the methods of the rows, each with its options: 'occlusion patch=16 stride=8'"),
    ] = USUAL,
    titles: Annotated[
        Sequence[str] | None, About("what the methods are called", unset="each method's title and options")
    ] = None,
    guesses: Annotated[int, About("where no target is given: so many first guesses of the first network", 1, 20)] = 3,
    scale: Annotated[Scale, About("which maps share a scale; rank tells the share of colder pixels")] = "method",
    fit: Annotated[Fit, About("how the picture is brought to each network's size")] = "crop",
    seed: Annotated[int, About("of what is random, in methods that are given none", 0, MOST_SEED)] = 0,
    watch: Watch = unwatched,
    **options: Any,
) -> Board:
    """A board of heatmaps: a row for each method (and network), a column for each target.

    net: a network, or several that see the same part of the picture. targets: as for `explain`, for all networks; a
    class is found in each by its name. methods: each a value, a name, or a line with options, as for `explain`; a
    method may be a list, too: one for each network. options: of methods, by name: patch=16 is for each method that
    takes a patch and was given none.

    Maps are unscaled. scale: "method": those of a method are drawn on one scale, so that a dim map is a weak one;
    "network": those of a method and a network; "all": every map, which only makes sense for methods of one unit;
    "each": each on its own; "rank": every pixel by the share of pixels of its map that are colder, for methods of
    different units.

    Returns `maps` (`networks methods targets h w`, at the first network's size), `values` (`networks targets`) and
    `image`; `save("board.html")` gives a page with a linked pointer. Raises InputError for what does not fit together,
    before any work where it can be told; Stopped on Ctrl-C or Cancel, with the methods that are done.
    """
    nets: list[Any] = listed(net)
    if not nets or not all(isinstance(one, Network) for one in nets):
        raise InputError("no network was given; expected one or several, as load_model gives them")
    check_given(compare, {"guesses": guesses, "scale": scale, "fit": fit, "seed": seed})
    some: Any = methods
    given: list[Any] = [some] if _is_one(some) else list(some)
    if not given:
        raise InputError(f"no method was given; there are {', '.join(names())}")
    photographs = [one.photograph(image, fit=fit) for one in nets]
    fit = photographs[0].record.get("fit", fit)  # of a Photograph that was given ready
    _check_views(nets, fit)
    board = _Comparison(nets, photographs, fit, scale, [] if titles is None else list(titles))
    if titles is not None and len(board.titles) != len(given):
        raise InputError(
            f"{counted(len(board.titles), 'title')} for {counted(len(given), 'method')}; expected one each"
        )
    rows = [_by_network(one, nets) for one in given]
    asked = iter(methods_of([one for row in rows for one in row], options))
    board.ask(
        [[next(asked) for _ in row] for row in rows], [plain_number(one) for one in listed(targets)], guesses, seed
    )
    with keeping(board.told, board.result):
        board.run(watch)
    result = board.result()
    assert result is not None
    return result


def _is_one(given: Any) -> bool:
    """Whether a method is given, and not several."""
    return isinstance(given, str | Method | Mapping) or not isinstance(given, Iterable)


def _by_network(given: Any, nets: Sequence[Network]) -> Sequence[GivenMethod]:
    """A method for each of the networks."""
    if _is_one(given):
        return [given] * len(nets)
    several = list(given)
    if len(several) != len(nets):
        raise InputError(f"{counted(len(several), 'method')} in a row for {counted(len(nets), 'network')}")
    return several


def _check_views(nets: Sequence[Network], fit: Fit) -> None:
    """Raises InputError where networks would see different parts of the picture."""
    height, width = nets[0].spec.hw
    if fit != "stretch" and any(one.spec.height * width != one.spec.width * height for one in nets):
        told = ", ".join(f"{one.name} {one.spec.height}x{one.spec.width}" for one in nets)
        raise InputError(f"the networks' inputs have different proportions ({told}): give fit='stretch'")


@contextmanager
def _named(net: Network, nets: Sequence[Network]) -> Iterator[None]:
    """Within it, errors say which of several networks they are of."""
    try:
        yield
    except ConvscopeError as error:
        if isinstance(error, Stopped) or len(nets) == 1 or str(error).startswith(net.name):
            raise
        raise InputError(f"{net.name}: {error}") from None


def _known(net: Network, aim: Logit) -> bool:
    try:
        aim.bind(net)
    except ConvscopeError:
        return False
    return True


@dataclass
class _Comparison:
    """The maps of one call, row by row. questions: by method, network and target."""

    nets: Sequence[Network]
    photographs: Sequence[Photograph]
    fit: Fit
    scale: Scale
    titles: list[str]
    targets: Sequence[Target | None] = ()
    questions: list[list[list[Question]]] = field(default_factory=list)
    maps: list[list[list[Heatmap]]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def ask(self, methods: Sequence[Sequence[Method]], targets: Sequence[Target], guesses: int, seed: int) -> None:
        """Settle what is asked, before any map is made.

        Without targets it is the first guesses that all networks know; one column without a target where no method
        takes one. Raises InputError for a target or an option that one of the networks does not have.
        """
        rows = [[with_seed(method, seed) for method in row] for row in methods]
        self.titles = self.titles or [row[0].label for row in rows]
        targeted = any(method.targeted for row in rows for method in row)
        if targets and not targeted:
            raise InputError(f"{rows[0][0].name} is the same for every target: leave the targets out")
        if targeted:
            wanted: list[Target | None] = [*(targets or self._guessed(guesses))]
            self.targets = wanted
        else:
            wanted = [None]
        if (total := len(self.nets) * len(rows) * len(wanted)) > MOST_MAPS:
            raise InputError(f"the board would have {total} maps; expected at most {MOST_MAPS}")
        for row in rows:
            asked: list[list[Question]] = []
            for net, photograph, method in zip(self.nets, self.photographs, row, strict=True):
                with _named(net, self.nets):
                    several = [question_of(net, one if method.targeted else None, method) for one in wanted]
                    asked.append([one.on(photograph, self.fit) for one in several])
            self.questions.append(asked)

    def _guessed(self, count: int) -> list[str]:
        """The first guesses of the first network that all networks know."""
        wanted, unknown = [], []
        for guess in self.nets[0].predict(self.photographs[0], top=count)[0]:
            same = all(one.labels.name(guess.index) == guess.label for one in self.nets)
            aim = Logit(guess.index) if same else Logit(guess.label)
            if all(_known(one, aim) for one in self.nets):
                wanted.append(str(aim))
            else:
                unknown.append(guess.label)
        if unknown:
            self.notes.append(f"left out, as not every network has one class of that name: {', '.join(unknown)}")
        if not wanted:
            raise InputError("the networks have no class in common among the first guesses: name the targets")
        return wanted

    def run(self, watch: Watch) -> None:
        """Make the maps, method by method."""
        total, done = sum(len(row) for rows in self.questions for row in rows), 0
        for rows in self.questions:
            made: list[list[Heatmap]] = []
            for net, photograph, row in zip(self.nets, self.photographs, rows, strict=True):
                maps: list[Heatmap] = []
                for question in row:
                    if question.method.targeted or not maps:
                        with _named(net, self.nets):
                            maps.append(explain(net, photograph, question.objective, question.method))
                    else:
                        maps.append(maps[0])
                    done += 1
                    watch(Progress("comparing", done, total, f"{question.method.title}, {net.name}"))
                made.append(maps)
            self.maps.append(made)

    def told(self) -> str:
        """How far it is, in words."""
        return f"stopped after {len(self.maps)} of {counted(len(self.questions), 'method')}"

    def result(self) -> Board | None:
        """The board of the methods that are done; None before the first."""
        if not self.maps:
            return None
        result = self.maps
        methods = [rows[0][0].method for rows in self.questions[: len(result)]]
        if not any(method.targeted for method in methods):
            result = [[row[:1] for row in rows] for rows in result]
        stopped = len(result) < len(self.questions)
        heads = result[min(range(len(methods)), key=lambda m: (not methods[m].targeted, methods[m].asks_probability))]
        size = self.photographs[0].pixels.shape[:2]
        maps = [
            [[_sized(one.arrays["map"], size) for one in rows[n]] for rows in result] for n in range(len(self.nets))
        ]
        notes = [*self.notes, *([f"{self.told()}: replay makes all of them"] if stopped else [])]
        notes += [note for rows in result for row in rows for one in row for note in one.notes]
        return Board(
            {
                "maps": np.array(maps, dtype=np.float32),
                "values": np.array([[one.arrays.get("score", np.nan) for one in row] for row in heads], np.float32),
                "image": result[0][0][0].arrays["image"],
            },
            Board.needs,
            recipe_of(
                "compare",
                self.nets,
                self._options(),
                {"image": self.photographs[0]},
                notes=tuple(dict.fromkeys(notes)),
                stopped=stopped,
            ),
            self._facts(result, heads),
        )

    def _options(self) -> dict[str, Any]:
        """The options of the call, with nothing left open."""
        per_network = [[row[0].method for row in rows] for rows in self.questions]
        return {
            "targets": [target if isinstance(target, int) else str(target) for target in self.targets],
            "methods": [row[0] if len(row) == 1 else row for row in per_network],
            "titles": self.titles,
            "scale": self.scale,
            "fit": self.fit,
        }

    def _facts(self, found: list[list[list[Heatmap]]], heads: list[list[Heatmap]]) -> dict[str, Any]:
        columns = range(len(heads[0]))
        methods = [
            {
                "title": label,
                "method": rows[0][0].facts.method,
                "about": _about(questions[0][0].method, rows),
                "display": rows[0][0].display,
                "from_lowest": questions[0][0].method.from_lowest,
            }
            for label, questions, rows in zip(self.titles, self.questions, found, strict=False)
        ]
        of = f", {counted(len(self.nets), 'network')}" if len(self.nets) > 1 else f" of {self.nets[0].name}"
        return {
            "networks": [one.name for one in self.nets],
            "methods": methods,
            "titles": [" / ".join(dict.fromkeys(_title(row[t]) for row in heads)) for t in columns],
            "shares": [[_share(row[t]) for row in heads] for t in columns],
            "targets": [one.facts.target for one in heads[0]],
            "scale": self.scale,
            "title": f"{counted(len(methods), 'method')}, {counted(len(columns), 'target')}{of}",
        }


def _about(method: Method, rows: Sequence[Sequence[Heatmap]]) -> str:
    """What the maps of a method tell: its own words, unless they are not true of some of them."""
    maps = [one.facts.about for row in rows for one in row]
    told = [about for about in maps if about not in (COARSE, method.about)]
    if not told:
        return method.about
    return f"{told[0]}{', one of the maps' if len(maps) > 1 else ''}"


def _title(heatmap: Heatmap) -> str:
    return (
        class_name(heatmap.facts.label)
        if heatmap.facts.label
        else heatmap.facts.name
        if heatmap.facts.value is not None
        else heatmap.facts.title
    )


def _share(heatmap: Heatmap) -> str:
    """What a network says of a target: a class's probability, or the value."""
    if heatmap.facts.probability is not None:
        return f"{100 * heatmap.facts.probability:.1f} %"
    return f"{float(heatmap.arrays['score']):.3g}"


def _sized(heat: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A map at the size of another network's picture; between its own least and greatest value."""
    if heat.shape == size:
        return heat.astype(np.float32)
    return enlarge(torch.from_numpy(heat.astype(np.float32))[None], size)[0].numpy()
