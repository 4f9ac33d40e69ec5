"""`convscope.dream`: what a network sees in a photograph, painted into it."""

from collections.abc import Mapping
from typing import Annotated, Any

import torch

from convscope.memory import memory_watched
from convscope.models.network import Network
from convscope.models.photograph import ImageLike, Photograph
from convscope.models.usual_layers import dream_layer
from convscope.objectives.expression import Objective
from convscope.objectives.text import ensure_objective
from convscope.objectives.units import layer
from convscope.objectives.words import in_words
from convscope.options import MOST_SEED, About, check_given, plain_number, renamed
from convscope.progress import Watch, keeping, unwatched
from convscope.results.pictures import Pictures
from convscope.synthesis.deep_dream import Dream
from convscope.synthesis.measure import measured
from convscope.synthesis.optimisers import OptimiserName
from convscope.synthesis.stages import Parameterisation
from convscope.taps.tap import SCORES_TAP
from convscope.verbs.calls import Given
from convscope.verbs.made import picture_made
from convscope.verbs.photographs import allowed, open_mask, opened_whole
from convscope.verbs.presets import DREAM, LUCID, PRESETS, filled
from convscope.verbs.verb import verb

Target = Objective | str | int


@renamed
@memory_watched("dream")
@torch.inference_mode(False)
@verb
def dream(
    net: Network,
    image: Annotated[ImageLike | Photograph, About("the photograph")],
    target: Annotated[
        Target | None, About("a layer, channel or class; sums of these", unset="a layer two thirds down")
    ] = None,
    *,
    preset: Annotated[str, About("fills in what is not given", choices=PRESETS)] = "default",
    size: Annotated[
        int | None, About("pixels on the long side", 64, 8192, unset="the photograph's own, at most 640")
    ] = None,
    schedule: Annotated[str | None, About("octaves(4,1.4), zoom(3,1.2), single, grow(64,1.2)")] = None,
    steps: Annotated[int | None, About("steps at each size of the schedule", 1, 10000)] = None,
    lr: Annotated[float | None, About("the learning rate", 1e-6, 100, unset="the preset's", was="rate")] = None,
    parameterisation: Annotated[
        Parameterisation | None, About("what of the picture is optimised", unset="the preset's", was="picture")
    ] = None,
    optimiser: Annotated[OptimiserName | None, About("what moves the picture")] = None,
    gradient: Annotated[str | None, About("plain, or some of rms, clip(1), smooth(1)")] = None,
    branches: Annotated[
        float | None,
        About("how much of the gradient goes back through residual branches", 0, 1, unset="the preset's", before=1.0),
    ] = None,
    tile: Annotated[
        int, About("pixels on the side of a tile; memory goes with it, not with the picture", 64, 4096)
    ] = 512,
    keep: Annotated[float | None, About("how much the photograph's own features are kept, 0 to 100", 0, 100)] = None,
    strength: Annotated[float, About("how much of the dream is laid over the photograph", 0, 1)] = 1.0,
    mask: Annotated[str | ImageLike | None, About("a picture that is white where the dream may go")] = None,
    frames: Annotated[str | None, About("steps to keep as frames: '0,7,15,30', 'every 5' or 'all'")] = None,
    zoom: Annotated[int, About("frames of an endless zoom into the dream", 0, 2000)] = 0,
    seed: Annotated[int, About("of all that is random", 0, MOST_SEED)] = 0,
    watch: Watch = unwatched,
) -> Pictures:
    """A photograph, altered so that a target answers more and more.

    target: a layer, "blocks.7" (Deep Dream: the mean square of all it answers; a weighted sum of several is a mixture),
    a channel "blocks.7:20", or a class "class:robin" (Lucid dream). Unless given, a layer two thirds down.

    A layer's or channel's dream is made by plain gradient steps on the pixels, over octaves, in shifted tiles;
    so its size is free. A class's is made from random crops of the whole.

    keep: holds on to what a middle layer saw in the photograph. zoom: after the dream, so many frames that go ever
    deeper into it, dreaming on; they follow the other frames.

    Returns `images` (`1 h w c` in [0,1]), `values` (the target on the finished picture), and `frames` where asked for.
    Raises Stopped on Ctrl-C, whose `result` holds what was done.

    Source: Mordvintsev, Olah and Tyka, "Inceptionism" (2015); for classes, Gerretsen et al., "Visualization methods
    for convolutional networks" (2019), section 4.2; the identity term of Hamblin et al., "Feature Accentuation" (2024).
    """
    objective = (layer(dream_layer(net.layers())) if target is None else ensure_objective(target)).bind(net)
    lucid = SCORES_TAP in objective.taps()
    given = {
        "schedule": schedule,
        "steps": steps,
        "lr": lr,
        "parameterisation": parameterisation,
        "optimiser": optimiser,
        "gradient": gradient,
        "branches": branches,
        "keep": keep,
    }
    residual = any(branch is not None for branch in net.branches)
    options = filled(LUCID if lucid else DREAM, preset, given, residual=residual)
    options |= {
        "preset": preset,
        "target": str(objective),
        "size": size,
        "tile": tile,
        "strength": strength,
        "frames": frames,
        "zoom": zoom,
        "seed": seed,
    }
    options = {name: plain_number(value) for name, value in options.items()}
    check_given(dream, options)
    photograph = opened_whole(net.spec, image, options["size"])
    opened_mask = None if mask is None else open_mask(mask, photograph.hw)
    may_change = allowed(opened_mask, photograph, options["strength"])
    dreaming = Dream(net, objective, photograph.tensor(), may_change, options, watch)

    def result() -> Pictures | None:
        return _result(dreaming, options, {"image": photograph, "mask": opened_mask})

    with keeping(dreaming.session.told, result):
        dreaming.run()
    made = result()
    assert made is not None
    return made


def _result(dreaming: Dream, options: Mapping[str, Any], inputs: Mapping[str, Given]) -> Pictures | None:
    """The dream, whole or unfinished; None before the first step."""
    picture = dreaming.so_far()
    if picture is None:
        return None
    net, making = dreaming.net, dreaming.making
    words = in_words(net, dreaming.objective)
    return picture_made(
        "dream",
        dreaming.session,
        options,
        measured(net, dreaming.objective, picture),
        {
            "captions": [words],
            "title": f"{net.name} dreams of {words}",
            "subtitle": f"{making.total} steps at {len(making.sizes)} sizes",
        },
        inputs,
        picture=picture,
        more=[(step, frame.numpy()) for step, frame in dreaming.deeper],
    )
