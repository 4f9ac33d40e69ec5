"""`convscope.hybrid`: a photograph altered where a network finds its evidence."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
import torch

from convscope.attribution.chosen import Ranking
from convscope.attribution.fills import blurred
from convscope.errors import InputError, Stopped
from convscope.methods.attributions import METHODS
from convscope.methods.calls import plain_number, recipe_of
from convscope.methods.explain import MethodName, check_asked, explain
from convscope.methods.one_picture import opened_whole, same_proportions, size_of
from convscope.methods.options import MOST_SEED, About, check_given
from convscope.methods.series import series_of, text_of
from convscope.models.fitting import Fit, where_seen
from convscope.models.network import Network, Prediction
from convscope.models.photograph import ImageLike, Photograph
from convscope.models.spec import InputSpec
from convscope.objectives.expression import Objective
from convscope.progress import Progress, Watch, unwatched
from convscope.render.colour import ramp_of
from convscope.render.effects import EFFECTS, Scene, altered, contours
from convscope.render.grid import columns_for
from convscope.render.overlay import whole_heat
from convscope.results.heatmap import CLIP, Heatmap
from convscope.results.result import Result
from convscope.results.variations import Variations

EffectName = Literal[
    "colours", "spotlight", "posterise", "invert", "blur", "mosaic", "drain", "swap", "mask", "none",
]  # fmt: skip
MOST, MOST_OF_SERIES = 1600, 640
"""The long side where no size is asked for, of one picture and of those of a series."""
MOST_BYTES = 2_000_000_000
"""Of all pictures of a series."""
OF_THE_WHOLE: Fit = "pad"
"""How the picture is brought to the network's size for the map, unless a fit is given."""
USUAL = 0.5
"""The factor of added colours."""
_OF_THE_MAP = ("layer", "channels", "top", "ranking")
"""The options that the map has by itself, beside its target, method and seed."""


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
    return _Maker(net, image, photograph, shown, options, series, watch).made(cases)


def _check(net: Network, options: Mapping[str, Any], swapping: bool) -> None:
    check_given(hybrid, options)
    ramp_of(options["colours"])
    check_asked(net, options["target"], options["method"], _given(options))
    if options["effect"] == "swap" and not swapping:
        raise InputError(
            "the effect swap needs another picture: give other (--other), such as a dream of this photograph"
        )


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the map that were given, and those that it always has."""
    takes = METHODS[options["method"]].takes
    given = {name: options[name] for name in _OF_THE_MAP if options[name] is not None}
    return given | {name: value for name, value in (("seed", options["seed"]), ("signed", False)) if name in takes}


def _swapped(other: ImageLike | Result, photograph: Photograph) -> Photograph:
    """The picture to swap in, at the photograph's size. Raises InputError for other proportions."""
    picture = other.image() if isinstance(other, Result) else other
    return same_proportions(picture, size_of(photograph), "other picture", channels=3)


