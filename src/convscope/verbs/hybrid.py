"""`convscope.hybrid`: a photograph altered where a network finds its evidence."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from convscope.attribution.method import Method, method_of, methods
from convscope.errors import InputError
from convscope.memory import memory_watched
from convscope.models.fitting import Fit
from convscope.models.network import Network
from convscope.models.photograph import ImageLike, Photograph
from convscope.models.spec import InputSpec
from convscope.options import About, check_given, plain_number
from convscope.progress import Watch, unwatched
from convscope.render.colour import ramp_of
from convscope.results.result import Result
from convscope.results.variations import Variations
from convscope.verbs.photographs import opened_whole, same_proportions
from convscope.verbs.question import GivenMethod, Target, question_of
from convscope.verbs.series import VARIED, series_of, text_of, varied
from convscope.verbs.variation_maker import VariationMaker
from convscope.verbs.verb import verb

EffectName = Literal[
    "colours", "spotlight", "posterise", "invert", "blur", "mosaic", "drain", "swap", "mask", "none",
]  # fmt: skip
MOST, MOST_OF_SERIES = 1600, 640
"""The long side where no size is asked for, of one picture and of those of a series."""
MOST_BYTES = 2_000_000_000
"""Of all pictures of a series."""


@memory_watched("hybrid")
@verb
def hybrid(
    net: Network,
    image: Annotated[ImageLike | Photograph, About("the photograph")],
    target: Annotated[
        Target | None, About("class:NAME, layer:channel, sums of these", unset="the class named first")
    ] = None,
    *,
    effect: Annotated[EffectName, About("what is done where it is hot")] = "colours",
    intensity: Annotated[
        float | None,
        About(
            "how far: the factor of added colours; of others 1 is whole", 0, 20, unset="0.5 for added colours, else 1"
        ),
    ] = None,
    hot: Annotated[float, About("the share of the greatest heat from which on the picture is altered", 0, 1)] = 0.35,
    soft: Annotated[float, About("over how much more heat the alteration becomes whole", 0, 1)] = 0.3,
    colours: Annotated[
        str, About("a colour map, inferno, viridis, jet, signed, grey, or one's own as 102040-ff8800")
    ] = "inferno",
    lines: Annotated[int, About("so many contour lines of the heat", 0, 100)] = 0,
    other: Annotated[ImageLike | Result | None, About("effect swap: the picture that shows through")] = None,
    vary: Annotated[
        Mapping[str, Sequence[Any]] | str | None,
        About("a series as one sheet: 'intensity: 0.3, 1, 2', or two: 'top: 4, 64; effect: blur, invert'"),
    ] = None,
    method: Annotated[GivenMethod | Sequence[GivenMethod], About("how the heatmap is made; see explain")] = "grad_cam",
    size: Annotated[
        int | None,
        About("pixels on the long side", 16, 8192, unset="the photograph's own, at most 1600, 640 in a series"),
    ] = None,
    fit: Annotated[
        Fit | None,
        About("how the picture is brought to the network's size", unset="crop for the first guess, pad for the map"),
    ] = None,
    watch: Watch = unwatched,
    **options: Any,
) -> Variations:
    """A photograph, altered only where a heatmap is hot: an artist's class activation map.

    The map is that of `explain` for a target (any objective; the first guess unless named), of all channels or of few,
    laid over the whole photograph at its own size. Unless a fit is given, the first guess is that of `explain`, which
    sees the middle, and the map is made of the whole; a note says where the two views disagree. Each map counts from
    zero to its own maximum: what is hot in one picture of a series may be weak beside another, `values` and `explain`
    tell.

    effect: see `convscope.render.effects.EFFECTS`. colours with hot=0 and soft=0 is what programs of 2018 did: the
    photograph plus the "heatmap intensity factor" times the map's colours. vary: options by name, those of the method
    among them, each with its values; of two the first goes down the rows and the second along them. method: as for
    `explain`, with its options; or a list, one for each picture of a series. Only what speaks for the target counts,
    also where the method's map is signed.

    Returns `images` (`n h w 3` in [0,1]), `values` (`n`, the target's value) and `heat` (`n h w` in [0,1]). Raises
    InputError for what does not fit together, Stopped on Ctrl-C with the pictures that are done.

    Source: the artworks of F. Calvino's essay on convnets and one's own paintings (2018), figure 9, as described in
    its text.
    """
    given = list(method) if isinstance(method, list | tuple) else None
    base = method_of(given[0] if given else method, None if _varies(vary, "method") else options)  # type: ignore[arg-type]
    series = series_of(vary, varied(hybrid, [type(base), *_methods_in(vary)]))
    settings = {
        "effect": effect,
        "intensity": plain_number(intensity),
        "hot": plain_number(hot),
        "soft": plain_number(soft),
        "colours": colours,
        "lines": plain_number(lines),
    }
    cases = [dict(zip(series, values, strict=True)) for values in itertools.product(*series.values())]
    if given is not None and len(given) != len(cases):
        raise InputError(f"{len(given)} methods were given; expected one, or {len(cases)}, one for each picture")
    asked: list[tuple[Target | None, Method]] = []
    for i, case in enumerate(cases):
        _check(settings | case, other is not None)
        chosen = given[i] if given is not None else case.get("method", base)
        own = {name: value for name, value in case.items() if name not in VARIED}
        more = options if given is None and "method" in case else {}
        asked.append((case.get("target", target), method_of(chosen, {**more, **own})))
    targeted = any(method.targeted for _, method in asked)
    questions = [question_of(net, aim if method.targeted or not targeted else None, method) for aim, method in asked]
    check_given(hybrid, {"size": size, "fit": fit})
    if other is not None and not any((settings | case)["effect"] == "swap" for case in cases):
        raise InputError(f"other is for the effect swap; the effect is {effect}")
    whole = InputSpec(size=16, channels=3, range=(0.0, 1.0))
    photograph = opened_whole(whole, image, plain_number(size), MOST_OF_SERIES if len(cases) > 1 else MOST)
    needed = len(cases) * photograph.pixels.size * 4
    if needed > MOST_BYTES:
        raise InputError(
            f"vary makes {len(cases)} pictures of {needed / 1e9 / len(cases):.2g} GB each; expected at most "
            f"{MOST_BYTES / 1e9:.0f} GB in all: give a smaller size"
        )
    shown = None if other is None else _swapped(other, photograph)
    maker = VariationMaker(net, image, photograph, shown, settings, series, fit, text_of(target), watch)
    return maker.made(cases, questions)


def _varies(vary: Mapping[str, Sequence[Any]] | str | None, name: str) -> bool:
    """Whether a series is of an option."""
    return name in (
        vary if isinstance(vary, Mapping) else [part.partition(":")[0].strip() for part in (vary or "").split(";")]
    )


def _methods_in(vary: Mapping[str, Sequence[Any]] | str | None) -> list[type[Method]]:
    """The methods that a series is of."""
    if vary is None or not _varies(vary, "method"):
        return []
    only = series_of(vary, varied(hybrid, methods()))["method"]
    return [type(method_of(one)) for one in only]


def _check(settings: Mapping[str, Any], swapping: bool) -> None:
    check_given(hybrid, {name: value for name, value in settings.items() if name not in ("method", "target")})
    ramp_of(settings["colours"])
    if settings["effect"] == "swap" and not swapping:
        raise InputError(
            "the effect swap needs another picture: give other (--other), such as a dream of this photograph"
        )


def _swapped(other: ImageLike | Result, photograph: Photograph) -> Photograph:
    """The picture to swap in, at the photograph's size. Raises InputError for other proportions."""
    picture = other.image() if isinstance(other, Result) else other
    return same_proportions(picture, photograph.hw, "other picture", channels=3)
