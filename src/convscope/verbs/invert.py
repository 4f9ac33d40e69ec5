"""`convscope.invert`: pictures that a layer takes for a photograph."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import torch

from convscope.memory import memory_watched
from convscope.models.fitting import Fit
from convscope.models.network import Network
from convscope.models.photograph import ImageLike, Photograph
from convscope.models.usual_layers import named_layers, spread_layers
from convscope.options import MOST_SEED, About, check_given, plain_number, renamed
from convscope.progress import Watch, keeping, unwatched
from convscope.results.inversion import Inversion
from convscope.synthesis.inversions import Inversions, Job
from convscope.synthesis.schedule import Single
from convscope.synthesis.session import Session
from convscope.synthesis.stages import Making, Parameterisation, as_array
from convscope.synthesis.transforms import Plain
from convscope.verbs.calls import recipe_of
from convscope.verbs.verb import verb

TV_WEIGHT = 1.0
"""Of the total variation (in [0,2]) against a distance of features that is 1 for an empty picture."""
Variation = Literal["without", "with", "both"]


@renamed
@memory_watched("invert")
@torch.inference_mode(False)
@verb
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
    chosen = (
        spread_layers(net.layers())
        if layers is None
        else [layer.name for layer in named_layers(net.layers(inner=True), layers)]
    )
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
    making = Making(
        options["parameterisation"],
        "adam",
        options["lr"],
        Single().sizes(photograph.hw),
        options["steps"],
        lambda _: Plain(),
    )
    jobs = [Job(layer, weight) for weight in weights for layer in chosen]
    session = Session(net, options["seed"], watch, total=making.total * len(jobs))
    inversions = Inversions(session, making, photograph.tensor(net.device), jobs, caricature=options["caricature"])

    def result() -> Inversion | None:
        return _result(inversions, photograph, options)

    with keeping(inversions.told, result):
        inversions.run()
    made = result()
    assert made is not None
    return made


def similarity(one: np.ndarray, other: np.ndarray) -> float:
    """1 - |x - c| / (|x| + |c|), by Frobenius norms of pictures about mid grey: 1 for the same, 0 for opposites."""
    x, c = one.astype(np.float64) - 0.5, other.astype(np.float64) - 0.5
    sizes = float(np.linalg.norm(x) + np.linalg.norm(c))
    return 1.0 if sizes == 0 else 1.0 - float(np.linalg.norm(x - c)) / sizes


def _result(inversions: Inversions, photograph: Photograph, options: Mapping[str, Any]) -> Inversion | None:
    """The pictures, the last one perhaps unfinished; None before the first step."""
    made = inversions.so_far()
    if not made:
        return None
    net, done, finished = inversions.session.net, inversions.jobs[: len(made)], len(inversions.finished)
    images = as_array(torch.cat([one.picture for one in made]))
    unfinished: tuple[str, ...] = ()
    if finished < len(inversions.jobs):
        last = ", the last one is as far as it was" if finished < len(made) else ""
        unfinished = (f"{inversions.told()}{last}: replay makes all",)
    what, start = ("caricatures", "the photograph") if options["caricature"] else ("inversions", "noise")
    return Inversion(
        {
            "images": images,
            "values": np.array([one.value for one in made], dtype=np.float32),
            "similarity": np.array([similarity(picture, photograph.pixels) for picture in images], dtype=np.float32),
            "photograph": photograph.pixels.astype(np.float32),
        },
        Inversion.needs,
        recipe_of("invert", net, options, {"image": photograph}, notes=unfinished, stopped=bool(unfinished)),
        {
            "captions": [job.layer for job in done],
            "layers": [job.layer for job in done],
            "tv": [job.tv_weight for job in done],
            "probabilities": [None] * len(done),
            "title": f"{net.name}: {what}",
            "subtitle": f"{options['steps']} steps from {start}",
        },
    )