class _Maker:
    """The variations of one photograph; maps that several share are made once."""

    def __init__(
        self, net: Network, image: ImageLike | Photograph, photograph: Photograph, other: Photograph | None,
        options: dict[str, Any], series: Mapping[str, Sequence[Any]], watch: Watch,
    ) -> None:  # fmt: skip
        self.net, self.image, self.photograph, self.other = net, image, photograph, other
        self.fit: Fit = options["fit"] or OF_THE_WHOLE
        self.seen = net.photograph(image, fit=self.fit)
        self.options, self.series, self.watch = options, series, watch
        self.maps: dict[tuple[str, ...], tuple[Heatmap, np.ndarray]] = {}

    def made(self, cases: Sequence[dict[str, Any]]) -> Variations:
        height, width = size_of(self.photograph)
        pictures = np.empty((len(cases), height, width, 3), dtype=np.float32)
        found: list[tuple[Heatmap, np.ndarray]] = []
        try:
            for i, case in enumerate(cases):
                heatmap, heat = self._map(self.options | case)
                pictures[i] = self._picture(self.options | case, heat)
                found.append((heatmap, heat))
                if len(cases) > 1:
                    self.watch(Progress("variations", i + 1, len(cases), ""))
        except KeyboardInterrupt:
            count = len(found)
            done = self._result(cases[:count], pictures[:count], found[:count], len(cases)) if count else None
            raise Stopped(f"stopped after {count} of {len(cases)} pictures", done) from None
        return self._result(cases, pictures, found, len(cases))

    def _map(self, options: Mapping[str, Any]) -> tuple[Heatmap, np.ndarray]:
        """The heatmap, and its heat over the whole photograph, in [0,1]."""
        key = tuple(str(options[name]) for name in ("target", "method", *_OF_THE_MAP))
        if key not in self.maps:
            target = options["target"]
            if target is None and self.options["fit"] is None and METHODS[options["method"]].targeted:
                target = self.guess.index
            heatmap = explain(
                self.net, self.seen, target, method=options["method"], watch=self._of_a_map, **_given(options)
            )  # fmt: skip
            self.maps[key] = heatmap, self._laid(heatmap)
        return self.maps[key]

    @cached_property
    def guess(self) -> Prediction:
        """The first guess of the view that `explain` and `predict` take."""
        return self.net.predict(self.image, top=1)[0][0]

    def _views(self) -> list[str]:
        """A note where the view of the guess and that of the map disagree."""
        if "guess" not in vars(self):
            return []
        whole = self.net.predict(self.seen, top=1)[0][0]
        if whole.index == self.guess.index:
            return []
        return [
            f"the network sees {_said(self.guess)} in the middle of the picture, as explain does, and {_said(whole)} "
            f"in the whole of it: the map is of {self.guess.label} in the whole; give a target or a fit for another"
        ]

    def _of_a_map(self, news: Progress) -> None:
        """News of the map in the making, which is one of several in a series."""
        which = f"map {len(self.maps) + 1}, {news.what}" if self.series else news.what
        self.watch(replace(news, what=which))

    def _laid(self, heatmap: Heatmap) -> np.ndarray:
        heat = heatmap.arrays["coarse" if "layer" in heatmap.facts else "map"]
        if heatmap.facts.get("from_lowest"):
            heat = heat - heat.min()
        source, (height, width) = tuple(self.seen.record["size"]), self.net.spec.hw
        left, top, right, bottom = where_seen(source, (height, width), self.fit)
        box = left / width, top / height, right / width, bottom / height
        large = whole_heat(heat, box, size_of(self.photograph)).clip(0)
        most = float(large.max())
        if heatmap.look != "region":
            large = blurred(torch.from_numpy(large)[None, None], FINE * max(large.shape))[0, 0].numpy()
            there = large[large > 1e-3 * large.max()]  # a target may see a small part only
            most = float(np.percentile(there, CLIP)) if there.size else 0.0
        return np.clip(large / most, 0, 1) if most > 0 else np.zeros_like(large)

    def _picture(self, options: Mapping[str, Any], heat: np.ndarray) -> np.ndarray:
        ramp = ramp_of(options["colours"])
        other = None if self.other is None else self.other.pixels
        scene = Scene(self.photograph.pixels, heat, ramp, other)
        intensity = options["intensity"]
        if intensity is None:
            intensity = USUAL if options["effect"] == "colours" else 1.0
        picture = altered(scene, options["effect"], intensity, options["hot"], options["soft"])
        return contours(picture, heat, ramp, options["lines"])

    def _result(
        self, cases: Sequence[Mapping[str, Any]], pictures: np.ndarray, found: Sequence[tuple[Heatmap, np.ndarray]],
        wanted: int,
    ) -> Variations:  # fmt: skip
        first = found[0][0]
        cold = sum(not heat.any() for _, heat in found)
        notes = [f"nothing is hot in {cold} of {len(found)} maps"] if cold else []
        notes += self._views()
        if len(cases) < wanted:
            notes.append(f"stopped after {len(cases)} of {wanted} pictures: replay makes all of them")
        captions = [_caption(case, heatmap) for case, (heatmap, _) in zip(cases, found, strict=True)]
        columns = len(list(self.series.values())[1]) if len(self.series) > 1 else columns_for(
            len(pictures), size_of(self.photograph), 1440
        )  # fmt: skip
        words = [
            *([] if "effect" in self.series else [EFFECTS[self.options["effect"]].about]),
            {"pad": "the whole picture was seen", "crop": "its middle was seen", "stretch": "seen stretched"}[self.fit],
            *([] if set(self.series) & {"target", "method", *_OF_THE_MAP} else [first.facts["subtitle"]]),
        ]
        return Variations(
            {
                "images": pictures,
                "values": np.array([heatmap.arrays.get("score", np.nan) for heatmap, _ in found], dtype=np.float32),
                "heat": np.stack([heat for _, heat in found]),
            },
            {"images": ("n", "h", "w", "c"), "values": ("n",), "heat": ("n", "h", "w")},
            recipe_of(
                "hybrid", self.net, self.options, photograph=replace(self.photograph, record=self.seen.record),
                others={"other": [self.other.record] if self.other else []},
                notes=tuple(dict.fromkeys([*notes, *(note for heatmap, _ in found for note in heatmap.notes)])),
            ),
            {
                "captions": captions if self.series else [self.options["effect"]], "columns": columns,
                "title": self._title(first),
                "subtitle": "; ".join(words),
                "targets": [heatmap.facts["target"] for heatmap, _ in found],
            },
        )  # fmt: skip

    def _title(self, first: Heatmap) -> str:
        if "target" in self.series:
            return "variations"
        return f"variations on {first.facts['title']}" if self.series else str(first.facts["title"])


def _said(guess: Prediction) -> str:
    return f"{guess.label} ({100 * guess.probability:.1f} %)"


def _caption(case: Mapping[str, Any], heatmap: Heatmap) -> str:
    """What varies, a line each."""
    said = {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in case.items()}
    if "target" in said:
        said["target"] = str(heatmap.facts.get("label", heatmap.facts["title"]))
    return "\n".join(value if name == "target" else f"{name} {value}" for name, value in said.items())


FINE = 0.01
"""How far maps by the pixel are blurred, in parts of the long side, so that they have regions."""
