"""The size of the pictures for a target, and the random transforms that suit it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch

from convscope.errors import InputError, NetworkError, OutOfMemoryError
from convscope.models.network import Network
from convscope.objectives.expression import Objective, taps_of
from convscope.synthesis.transform_chain import ROBUST, Chain, parse_chain
from convscope.synthesis.transforms import Crops, Plain, Sized, Transform, Wobble, smallest_side
from convscope.taps.record import record
from convscope.taps.tap import SCORES_TAP, Tap

VIEWS = ("auto", "crops", "wobble", "plain")
_CROPS = re.compile(r"(crops|auto)\((\d{1,3}), ?(\d{1,4})\)")
"""So many crops, of so many pixels; with "auto" those are of classes."""


@dataclass(frozen=True)
class Plan:
    """The size of the pictures, and the transform that shows them to the network, at `view_size`. views: what was asked
    for, "auto" no more."""

    size: tuple[int, int]
    transform: Transform
    view_size: tuple[int, int]
    views: str


def plan_for(net: Network, objectives: Sequence[Objective], views: str, size: int | None) -> Plan:
    """Crops for units that see most of the picture, wobble for those that see a part or have a position.

    views: one of VIEWS, "crops(2,192)" (so many, of so many pixels), "auto(2,192)" (these for classes), or a chain of
    transforms as text. Raises InputError.
    """
    given = _CROPS.fullmatch(views)
    if given and (given[1] == "crops" or _are_classes(objectives)):
        return _crops(net, objectives, int(given[2]), int(given[3]), size)
    views = "auto" if given else views
    links = () if views in VIEWS else parse_chain(views)
    if views not in VIEWS and not links:
        raise InputError(f"views is {views!r}; expected one of {', '.join(VIEWS)}, or transforms such as {ROBUST!r}")
    taps = taps_of(objectives)
    whole = any(_sees_most(net, tap) for tap in taps)
    placed = any(objective.has_place for objective in objectives)
    kind = views if views != "auto" else "crops" if whole and not placed else "wobble"
    classes = SCORES_TAP in taps
    spec = net.spec.hw
    natural = spec if classes or placed else smallest_side(spec, 192 if kind == "crops" else 128)
    if size is not None:
        natural = _sized(spec, size)
    if kind == "crops":
        crop = spec if placed else runs_at(net, taps, smallest_side(spec, 128 if classes else 96))
        return Plan(natural, Crops(views=4 if classes else 2, size=crop), crop, kind)
    runs = runs_at(net, taps, natural)
    if runs != natural:  # the network runs at its own size alone
        if size is not None:
            raise InputError(
                f"{net.name} runs at {spec[0]}x{spec[1]} pixels alone: leave size out, or take views='crops'"
            )
        natural = runs
    if links:
        held = spec if placed or runs_at(net, taps, half(spec)) == spec else None
        return Plan(natural, Chain(links, size=held), held or natural, views)
    return Plan(natural, Wobble() if kind == "wobble" else Plain(), natural, kind)


def _are_classes(objectives: Sequence[Objective]) -> bool:
    """Whether classes are among what is asked for, and nothing at a place."""
    return SCORES_TAP in taps_of(objectives) and not any(objective.has_place for objective in objectives)


def _crops(net: Network, objectives: Sequence[Objective], count: int, side: int, size: int | None) -> Plan:
    """So many crops in each step, of so many pixels on the short side, at most the picture's own."""
    taps = taps_of(objectives)
    placed = any(objective.has_place for objective in objectives)
    natural = net.spec.hw if size is None else _sized(net.spec.hw, size)
    crop = net.spec.hw if placed else runs_at(net, taps, smallest_side(net.spec.hw, side))
    return Plan(natural, Crops(views=count, size=crop), crop, f"crops({count},{side})")


def plans_for(
    net: Network, objectives: Sequence[Objective], views: str, size: int | None
) -> tuple[list[Plan], int | None]:
    """The plan of each target, all at one size, and that size: the largest that a target asks for, unless one is given.

    The size is None where none on the short side gives the one that was chosen.
    """
    plans = _each(net, objectives, views, size)
    if len({plan.size for plan in plans}) > 1:
        size = max(min(plan.size) for plan in plans)
        plans = _each(net, objectives, views, size)
    chosen = plans[0].size
    return plans, min(chosen) if _sized(net.spec.hw, min(chosen)) == chosen else size


def _sized(spec: tuple[int, int], side: int) -> tuple[int, int]:
    """The size with this short side and the proportions of the network's input."""
    return round(side * spec[0] / min(spec)), round(side * spec[1] / min(spec))


def _each(net: Network, objectives: Sequence[Objective], views: str, size: int | None) -> list[Plan]:
    """A plan for each target, worked out once for all that are tapped at the same layers."""
    plans: dict[tuple[tuple[Tap, ...], bool], Plan] = {}
    keys = [(tuple(taps_of([objective])), objective.has_place) for objective in objectives]
    for key, objective in zip(keys, objectives, strict=True):
        if key not in plans:
            plans[key] = plan_for(net, [objective], views, size)
    return [plans[key] for key in keys]


def grouped(plans: Sequence[Plan], objectives: Sequence[Objective]) -> Iterator[tuple[Plan, list[Objective]]]:
    """Runs of neighbouring targets that share a plan, so that they can be made as one batch."""
    pairs = zip(plans, objectives, strict=True)
    for plan, some in groupby(pairs, key=lambda pair: pair[0]):
        yield plan, [objective for _, objective in some]


def transform_at(net: Network, objectives: Sequence[Objective], plan: Plan, size: tuple[int, int]) -> Transform:
    """The transform of a stage of a schedule, whose pictures may have another size than the plan's."""
    if size == plan.size or isinstance(plan.transform, Crops):
        return plan.transform
    taps = taps_of(objectives)
    placed = any(objective.has_place for objective in objectives)
    runs = net.spec.hw if placed else runs_at(net, taps, size)
    return plan.transform if runs == size else Sized(plan.transform, runs)


def half(size: tuple[int, int]) -> tuple[int, int]:
    """About half a size, to try whether a network runs at sizes other than its own."""
    return max(1, size[0] // 2 + 8), max(1, size[1] // 2 + 8)


def _sees_most(net: Network, tap: Tap) -> bool:
    """Whether the receptive field is more than half of the picture's side."""
    if tap == SCORES_TAP:
        return True
    field = net.layer(tap.layer).receptive_field
    return field is None or field[0] > net.spec.height / 2


def runs_at(net: Network, taps: Sequence[Tap], size: tuple[int, int]) -> tuple[int, int]:
    """`size`, or the network's own where it cannot run at that."""
    if size == net.spec.hw or not taps:
        return size
    try:
        with torch.no_grad():
            trial = torch.full((1, net.spec.channels, *size), 0.5, device=net.device)
            record(net, trial, taps)
    except OutOfMemoryError:
        raise
    except (NetworkError, InputError):
        return net.spec.hw
    return size
