"""Pictures with their classes, from folders or a table."""

import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from convscope.errors import InputError
from convscope.models.picture_files import SUFFIXES
from convscope.reading import ReadError, regular_bytes

Split = Literal["train", "validation", "test", ""]
SPLITS: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
"""What folders and columns call the parts of a dataset."""
MOST_BYTES = 500_000_000


@dataclass(frozen=True)
class Item:
    """A picture. label: the number of its class. split: the part that the dataset itself puts it into; empty where it
    leaves that to us. sha256: of its file; empty until it was read."""

    path: str
    label: int
    split: Split = ""
    sha256: str = ""


@dataclass(frozen=True)
class Dataset:
    """classes: their names, in natural order (img2 before img10). form: how they were found, in words. broken: files
    that cannot be read, each with the reason."""

    classes: tuple[str, ...]
    items: tuple[Item, ...]
    form: str
    broken: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> str:
        """The SHA-256 of its pictures and classes, wherever they lie."""
        told = sorted(f"{item.sha256} {self.classes[item.label]} {item.split}" for item in self.items)
        return hashlib.sha256("\n".join([*self.classes, *told]).encode()).hexdigest()

    def count(self, label: int) -> int:
        """How many pictures a class has."""
        return sum(item.label == label for item in self.items)


def natural(name: str) -> list[tuple[int, int, str]]:
    """A key that sorts numbers in names by their value."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name.lower())]


def dataset_of(entries: Sequence[tuple[str, str, Split]], form: str) -> Dataset:
    """A dataset from (path, class, split) of each picture. Raises InputError with fewer than two classes."""
    classes = tuple(sorted({name for _, name, _ in entries}, key=lambda name: (natural(name), name)))
    if len(classes) < 2:
        told = ", ".join(classes) or "none"
        raise InputError(f"pictures of at least two classes are needed to train; found {form}: {told}")
    number = {name: i for i, name in enumerate(classes)}
    items = tuple(Item(path, number[name], split) for path, name, split in entries)
    return Dataset(classes, items, form)


def from_folder(root: Path) -> Dataset:
    """`root/class/**`, or `root/train/class/**` beside `root/val/class/**` (or valid, validation, dev, test).

    A folder is a part only where it is named so and has folders of classes itself; without a part to judge by, what is
    in train/ is not split yet.

    Raises InputError where a folder has no pictures in folders of their own.
    """
    folders = _folders(root)
    named = {folder.name: SPLITS[folder.name.lower()] for folder in folders if folder.name.lower() in SPLITS}
    parts = {name: split for name, split in named.items() if _folders(root / name)}
    if set(parts.values()) == {"train"} and len(folders) == len(parts):
        return from_folder(root / next(iter(parts))) if len(parts) == 1 else _whole(root, list(parts))
    if "train" in parts.values() and len(set(parts.values())) > 1:
        entries = [
            (path, inner.name, split)
            for name, split in parts.items()
            for inner in _folders(root / name)
            for path in _pictures(inner)
        ]
        left = [folder.name for folder in folders if folder.name not in parts]
        also = f"; left out: {', '.join(left)}" if left else ""
        return dataset_of(entries, f"a folder for each part ({', '.join(parts)}) and class{also}")
    entries = [(path, folder.name, "") for folder in folders for path in _pictures(folder)]
    if not entries:
        loose = sum(1 for _ in _pictures(root))
        raise InputError(
            f"the folder {str(root)!r} has no pictures in folders of their own ({loose} in all); expected a folder for "
            "each class, or train/ and val/ with these, or a table: FILE.csv with the columns path, label"
        )
    return dataset_of(entries, "a folder for each class")


def _whole(root: Path, names: Sequence[str]) -> Dataset:
    """The classes in several folders that all are to train by."""
    entries = [(path, inner.name, "") for name in names for inner in _folders(root / name) for path in _pictures(inner)]
    return dataset_of(entries, f"a folder for each class, in {' and '.join(names)}")  # type: ignore[arg-type]


def _folders(root: Path) -> list[Path]:
    return sorted((one for one in root.iterdir() if one.is_dir() and not one.name.startswith(".")), key=_by_name)


def _by_name(path: Path) -> tuple[list[tuple[int, int, str]], str]:
    return natural(path.name), path.name


def _pictures(folder: Path) -> Iterable[str]:
    files = (file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    return sorted(str(file) for file in files if not file.name.startswith("."))


def with_hashes(dataset: Dataset) -> Dataset:
    """The dataset with the hash of each file; files that cannot be read go to `broken`."""
    items: list[Item] = []
    broken = list(dataset.broken)
    for item in dataset.items:
        try:
            data = regular_bytes(Path(item.path), MOST_BYTES)
        except ReadError as error:
            broken.append((item.path, str(error)))
            continue
        items.append(replace(item, sha256=hashlib.sha256(data).hexdigest()))
    return replace(dataset, items=tuple(items), broken=tuple(broken))


def without(dataset: Dataset, broken: dict[str, str]) -> Dataset:
    """The dataset without files that turned out to be no pictures. Raises InputError where too few are left."""
    items = tuple(item for item in dataset.items if item.path not in broken)
    lost = [name for i, name in enumerate(dataset.classes) if not any(item.label == i for item in items)]
    if lost:
        why = next(iter(broken.values()), "no file")
        raise InputError(f"no picture of the class {lost[0]!r} can be read ({why})")
    return replace(dataset, items=items, broken=(*dataset.broken, *broken.items()))


def relative(path: str, root: str | Path) -> str:
    """A picture's path as seen from the dataset, where it lies in it."""
    try:
        return os.path.relpath(path, root if os.path.isdir(root) else os.path.dirname(os.path.abspath(root)))
    except ValueError:  # on another drive
        return path
