"""`convscope.visualize`: what a filter, a neuron, a layer or a class looks for."""

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Any

import torch

from convscope.errors import InputError, NotFiniteError
from convscope.memory import memory_watched
from convscope.models.network import Network
from convscope.models.photograph import ImageLike, Photograph, listed, open_photograph
from convscope.models.picture_files import pictures_in
from convscope.objectives.expression import Objective
from convscope.objectives.text import ensure_objective, parse_target, parse_targets
from convscope.options import MOST_SEED, About, check_given, plain_number, renamed
from convscope.progress import Watch, keeping, unwatched
from convscope.results.pictures import Pictures
from convscope.synthesis.batches import Batches, BatchOptions, Group
from convscope.synthesis.frames import Frames
from convscope.synthesis.gradients import parse_changes
from convscope.synthesis.measure import MOST_REAL, Real
from convscope.synthesis.optimisers import OptimiserName
from convscope.synthesis.plan import grouped, plans_for, transform_at
from convscope.synthesis.schedule import parse_schedule
from convscope.synthesis.session import Session
from convscope.synthesis.stages import Making, Parameterisation
from convscope.synthesis.starts import STARTS
from convscope.verbs.presets import VISUALIZE, filled
from convscope.verbs.verb import verb
from convscope.verbs.visualization import Visualization, target_caption

Target = Objective | str | int


@renamed
@memory_watched("visualize")
@verb
def visualize(
    net: Network,
    target: Annotated[
        Target | Sequence[Target], About("class:NAME, layer:channel, layer:0-15, layer:3@4,5, sums of these")
    ],
    *,
    preset: Annotated[str, About("fills in what is not given", choices=tuple(VISUALIZE))] = "default",
    start: Annotated[
        str | ImageLike | Photograph | None,
        About("noise, grey, blank, black, uniform, normal, random, gradient, or a photograph to start from"),
    ] = None,
    size: Annotated[int | None, About("pixels on the short side", 16, 4096, unset="chosen by the target")] = None,
    steps: Annotated[int | None, About("steps of the ascent, at each size of the schedule", 1, 100000)] = None,
    lr: Annotated[
        float | None, About("the optimiser's learning rate", 1e-6, 1000, unset="the preset's", was="rate")
    ] = None,
    views: Annotated[
        str | None,
        About("transforms in each step: auto, crops, wobble, plain, or a chain such as 'pad(12) jitter(8) rotate(10)'"),
    ] = None,
    parameterisation: Annotated[
        Parameterisation | None, About("what of the picture is optimised", unset="the preset's", was="image")
    ] = None,
    optimiser: Annotated[OptimiserName | None, About("what moves the picture")] = None,
    gradient: Annotated[str | None, About("plain, or some of rms, clip(1), smooth(1)")] = None,
    branches: Annotated[
        float | None,
        About("how much of the gradient goes back through residual branches", 0, 1, unset="the preset's", before=1.0),
    ] = None,
    schedule: Annotated[str | None, About("single, octaves(4,1.4), grow(64,1.2) or zoom(3,1.2)")] = None,
    penalty: Annotated[str | None, About("taken off the target, such as '10*tv() + 10*lp(6)'")] = None,
    magnitude: Annotated[
        ImageLike | Sequence[ImageLike] | None,
        About("for phase: photographs whose Fourier magnitude the pictures have", unset="1/f"),
    ] = None,
    real: Annotated[
        ImageLike | Sequence[ImageLike] | None, About("photographs, or a folder of them, to compare the values with")
    ] = None,
    variants: Annotated[int, About("different pictures of each target", 1, 16)] = 1,
    frames: Annotated[str | None, About("steps to keep as frames: '0,7,15,30', 'every 5' or 'all'")] = None,
    seed: Annotated[int, About("of all that is random", 0, MOST_SEED)] = 0,
    watch: Watch = unwatched,
) -> Pictures:
    """Pictures that drive targets high, by gradient ascent on the input; how high is in `values`.

    target: one target or a list of them, made as one batch: "block3_conv1:0-63" is a sheet of filters,
    "class:zebra" a class, "layer:3@4,5" a neuron, and any sum with penalties: "class:zebra - 0.5*tv()". Each picture
    of a batch is the one that its target would give alone (to rounding).

    preset: fills in what is left open; `convscope.verbs.presets` lists what each says and costs.
    Targets of several depths each get the transforms that suit them, at the size of the largest.
    views: "crops(2,192)" shows two random crops of all scales, of 192 pixels, in each step, which makes pictures that
    other networks recognise too ("crops" are four of 128); "wobble" shifts, scales and turns the whole a little, which
    suits units that see a small part; "auto(2,192)" takes these crops for classes, others for units that see more than
    half of the picture, and wobble for the rest ("auto": four crops of 128 for classes).
    parameterisation: "fourier" (decorrelated frequencies and colours), "pixels" (through a sigmoid), "raw" (held in
    [0,1]), "phase" (under a fixed Fourier magnitude), "pyramid" (Laplacian).
    branches: below 1, more of the gradient comes back through what goes past the branches of a residual network, and
    the pictures are recognised by more other networks. Nothing changes in networks without.
    magnitude: for "phase", photographs whose magnitude (their mean) the pictures have; 1/f unless given.
    real: photographs, or a folder of them, to say of each target what it reaches on these: facts `real_most`,
    `real_middle` (the greatest and the median) and `above_real`, the share of them that the picture is above.
    variants: of each target, held apart by a diversity term, from different noise.

    A unit that is silent behind its activation gets a gradient through it for the first steps; a note says so.

    Returns `images` (`n h w c` in [0,1]), `values` (`n`: each objective on the finished picture, without transforms
    and penalty) and, where asked for, `frames` (`f n h w c`, bytes). Raises Stopped on Ctrl-C, whose `result` holds
    what was done.

    Source: Olah, Mordvintsev and Schubert, "Feature Visualization" (Distill, 2017); random crops after Fel et al.,
    "Unlocking Feature Visualization for Deeper Networks with MAgnitude Constrained Optimization" (NeurIPS 2023).
    Damped branches after Wu et al., "Skip Connections Matter" (ICLR 2020).
    Departs from both: crops of an unconstrained Fourier image, as those were recognised best by other networks.
    """
    objectives = [objective.bind(net) for objective in _targets(target)]
    size = plain_number(size)
    options = filled(
        VISUALIZE,
        preset,
        {
            "start": start,
            "steps": steps,
            "lr": lr,
            "views": views,
            "parameterisation": parameterisation,
            "optimiser": optimiser,
            "gradient": gradient,
            "branches": branches,
            "schedule": schedule,
            "penalty": penalty,
        },
        residual=any(branch is not None for branch in net.branches),
    )
    options |= {"preset": preset, "size": size, "variants": variants, "frames": frames, "seed": seed}
    options = {name: plain_number(value) for name, value in options.items()}
    check_given(visualize, options)
    if variants > 1 and options["optimiser"] == "lbfgs":
        raise InputError("lbfgs makes each picture by itself, which variants cannot be: take another optimiser")
    plans, options["size"] = plans_for(net, objectives, options["views"], size)
    hw, kinds = plans[0].size, {plan.views for plan in plans}
    if len(kinds) == 1:  # else it stays "auto": each target's own
        (options["views"],) = kinds
    magnitudes = _magnitudes(net, magnitude, hw)
    if magnitudes and options["parameterisation"] != "phase":
        raise InputError(
            f"magnitude is of parameterisation='phase'; parameterisation is {options['parameterisation']!r}"
        )
    started = _start(net, options["start"], hw)
    sizes = parse_schedule(options["schedule"]).sizes(hw)
    making = Making(
        options["parameterisation"],
        options["optimiser"],
        options["lr"],
        sizes,
        options["steps"],
        partial(transform_at, net, objectives, plans[0]),
        parse_changes(options["gradient"]),
        magnitudes=torch.cat([photograph.tensor() for photograph in magnitudes]) if magnitudes else None,
        branches=options["branches"],
    )
    compared = Real(net, _real(real), objectives) if real is not None else None
    taken_off = parse_target(options["penalty"]).bind(net) if options["penalty"] else None
    session = Session(net, options["seed"], watch, frames=Frames(options["frames"], making.total, hw))
    start_from = options["start"] if started is None else started.tensor()
    batches = Batches(session, BatchOptions(start_from, variants, taken_off), partial(target_caption, net))
    shown = Visualization(batches, making, options, started, magnitudes, compared)
    with keeping(shown.told, shown.result):
        batches.run(
            [
                Group(some, plan, replace(making, transform_at=partial(transform_at, net, some, plan)))
                for plan, some in grouped(plans, objectives)
            ]
        )
    result = shown.result()
    if result is None:
        raise NotFiniteError("; ".join(batches.skipped))
    return result


