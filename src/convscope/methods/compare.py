"""`convscope.compare`: maps of several methods, targets and networks beside each other, on scales that they share."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

import numpy as np

from convscope.errors import InputError, Stopped, UnknownNameError
from convscope.methods.attributions import METHODS
from convscope.methods.calls import counted, describe, recipe_of
from convscope.methods.explain import MethodName, explain
from convscope.methods.options import MOST_SEED, About, check_given
from convscope.models.network import Network
from convscope.models.photograph import Fit, ImageLike, Photograph, listed
from convscope.objectives.expression import Objective
from convscope.progress import Progress, Watch, unwatched
from convscope.render.overlay import whole_heat
from convscope.results.board import Board
from convscope.results.heatmap import Heatmap

Target = Objective | str | int
Scale = Literal["method", "all", "network", "each", "rank"]
USUAL = ("grad_cam", "integrated_gradients", "occlusion")
MOST_MAPS = 200


@dataclass(frozen=True)
class _Way:
    """A method, and the options given with it."""

    method: MethodName
    options: Mapping[str, Any]

    @property
    def text(self) -> str:
        return " ".join([self.method, *(f"{name}={value}" for name, value in self.options.items())])


def compare(
    net: Network | Sequence[Network],
    image: ImageLike | Photograph,
    targets: Target | Sequence[Target] | None = None,
    *,
    methods: Annotated[
        str | Sequence[str], About("of explain, each with its options: 'occlusion patch=16 stride=8'")
    ] = USUAL,
    guesses: Annotated[int, About("where no target is given: so many first guesses of the first network", 1, 20)] = 3,
    scale: Annotated[Scale, About("which maps share a scale; rank tells the share of colder pixels")] = "method",
    fit: Annotated[Fit, About("how the picture is brought to each network's size")] = "crop",
    seed: Annotated[int, About("of what is random", 0, MOST_SEED)] = 0,
    watch: Watch = unwatched,
) -> Board:
    """A board of heatmaps: a row for each method (and network), a column for each target.

    net: a network, or several that see the same part of the picture. targets: as for `explain`, for all networks; a
    class is found in each by its name. methods: names, or names with options as text.

    Maps are unscaled. scale: "method": those of a method are drawn on one scale, so that a dim map is a weak one;
    "network": those of a method and a network; "all": every map, which only makes sense for methods of one unit;
    "each": each on its own; "rank": every pixel by the share of pixels of its map that are colder, for methods of
    different units.

    Returns `maps` (`networks methods targets h w`, at the first network's size), `values` (`networks targets`) and
    `image`; `save("board.html")` gives a page with a linked pointer. Raises InputError for what does not fit together;
    Stopped on Ctrl-C, without a result.
    """
    nets: list[Any] = listed(net)
    if not nets or not all(isinstance(one, Network) for one in nets):
        raise InputError("no network was given; expected one or several, as load_model gives them")
    ways = [_way(str(text)) for text in listed(methods)]
    if not ways:
        raise InputError(f"no method was given; there are {', '.join(METHODS)}")
    check_given(compare, {"guesses": guesses, "scale": scale, "fit": fit, "seed": seed})
    _check_views(nets, fit)
    photographs = [one.photograph(image, fit=fit) for one in nets]
    wanted = _targets(nets, photographs[0], listed(targets), guesses)
    if (total := len(nets) * len(ways) * len(wanted)) > MOST_MAPS:
        raise InputError(f"the board would have {total} maps; expected at most {MOST_MAPS}")
    found = _maps(nets, photographs, ways, wanted, seed, watch)
    options = {
        "targets": [target if isinstance(target, int) else str(target) for target in wanted],
        "methods": [way.text for way in ways], "guesses": guesses, "scale": scale, "fit": fit, "seed": seed,
        "beside": [describe(one) for one in nets[1:]],
    }  # fmt: skip
    return _board(nets, photographs[0], ways, found, options)


def _way(text: str) -> _Way:
    """A method with its options from text. Raises InputError."""
    name, *words = shlex.split(text) or [""]
    if name not in METHODS:
        raise UnknownNameError("method", name, METHODS)
    options: dict[str, Any] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or key not in METHODS[name].takes:
            takes = ", ".join(METHODS[name].takes)
            raise InputError(f"{word!r} is no option of {name}; expected some of {takes}, such as 'occlusion patch=16'")
        options[key] = _plain(value)
    assert name in get_args(MethodName)
    return _Way(name, options)  # type: ignore[arg-type]


def _plain(text: str) -> Any:
    """A word as the number, or yes or no, that it says."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _check_views(nets: Sequence[Network], fit: Fit) -> None:
    """Raises InputError where networks would see different parts of the picture."""
    shapes = {one.name: one.spec.hw for one in nets}
    first = nets[0].spec.hw
    if fit != "stretch" and any(h * first[1] != w * first[0] for h, w in shapes.values()):
        told = ", ".join(f"{name} {h}x{w}" for name, (h, w) in shapes.items())
        raise InputError(f"the networks' inputs have different proportions ({told}): give fit='stretch'")


def _targets(nets: Sequence[Network], photograph: Photograph, given: Sequence[Target], guesses: int) -> list[Target]:
    """The targets; the first guesses where none is given, by name where all networks know it."""
    if given:
        return [*given]
    found: list[Target] = []
    for guess in nets[0].predict(photograph, top=guesses)[0]:
        same = all(one.labels.name(guess.index) == guess.label for one in nets)
        found.append(f"class:{guess.index}" if same else f"class:{guess.label}")
    return found


def _maps(
    nets: Sequence[Network], photographs: Sequence[Photograph], ways: Sequence[_Way], targets: Sequence[Target],
    seed: int, watch: Watch,
) -> list[list[list[Heatmap]]]:  # fmt: skip
    """The heatmaps, by network, method and target."""
    total, done = len(nets) * len(ways) * len(targets), 0
    found: list[list[list[Heatmap]]] = []
    try:
        for one, photograph in zip(nets, photographs, strict=True):
            found.append([])
            for way in ways:
                row: list[Heatmap] = []
                method = METHODS[way.method]
                options = {"seed": seed, **way.options} if "seed" in method.takes else way.options
                for target in targets:
                    if method.targeted or not row:
                        aim = target if method.targeted else None
                        row.append(_one(one, photograph, aim, way, options, len(nets) > 1))
                    else:
                        row.append(row[0])
                    done += 1
                    watch(Progress("comparing", done, total, f"{method.title}, {one.name}"))
                found[-1].append(row)
    except KeyboardInterrupt:
        raise Stopped(f"stopped after {done} of {total} maps", None) from None
    return found


def _one(
    net: Network, photograph: Photograph, target: Target | None, way: _Way, options: Mapping[str, Any], several: bool
) -> Heatmap:
    try:
        return explain(net, photograph, target, method=way.method, **options)
    except InputError as error:
        raise InputError(f"{net.name}: {error}" if several else str(error)) from None


def _board(
    nets: Sequence[Network], photograph: Photograph, ways: Sequence[_Way], found: list[list[list[Heatmap]]],
    options: dict[str, Any],
) -> Board:  # fmt: skip
    size = photograph.pixels.shape[:2]
    maps = np.stack(
        [np.stack([np.stack([_sized(one.arrays["map"], size) for one in row]) for row in rows]) for rows in found]
    )
    aimed = min(range(len(ways)), key=lambda m: (not METHODS[ways[m].method].targeted, ways[m].method == "rise"))
    heads = [rows[aimed] for rows in found]  # rise asks for a probability where the others ask for a logit
    values = np.array([[one.arrays["score"] for one in row] for row in heads], dtype=np.float32)
    shares = [
        [f"{100 * row[t].facts['probability']:.1f} %" if "probability" in row[t].facts else f"{float(values[n, t]):.3g}"
         for n, row in enumerate(heads)]
        for t in range(maps.shape[2])
    ]  # fmt: skip
    notes = dict.fromkeys(note for rows in found for row in rows for one in row for note in one.notes)
    methods = [
        {
            "title": METHODS[way.method].title + (f" ({way.text.partition(' ')[2]})" if way.options else ""),
            "method": way.method, "about": METHODS[way.method].about, "look": found[0][m][0].look,
            "from_lowest": bool(found[0][m][0].facts.get("from_lowest")),
        }
        for m, way in enumerate(ways)
    ]  # fmt: skip
    titles = [one.facts.get("label", one.facts["title"]) for one in heads[0]]
    return Board(
        {"maps": maps, "values": values, "image": found[0][0][0].arrays["image"]},
        {
            "maps": ("networks", "methods", "targets", "h", "w"), "values": ("networks", "targets"),
            "image": ("h", "w", "c"),
        },
        recipe_of("compare", nets[0], options, photograph=photograph, notes=tuple(notes)),
        {
            "networks": [one.name for one in nets], "methods": methods, "titles": titles, "shares": shares,
            "targets": [one.facts["target"] for one in heads[0]], "scale": options["scale"],
            "title": f"{counted(len(ways), 'method')}, {counted(len(titles), 'target')}"
            + (f", {counted(len(nets), 'network')}" if len(nets) > 1 else f" of {nets[0].name}"),
        },
    )  # fmt: skip


def _sized(heat: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A map at the size of another network's picture."""
    if heat.shape == size:
        return heat.astype(np.float32)
    return whole_heat(heat, (0.0, 0.0, 1.0, 1.0), size)
