"""`convscope.invert`: pictures that a layer takes for a photograph."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
import torch
from torch import Tensor

from convscope.errors import InputError
from convscope.memory import memory_watched
from convscope.models.fitting import Fit
from convscope.models.layers import map_layers
from convscope.models.network import Network
from convscope.models.photograph import ImageLike, Photograph
from convscope.objectives.expression import Objective
from convscope.objectives.likeness import Caricature, Like
from convscope.objectives.penalties import TotalVariation
from convscope.options import MOST_SEED, About, check_given, plain_number, renamed
from convscope.progress import Progress, Watch, keeping, unwatched
from convscope.results.inversion import Inversion
from convscope.synthesis.making import Making, Moment, Parameterisation, as_array, begun, make
from convscope.synthesis.schedule import Single
from convscope.synthesis.transforms import Plain
from convscope.taps.record import record
from convscope.verbs.activations import choose_layers
from convscope.verbs.calls import recipe_of

TV_WEIGHT = 1.0
"""Of the total variation (in [0,2]) against a distance of features that is 1 for an empty picture."""
Variation = Literal["without", "with", "both"]
MOST_LAYERS = 5


@renamed
@memory_watched("invert")
def invert(
    net: Network,
    image: Annotated[ImageLike | Photograph, About("the photograph")],
    layers: Annotated[
        Sequence[str] | str | None,
        About("names, or patterns such as blocks.*.project", unset="five from early to late"),
    ] = None,
    *,
    tv: Annotated[Variation, About("without total variation, with it, or both, beside each other")] = "with",
    tv_weight: Annotated[
        float, About("what total variation counts, against the features' distance", 0, 1000)
    ] = TV_WEIGHT,
    caricature: Annotated[bool, About("overdo what the layer saw, in place of matching it")] = False,
    steps: Annotated[int, About("steps for each picture", 1, 100000)] = 200,
    lr: Annotated[float, About("Adam's learning rate", 1e-6, 10, was="rate")] = 0.05,
    parameterisation: Annotated[Parameterisation, About("what of the picture is optimised", was="picture")] = "pyramid",
    fit: Annotated[Fit, About("how the picture is brought to the network's size")] = "crop",
    seed: Annotated[int, About("of the noise it starts from", 0, MOST_SEED)] = 0,
    watch: Watch = unwatched,
) -> Inversion:
    """Pictures whose activations at a layer are those of a photograph: what they lack, the layer no longer knows.

    layers: names or patterns; five from early to late unless named. Each is inverted by itself, from noise.

    Returns `images` (`n h w c` in [0,1]), `values` (the squared distance of the features over their squared length;
    of a caricature how far it goes), and `similarity` to the photograph: 1 - |x - c| / (|x| + |c|) of the pictures
    about mid grey, in [0,1]. Raises Stopped on Ctrl-C, whose `result` holds the pictures that are finished.

    Source: Mahendran and Vedaldi, "Understanding deep image representations by inverting them" (CVPR 2015);
    Gerretsen et al. (2019), section 2.3 and figure 4. Caricatures after Olah et al. (Lucid, 2018).
    """
    photograph = net.photograph(image, fit=fit)
    fit = photograph.record.get("fit", fit)
    chosen = _spread(net) if layers is None else [layer.name for layer in choose_layers(net, layers)]
    options: dict[str, Any] = {
        "layers": chosen,
        "tv": tv,
        "tv_weight": tv_weight,
        "caricature": caricature,
        "steps": steps,
        "lr": lr,
        "parameterisation": parameterisation,
        "fit": fit,
        "seed": seed,
    }
    options = {name: plain_number(value) for name, value in options.items()}
    check_given(invert, options)
    weights = {"without": [0.0], "with": [tv_weight], "both": [0.0, tv_weight]}[tv]
    jobs = [(layer, weight) for weight in weights for layer in chosen]
    made: list[tuple[Tensor, float]] = []
    inverting: _Inverting | None = None

    def partial() -> Inversion | None:
        begun = inverting is not None and inverting.moment is not None and inverting.moment.done < options["steps"]
        kept = [*made, inverting.reached()] if inverting is not None and begun else made
        return _result(net, photograph, jobs, kept, options, len(made)) if kept else None

    with keeping(lambda: f"stopped after {len(made)} of {len(jobs)} pictures", partial):
        for layer, weight in jobs:
            inverting = _Inverting(net, photograph, layer, weight, options)
            inverting.run(len(made), len(jobs), watch)
            made.append(inverting.reached())
    return _result(net, photograph, jobs, made, options, len(made))


def _spread(net: Network) -> list[str]:
    """Layers from early to late: of each size of map the last one before it shrinks."""
    maps = map_layers(net.layers())
    ends = [a for a, b in zip(maps, [*maps[1:], None], strict=True) if b is None or a.shape[1:] != b.shape[1:]]
    kept = [layer for layer in ends if "pool" not in layer.kind.lower()] or ends
    if not kept:
        raise InputError(f"{net.name} has no layer whose output has positions: name a layer")
    places = np.linspace(0, len(kept) - 1, min(MOST_LAYERS, len(kept))).round().astype(int)
    return [kept[i].name for i in dict.fromkeys(places.tolist())]


class _Inverting:
    """One picture in the making."""

    def __init__(
        self, net: Network, photograph: Photograph, layer: str, weight: float, options: dict[str, Any]
    ) -> None:
        self.net, self.layer, self.caricature = net, layer, bool(options["caricature"])
        start = photograph.tensor(net.device)
        with torch.no_grad():
            given = record(net, start, [layer])[layer].clone()
        self.match: Objective = Caricature(layer, given) if self.caricature else Like(layer, given)
        self.pursued = self.match - weight * TotalVariation() if weight else self.match
        self.making = Making(
            options["parameterisation"],
            "adam",
            options["lr"],
            Single().sizes((start.shape[-2], start.shape[-1])),
            options["steps"],
            lambda _: Plain(),
        )
        self.generator = torch.Generator().manual_seed(options["seed"])
        self.start = start
        self.moment: Moment | None = None

    def run(self, number: int, of: int, watch: Watch) -> None:
        """Make it; it is picture `number` of so many."""
        first = self.start if self.caricature else None
        image = begun(self.making, 1, self.start.shape[1], self.generator, first)
        steps = self.making.total
        what = f"{'caricature' if self.caricature else 'inversion'} of {self.layer}"
        for moment in make(self.net, [self.pursued], self.making, image, self.generator):
            self.moment = moment
            told = f"{float(moment.step.values[0]):.4g}"
            watch(Progress(what, number * steps + moment.done, steps * of, told, moment.shown))

    @torch.no_grad()
    def reached(self) -> tuple[Tensor, float]:
        """The picture as it is, and its distance, or how far a caricature goes."""
        assert self.moment is not None
        found = self.moment.pictures()
        value = float(self.match.value(record(self.net, found, [self.layer]))[0])
        return found.cpu(), value if self.caricature else -value


def similarity(one: np.ndarray, other: np.ndarray) -> float:
    """1 - |x - c| / (|x| + |c|), by Frobenius norms of pictures about mid grey: 1 for the same, 0 for opposites."""
    x, c = one.astype(np.float64) - 0.5, other.astype(np.float64) - 0.5
    sizes = float(np.linalg.norm(x) + np.linalg.norm(c))
    return 1.0 if sizes == 0 else 1.0 - float(np.linalg.norm(x - c)) / sizes


def _result(
    net: Network,
    photograph: Photograph,
    jobs: list[tuple[str, float]],
    made: list[tuple[Tensor, float]],
    options: dict[str, Any],
    finished: int,
) -> Inversion:
    images = as_array(torch.cat([picture for picture, _ in made]))
    done = jobs[: len(made)]
    unfinished: tuple[str, ...] = ()
    if finished < len(jobs):
        last = ", the last one is as far as it was" if finished < len(made) else ""
        unfinished = (f"stopped after {finished} of {len(jobs)} pictures{last}: replay makes all",)
    likeness = [similarity(picture, photograph.pixels) for picture in images]
    what = "caricatures" if options["caricature"] else "inversions"
    return Inversion(
        {
            "images": images,
            "values": np.array([value for _, value in made], dtype=np.float32),
            "similarity": np.array(likeness, dtype=np.float32),
            "photograph": photograph.pixels.astype(np.float32),
        },
        {"images": ("n", "h", "w", "c"), "values": ("n",), "similarity": ("n",), "photograph": ("h", "w", "c")},
        recipe_of("invert", net, options, {"image": photograph}, notes=unfinished, stopped=bool(unfinished)),
        {
            "captions": [layer for layer, _ in done],
            "layers": [layer for layer, _ in done],
            "tv": [weight for _, weight in done],
            "probabilities": [None] * len(done),
            "title": f"{net.name}: {what}",
            "subtitle": f"{options['steps']} steps from {'the photograph' if options['caricature'] else 'noise'}",
        },
    )
