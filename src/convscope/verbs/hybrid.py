"""`convscope.hybrid`: a photograph altered where a network finds its evidence."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from convscope.attribution.chosen import Ranking
from convscope.errors import InputError
from convscope.memory import memory_watched
from convscope.models.fitting import Fit
from convscope.models.network import Network
from convscope.models.photograph import ImageLike, Photograph
from convscope.models.spec import InputSpec
from convscope.objectives.expression import Objective
from convscope.options import MOST_SEED, About, check_given
from convscope.progress import Watch, unwatched
from convscope.render.colour import ramp_of
from convscope.results.result import Result
from convscope.results.variations import Variations
from convscope.verbs.calls import plain_number
from convscope.verbs.explain import MethodName, check_asked
from convscope.verbs.one_picture import opened_whole, same_proportions, size_of
from convscope.verbs.series import series_of, text_of
from convscope.verbs.variation_maker import VariationMaker, given

EffectName = Literal[
    "colours", "spotlight", "posterise", "invert", "blur", "mosaic", "drain", "swap", "mask", "none",
]  # fmt: skip
MOST, MOST_OF_SERIES = 1600, 640
"""The long side where no size is asked for, of one picture and of those of a series."""
MOST_BYTES = 2_000_000_000
"""Of all pictures of a series."""


@memory_watched("hybrid")
def hybrid(
    net: Network,
    image: ImageLike | Photograph,
    target: Objective | str | int | None = None,
    *,
    effect: Annotated[EffectName, About("what is done where it is hot")] = "colours",
    intensity: Annotated[
        float | None, About("how far: the factor of added colours, 0.5 unless given; of others 1 is whole", 0, 20)
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
    method: Annotated[MethodName, About("how the heatmap is made; see explain")] = "grad_cam",
    layer: Annotated[str | None, About("the layer to look at; the last one with positions unless given")] = None,
    channels: Annotated[Sequence[int] | None, About("the channels that make the map, such as 3,7,10-15")] = None,
    top: Annotated[int | None, About("only so many channels, the first by ranking", 1, 1000000)] = None,
    ranking: Annotated[
        Ranking | None, About("by what a channel adds to the map, its weight, or its activation")
    ] = None,
    size: Annotated[
        int | None, About("pixels on the long side; the photograph's own, at most 1600, in a series 640", 16, 8192)
    ] = None,
    fit: Annotated[
        Fit | None,
        About("how the picture is brought to the network's size; for the map padded, for the first guess cropped"),
    ] = None,
    seed: Annotated[int, About("of what is random in the map", 0, MOST_SEED)] = 0,
    watch: Watch = unwatched,
) -> Variations:
    """A photograph, altered only where a heatmap is hot: an artist's class activation map.

    The map is that of `explain` for a target (any objective; the first guess unless named), of all channels or of few,
    laid over the whole photograph at its own size. Unless a fit is given, the first guess is that of `explain`, which
    sees the middle, and the map is made of the whole; a note says where the two views disagree. Each map counts from
    zero to its own maximum: what is hot in one picture of a series may be weak beside another, `values` and `explain`
    tell.

    effect: see `convscope.render.effects.EFFECTS`. colours with hot=0 and soft=0 is what programs of 2018 did: the
    photograph plus the "heatmap intensity factor" times the map's colours. vary: options of VARIED by name, each with
    its values; of two the first goes down the rows and the second along them.

    Returns `images` (`n h w 3` in [0,1]), `values` (`n`, the target's value) and `heat` (`n h w` in [0,1]). Raises
    InputError for what does not fit together, Stopped on Ctrl-C with the pictures that are done.

    Source: the artworks of F. Calvino's essay on convnets and one's own paintings (2018), figure 9, as described in
    its text.
    """
    series = series_of(vary)
    options: dict[str, Any] = {
        "target": text_of(target), "effect": effect, "intensity": intensity, "hot": hot, "soft": soft,
        "colours": colours, "lines": lines, "vary": series or None, "method": method, "layer": layer,
        "channels": None if channels is None else list(channels), "top": top, "ranking": ranking, "size": size,
        "fit": fit, "seed": seed,
    }  # fmt: skip
    options = {name: plain_number(value) for name, value in options.items()}
    cases = [dict(zip(series, values, strict=True)) for values in itertools.product(*series.values())]
    for case in cases:
        _check(net, options | case, other is not None)
    if other is not None and not any((options | case)["effect"] == "swap" for case in cases):
        raise InputError(f"other is for the effect swap; the effect is {effect}")
    whole = InputSpec(size=16, channels=3, range=(0.0, 1.0))
    photograph = opened_whole(whole, image, size, MOST_OF_SERIES if len(cases) > 1 else MOST)
    needed = len(cases) * photograph.pixels.size * 4
    if needed > MOST_BYTES:
        raise InputError(
            f"vary makes {len(cases)} pictures of {needed / 1e9 / len(cases):.2g} GB each; expected at most "
            f"{MOST_BYTES / 1e9:.0f} GB in all: give a smaller size"
        )
    shown = None if other is None else _swapped(other, photograph)
    return VariationMaker(net, image, photograph, shown, options, series, watch).made(cases)


def _check(net: Network, options: Mapping[str, Any], swapping: bool) -> None:
    check_given(hybrid, options)
    ramp_of(options["colours"])
    check_asked(net, options["target"], options["method"], given(options))
    if options["effect"] == "swap" and not swapping:
        raise InputError(
            "the effect swap needs another picture: give other (--other), such as a dream of this photograph"
        )


def _swapped(other: ImageLike | Result, photograph: Photograph) -> Photograph:
    """The picture to swap in, at the photograph's size. Raises InputError for other proportions."""
    picture = other.image() if isinstance(other, Result) else other
    return same_proportions(picture, size_of(photograph), "other picture", channels=3)
