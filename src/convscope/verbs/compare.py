"""`convscope.compare`: maps of several methods, targets and networks beside each other, on scales that they share."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Literal

import numpy as np
import torch

from convscope.attribution.cam import enlarge
from convscope.errors import ConvscopeError, InputError, Stopped
from convscope.memory import memory_watched
from convscope.models.fitting import Fit
from convscope.models.network import Network
from convscope.models.photograph import ImageLike, Photograph, listed
from convscope.objectives.expression import Objective
from convscope.objectives.units import Logit
from convscope.options import MOST_SEED, About, check_given
from convscope.progress import Progress, Watch, keeping, unwatched
from convscope.results.board import Board
from convscope.results.heatmap import Heatmap
from convscope.verbs.attributions import METHODS
from convscope.verbs.calls import counted, describe, plain_number, recipe_of
from convscope.verbs.explain import COARSE, check_asked, explain
from convscope.verbs.ways import Way, way_of

Target = Objective | str | int
Scale = Literal["method", "all", "network", "each", "rank"]
USUAL = ("grad_cam", "integrated_gradients", "occlusion")
MOST_MAPS = 200
Maps = list[list[list[Heatmap]]]
"""Heatmaps by method, network and target."""


@memory_watched("compare")
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
    `image`; `save("board.html")` gives a page with a linked pointer. Raises InputError for what does not fit together,
    before any work where it can be told; Stopped on Ctrl-C, with the methods that are done.
    """
    nets: list[Any] = listed(net)
    if not nets or not all(isinstance(one, Network) for one in nets):
        raise InputError("no network was given; expected one or several, as load_model gives them")
    ways = [way_of(str(text)) for text in listed(methods)]
    if not ways:
        raise InputError(f"no method was given; there are {', '.join(METHODS)}")
    check_given(compare, {"guesses": guesses, "scale": scale, "fit": fit, "seed": seed})
    photographs = [one.photograph(image, fit=fit) for one in nets]
    fit = photographs[0].record.get("fit", fit)  # of a Photograph that was given ready
    _check_views(nets, fit)
    wanted, notes = _targets(nets, photographs[0], ways, [plain_number(one) for one in listed(targets)], guesses)
    if (total := len(nets) * len(ways) * len(wanted)) > MOST_MAPS:
        raise InputError(f"the board would have {total} maps; expected at most {MOST_MAPS}")
    options = {
        "targets": [target if isinstance(target, int) else str(target) for target in wanted if target is not None],
        "methods": [way.text for way in ways], "guesses": guesses, "scale": scale, "fit": fit, "seed": seed,
        "beside": [describe(one) for one in nets[1:]],
    }  # fmt: skip
    found: Maps = []

    def told() -> str:
        return f"stopped after {len(found)} of {counted(len(ways), 'method')}"

    def partial() -> Board | None:
        kept = found
        if not any(way.about.targeted for way in ways[: len(found)]):
            kept = [[row[:1] for row in rows] for rows in found]
        cut = [*notes, f"{told()}: replay makes all of them"]
        return _board(nets, photographs[0], ways[: len(kept)], kept, options, cut) if kept else None

    with keeping(told, partial):
        for row in _rows(nets, photographs, ways, wanted, seed, watch):
            found.append(row)
    return _board(nets, photographs[0], ways, found, options, notes)


def _check_views(nets: Sequence[Network], fit: Fit) -> None:
    """Raises InputError where networks would see different parts of the picture."""
    height, width = nets[0].spec.hw
    if fit != "stretch" and any(one.spec.height * width != one.spec.width * height for one in nets):
        told = ", ".join(f"{one.name} {one.spec.height}x{one.spec.width}" for one in nets)
        raise InputError(f"the networks' inputs have different proportions ({told}): give fit='stretch'")


def _targets(
    nets: Sequence[Network], photograph: Photograph, ways: Sequence[Way], given: Sequence[Target], guesses: int
) -> tuple[list[Target | None], list[str]]:
    """The targets, and what to say of them; the first guesses where none is given: those that all networks know.

    One column without a target where no method takes one. Raises InputError, before any map is made, for a target or an
    option that one of the networks does not have.
    """
    targeted = any(way.about.targeted for way in ways)
    if given and not targeted:
        raise InputError(f"{ways[0].method} is the same for every target: leave the targets out")
    wanted: list[Target | None] = [*given] if targeted else [None]
    notes: list[str] = []
    if targeted and not given:
        wanted, unknown = [], []
        for guess in nets[0].predict(photograph, top=guesses)[0]:
            same = all(one.labels.name(guess.index) == guess.label for one in nets)
            aim = Logit(guess.index) if same else Logit(guess.label)
            if all(_known(one, aim) for one in nets):
                wanted.append(str(aim))
            else:
                unknown.append(guess.label)
        if unknown:
            notes = [f"left out, as not every network has one class of that name: {', '.join(unknown)}"]
        if not wanted:
            raise InputError("the networks have no class in common among the first guesses: name the targets")
    for one in nets:
        for way in ways:
            for target in wanted:
                with _named(one, nets):
                    check_asked(one, target if way.about.targeted else None, way.method, way.options)
    return wanted, notes


