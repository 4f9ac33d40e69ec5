"""Which pictures train a network, and which are held out to judge it."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from convscope.datasets.labelled import Dataset, Item
from convscope.errors import InputError

UNEVEN = 0.25
"""How far the share that is held out may be from the one asked for, in parts of it, before it is told."""


@dataclass(frozen=True)
class Parts:
    """The two parts of a dataset, and what a reader has to know of them."""

    train: tuple[Item, ...]
    held_out: tuple[Item, ...]
    notes: tuple[str, ...] = ()


def split(dataset: Dataset, share: float, seed: int, group: str = "") -> Parts:
    """The parts that the dataset itself says, or else a share of each class held out.

    Which pictures these are depends on their content and the seed alone, not on names or order; files with the same
    content are never on both sides, nor are those of a group. group: a regular expression, whose first bracket (or all
    of it) names the pictures in a file's name that belong together. Of a dataset with val/ and test/ the test part is
    left out.

    Raises InputError where a part would have no picture, or the dataset puts the same picture on both sides.
    """
    if any(item.split for item in dataset.items):
        if group:
            raise InputError(f"group is {group!r}, but the data say their parts themselves: leave group out")
        return _own(dataset)
    groups = _groups(dataset.items, group)
    by_label: dict[int, list[list[Item]]] = defaultdict(list)
    for key in sorted(groups, key=lambda key: hashlib.sha256(f"{seed} {key}".encode()).digest()):
        by_label[groups[key][0].label].append(groups[key])
    held: list[Item] = []
    notes: list[str] = []
    for label, several in sorted(by_label.items()):
        if len(several) < 2:
            raise InputError(
                f"the class {dataset.classes[label]!r} has too few pictures that differ ({len(several)}): at least 2 "
                "are needed, one to train and one to judge"
            )
        chosen_groups = _nearest(several, share)
        held += [item for one in chosen_groups for item in one]
        total, taken = sum(map(len, several)), sum(map(len, chosen_groups))
        if group and abs(taken - share * total) > max(1.0, UNEVEN * share * total):
            notes.append(
                f"{taken} of {total} pictures of the class {dataset.classes[label]!r} are held out, as groups stay "
                f"together; asked for was {share:g}"
            )
    chosen = {item.path for item in held}
    train = tuple(item for item in dataset.items if item.path not in chosen)
    return Parts(train, tuple(item for item in dataset.items if item.path in chosen), (*_twins(dataset), *notes))


def _nearest(groups: Sequence[list[Item]], share: float) -> list[list[Item]]:
    """Groups, the first that fit, which together come nearest to a share of all; at least one, and never all."""
    wanted = max(1, round(share * sum(map(len, groups))))
    taken: list[list[Item]] = []
    count = 0
    for one in groups:
        nearer = abs(count + len(one) - wanted) < abs(count - wanted)
        if nearer and len(taken) + 1 < len(groups):
            taken.append(one)
            count += len(one)
    return taken or [min(groups, key=len)]


def _groups(items: Sequence[Item], pattern: str) -> dict[str, list[Item]]:
    """The pictures that stay together, by a name that their content alone tells: those with the same content, those
    of one group, and whatever is tied together by these."""
    ties: dict[str, str] = {}

    def root(key: str) -> str:
        while ties.setdefault(key, key) != key:
            key = ties[key]
        return key

    for item in items:
        named = _group(item, pattern)
        if named is not None:
            ends = sorted((root(f"group {named}"), root(item.sha256)))
            ties[ends[1]] = ends[0]
    result: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        result[root(item.sha256)].append(item)
    return result


def _group(item: Item, pattern: str) -> str | None:
    """What the pattern finds in the file's name; None where it finds nothing."""
    if not pattern:
        return None
    try:
        told = re.search(pattern, Path(item.path).name)
    except re.error as error:
        raise InputError(f"group is {pattern!r}, no regular expression ({error})") from None
    if told is None:
        return None
    return str(told.group(1) if told.groups() else told.group())


def _own(dataset: Dataset) -> Parts:
    train = tuple(item for item in dataset.items if item.split == "train")
    parts = {name: tuple(item for item in dataset.items if item.split == name) for name in ("validation", "test")}
    held = parts["validation"] or parts["test"]
    if not train or not held:
        raise InputError(f"the dataset ({dataset.form}) has {len(train)} pictures to train and {len(held)} to judge")
    both = {item.sha256 for item in train} & {item.sha256 for item in held}
    notes = []
    if both:
        path = next(item.path for item in held if item.sha256 in both)
        held = tuple(item for item in held if item.sha256 not in both)
        notes.append(f"{len(both)} pictures are in both parts ({path}): they were not judged")
        if not held:
            raise InputError("all pictures held out are among those to train, too: there is nothing to judge by")
    left = sum(item.split == "" for item in dataset.items)
    if left:
        notes.append(f"{left} pictures are of no part in the table: they were left alone")
    for name, some in (("train by", train), ("judge by", held)):
        missing = [one for i, one in enumerate(dataset.classes) if not any(item.label == i for item in some)]
        if missing:
            notes.append(f"there is nothing to {name} of the class {', '.join(map(repr, missing))}")
    if parts["validation"] and parts["test"]:
        notes.append(f"{len(parts['test'])} pictures of the test part were left alone")
    return Parts(train, held, tuple(notes))


def _twins(dataset: Dataset) -> tuple[str, ...]:
    """What has to be known of files with the same content."""
    by_content: dict[str, list[Item]] = defaultdict(list)
    for item in dataset.items:
        by_content[item.sha256].append(item)
    odd = [several for several in by_content.values() if len({item.label for item in several}) > 1]
    same = sum(len(several) - 1 for several in by_content.values())
    notes = []
    if odd:
        names = " and ".join(Path(item.path).name for item in odd[0][:2])
        notes.append(f"{len(odd)} pictures are in two classes at once ({names})")
    if same:
        notes.append(f"{same} files repeat others; they were kept on one side")
    return tuple(notes)


def weights_of(items: Sequence[Item], classes: int) -> list[float]:
    """What each class counts, so that all count the same in sum."""
    counts = [max(1, sum(item.label == label for item in items)) for label in range(classes)]
    return [len(items) / (classes * count) for count in counts]
