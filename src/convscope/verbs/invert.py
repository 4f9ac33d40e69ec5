"""`convscope.invert`: pictures that a layer takes for a photograph."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import torch
from torch import Tensor

from convscope.memory import memory_watched
from convscope.models.choose import spread_layers
from convscope.models.fitting import Fit
from convscope.models.network import Network
from convscope.models.photograph import ImageLike, Photograph
from convscope.objectives.expression import Objective
from convscope.objectives.likeness import Caricature, Like
from convscope.objectives.penalties import TotalVariation
from convscope.options import MOST_SEED, About, check_given, plain_number, renamed
from convscope.progress import Watch, keeping, unwatched
from convscope.results.inversion import Inversion
from convscope.synthesis.schedule import Single
from convscope.synthesis.session import Made, Session
from convscope.synthesis.stages import Making, Parameterisation, as_array
from convscope.synthesis.transforms import Plain
from convscope.taps.record import record
from convscope.verbs.activations import choose_layers
from convscope.verbs.calls import recipe_of

TV_WEIGHT = 1.0
"""Of the total variation (in [0,2]) against a distance of features that is 1 for an empty picture."""
Variation = Literal["without", "with", "both"]


@renamed
@memory_watched("invert")
@torch.inference_mode(False)
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
    chosen = spread_layers(net.layers()) if layers is None else [layer.name for layer in choose_layers(net, layers)]
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
    inverting = _Inverting(net, photograph, jobs, options, watch)
    with keeping(inverting.told, inverting.result):
        inverting.run()
    result = inverting.result()
    assert result is not None
    return result


class _Inverting:
    """The pictures of one call, one after the other. jobs: the layer of each, and what total variation counts."""

    def __init__(
        self,
        net: Network,
        photograph: Photograph,
        jobs: Sequence[tuple[str, float]],
        options: Mapping[str, Any],
        watch: Watch,
    ) -> None:
        self.net, self.photograph, self.jobs, self.options = net, photograph, jobs, options
        self.making = Making(
            options["parameterisation"],
            "adam",
            options["lr"],
            Single().sizes(photograph.hw),
            options["steps"],
            lambda _: Plain(),
        )
        self.session = Session(net, options["seed"], watch, total=self.making.total * len(jobs))
        self.finished: list[tuple[Tensor, float]] = []
        self.match: Objective | None = None

    def run(self) -> None:
        """Make them all."""
        start, caricature = self.photograph.tensor(self.net.device), self.options["caricature"]
        for layer, weight in self.jobs:
            with torch.no_grad():
                given = record(self.net, start, [layer])[layer].clone()
            self.match = Caricature(layer, given) if caricature else Like(layer, given)
            pursued = self.match - weight * TotalVariation() if weight else self.match
            self.session.restart()
            image = self.session.begin(self.making, start=start if caricature else None)
            what = f"{'caricature' if caricature else 'inversion'} of {layer}"
            made = self.session.make(what, [pursued], self.making, image)
            self.finished.append(self._measured(made))

    @torch.no_grad()
    def _measured(self, made: Made) -> tuple[Tensor, float]:
        """The picture as it is, and its distance, or how far a caricature goes."""
        assert self.match is not None
        picture = made.pictures()
        layer = self.jobs[len(self.finished)][0]
        value = float(self.match.value(record(self.net, picture, [layer]))[0])
        return picture.cpu(), value if self.options["caricature"] else -value

    def told(self) -> str:
        """How far it is, in words."""
        return f"stopped after {len(self.finished)} of {len(self.jobs)} pictures"

    def result(self) -> Inversion | None:
        """The pictures, the last one as far as it is; None before the first step."""
        made = [*self.finished]
        at_hand = self.session.made
        if len(made) < len(self.jobs) and at_hand is not None and self.session.done > len(made) * self.making.total:
            made.append(self._measured(at_hand))
        return _result(self, made) if made else None


def similarity(one: np.ndarray, other: np.ndarray) -> float:
    """1 - |x - c| / (|x| + |c|), by Frobenius norms of pictures about mid grey: 1 for the same, 0 for opposites."""
    x, c = one.astype(np.float64) - 0.5, other.astype(np.float64) - 0.5
    sizes = float(np.linalg.norm(x) + np.linalg.norm(c))
    return 1.0 if sizes == 0 else 1.0 - float(np.linalg.norm(x - c)) / sizes


def _result(inverting: _Inverting, made: Sequence[tuple[Tensor, float]]) -> Inversion:
    net, photograph, options = inverting.net, inverting.photograph, inverting.options
    images = as_array(torch.cat([picture for picture, _ in made]))
    done, finished = inverting.jobs[: len(made)], len(inverting.finished)
    unfinished: tuple[str, ...] = ()
    if finished < len(inverting.jobs):
        last = ", the last one is as far as it was" if finished < len(made) else ""
        unfinished = (f"{inverting.told()}{last}: replay makes all",)
    likeness = [similarity(picture, photograph.pixels) for picture in images]
    what = "caricatures" if options["caricature"] else "inversions"
    return Inversion(
        {
            "images": images,
            "values": np.array([value for _, value in made], dtype=np.float32),
            "similarity": np.array(likeness, dtype=np.float32),
            "photograph": photograph.pixels.astype(np.float32),
        },
        Inversion.needs,
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