def _known(net: Network, aim: Logit) -> bool:
    try:
        aim.bind(net)
    except ConvscopeError:
        return False
    return True


@contextmanager
def _named(net: Network, nets: Sequence[Network]) -> Iterator[None]:
    """Within it, errors say which of several networks they are of."""
    try:
        yield
    except ConvscopeError as error:
        if isinstance(error, Stopped) or len(nets) == 1 or str(error).startswith(net.name):
            raise
        raise InputError(f"{net.name}: {error}") from None


def _rows(
    nets: Sequence[Network], photographs: Sequence[Photograph], ways: Sequence[Way], targets: Sequence[Target | None],
    seed: int, watch: Watch,
) -> Iterator[list[list[Heatmap]]]:  # fmt: skip
    """The heatmaps of each method, by network and target."""
    total, done = len(nets) * len(ways) * len(targets), 0
    for way in ways:
        found: list[list[Heatmap]] = []
        options = {"seed": seed, **way.options} if "seed" in way.about.takes else way.options
        for net, photograph in zip(nets, photographs, strict=True):
            row: list[Heatmap] = []
            for target in targets:
                if way.about.targeted or not row:
                    aim = target if way.about.targeted else None
                    with _named(net, nets):
                        row.append(explain(net, photograph, aim, method=way.method, **options))
                else:
                    row.append(row[0])
                done += 1
                watch(Progress("comparing", done, total, f"{way.about.title}, {net.name}"))
            found.append(row)
        yield found


def _board(
    nets: Sequence[Network], photograph: Photograph, ways: Sequence[Way], found: Maps, options: dict[str, Any],
    notes: Sequence[str],
) -> Board:  # fmt: skip
    size = photograph.pixels.shape[:2]
    maps = np.stack(
        [np.stack([np.stack([_sized(one.arrays["map"], size) for one in rows[n]]) for rows in found])
         for n in range(len(nets))]
    )  # fmt: skip
    aimed = min(range(len(ways)), key=lambda m: (not ways[m].about.targeted, ways[m].method == "rise"))
    heads = found[aimed]  # rise asks for a probability where the others ask for a logit
    values = np.array([[one.arrays.get("score", np.nan) for one in row] for row in heads], dtype=np.float32)
    columns = range(maps.shape[2])
    notes = [*notes, *(note for rows in found for row in rows for one in row for note in one.notes)]
    methods = [
        {
            "title": way.title, "method": way.method, "about": _about(way, rows), "look": rows[0][0].look,
            "from_lowest": bool(rows[0][0].facts.get("from_lowest")),
        }
        for way, rows in zip(ways, found, strict=True)
    ]  # fmt: skip
    return Board(
        {"maps": maps, "values": values, "image": found[0][0][0].arrays["image"]},
        {
            "maps": ("networks", "methods", "targets", "h", "w"), "values": ("networks", "targets"),
            "image": ("h", "w", "c"),
        },
        recipe_of("compare", nets[0], options, photograph=photograph, notes=tuple(dict.fromkeys(notes))),
        {
            "networks": [one.name for one in nets], "methods": methods,
            "titles": [" / ".join(dict.fromkeys(_title(row[t]) for row in heads)) for t in columns],
            "shares": [[_share(row[t]) for row in heads] for t in columns],
            "targets": [one.facts["target"] for one in heads[0]], "scale": options["scale"],
            "title": f"{counted(len(ways), 'method')}, {counted(len(columns), 'target')}"
            + (f", {counted(len(nets), 'network')}" if len(nets) > 1 else f" of {nets[0].name}"),
        },
    )  # fmt: skip


def _about(way: Way, rows: Sequence[Sequence[Heatmap]]) -> str:
    """What the maps of a method tell: its own words, unless they are not true of some of them."""
    maps = [one.facts["about"] for row in rows for one in row]
    told = [about for about in maps if about not in (COARSE, way.about.about)]
    if not told:
        return way.about.about
    return f"{told[0]}{', one of the maps' if len(maps) > 1 else ''}"


def _title(heatmap: Heatmap) -> str:
    return str(heatmap.facts.get("label", heatmap.facts["title"].rpartition("  ")[0]))


def _share(heatmap: Heatmap) -> str:
    """What a network says of a target: a class's probability, or the value."""
    if "probability" in heatmap.facts:
        return f"{100 * heatmap.facts['probability']:.1f} %"
    return f"{float(heatmap.arrays['score']):.3g}"


def _sized(heat: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A map at the size of another network's picture; between its own least and greatest value."""
    if heat.shape == size:
        return heat.astype(np.float32)
    return enlarge(torch.from_numpy(heat.astype(np.float32))[None], size)[0].numpy()