def _targets(target: Target | Sequence[Target]) -> list[Objective]:
    alone = isinstance(target, Objective | str) or hasattr(target, "__index__")
    given: list[Any] = [target] if alone else list(target)  # type: ignore[arg-type]
    objectives: list[Objective] = []
    for one in given:
        objectives += parse_targets(one) if isinstance(one, str) else [ensure_objective(one)]
    if not objectives:
        raise InputError("no target was given; expected at least one, such as 'class:zebra'")
    return objectives


def _magnitudes(net: Network, given: Any, size: tuple[int, int]) -> list[Photograph]:
    return [open_photograph(one, replace(net.spec, size=size)) for part in listed(given) for one in pictures_in(part)]


def _real(given: Any) -> list[Any]:
    """The photographs to compare with. Raises InputError for more than can be."""
    photographs = pictures_in(given)
    if len(photographs) > MOST_REAL:
        raise InputError(f"{len(photographs)} photographs are given as real; expected at most {MOST_REAL}")
    return photographs


def _start(net: Network, start: Any, size: tuple[int, int]) -> Photograph | None:
    """The photograph to start from, or None where the start has a name."""
    if isinstance(start, str) and start in STARTS:
        return None
    if isinstance(start, str) and not os.path.exists(start):
        raise InputError(f"start is {start!r}; expected one of {', '.join(STARTS)}, or the path of a photograph")
    return open_photograph(start, replace(net.spec, size=size))
