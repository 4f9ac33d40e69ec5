"""Which pictures train a network, and which are held out to judge it."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from convscope.datasets.labelled import Dataset, Item
from convscope.errors import InputError


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
        return _own(dataset)
    groups: dict[str, list[Item]] = defaultdict(list)
    for item in dataset.items:
        groups[_group(item, group)].append(item)
    by_label: dict[int, list[list[Item]]] = defaultdict(list)
    for key in sorted(groups, key=lambda key: hashlib.sha256(f"{seed} {key}".encode()).digest()):
        by_label[groups[key][0].label].append(groups[key])
    held: list[Item] = []
    for label, several in sorted(by_label.items()):
        if len(several) < 2:
            raise InputError(
                f"the class {dataset.classes[label]!r} has too few pictures that differ ({len(several)}): at least 2 "
                "are needed, one to train and one to judge"
            )
        total = sum(map(len, several))
        wanted, taken = max(1, round(share * total)), 0
        for one in several[:-1]:
            if taken >= wanted:
                break
            held += one
            taken += len(one)
    chosen = {item.path for item in held}
    train = tuple(item for item in dataset.items if item.path not in chosen)
    return Parts(train, tuple(item for item in dataset.items if item.path in chosen), _twins(dataset, groups))


def _group(item: Item, pattern: str) -> str:
    if not pattern:
        return item.sha256
    try:
        told = re.search(pattern, Path(item.path).name)
    except re.error as error:
        raise InputError(f"group is {pattern!r}, no regular expression ({error})") from None
    if told is None:
        return item.sha256
    return f"group {told.group(1) if told.groups() else told.group()}"


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
    if parts["validation"] and parts["test"]:
        notes.append(f"{len(parts['test'])} pictures of the test part were left alone")
    return Parts(train, held, tuple(notes))


def _twins(dataset: Dataset, groups: dict[str, list[Item]]) -> tuple[str, ...]:
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
