"""Which pictures are held out: what stays together, how many, and what is told."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from convscope.datasets.labelled import Dataset, Item, from_folder
from convscope.datasets.split import split
from convscope.errors import InputError


def dataset(*items: tuple[str, int, str]) -> Dataset:
    """(path, label, content) of each."""
    return Dataset(("a", "b"), tuple(Item(path, label, "", content) for path, label, content in items), "by hand")


pictures = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 1), st.integers(0, 25)), min_size=8, max_size=60, unique=True
)


@settings(deadline=None, derandomize=True, database=None, max_examples=100)
@given(pictures, st.integers(0, 5))
def test_neither_content_nor_group_is_on_both_sides(drawn: list[tuple[int, int, int]], seed: int) -> None:
    data = dataset(*((f"s{group}_{i}.png", label, f"c{content}") for i, (group, label, content) in enumerate(drawn)))
    try:
        parts = split(data, 0.3, seed, r"^(s\d+)_")
    except InputError:
        return
    for key in (lambda item: item.sha256, lambda item: item.path.split("_")[0]):
        assert not {key(item) for item in parts.train} & {key(item) for item in parts.held_out}
    assert len(parts.train) + len(parts.held_out) == len(drawn)


@pytest.mark.parametrize("seed", range(6))
def test_a_large_group_does_not_take_the_place_of_the_share(seed: int) -> None:
    data = dataset(
        *((f"s0_{label}_{i}.png", label, f"{label} {i}") for label in (0, 1) for i in range(90)),
        *((f"x{label}{i}_.png", label, f"x{label} {i}") for label in (0, 1) for i in range(10)),
    )
    parts = split(data, 0.2, seed, r"^(s\d+_\d)_")
    assert len(parts.held_out) == 20
    assert [note for note in parts.notes if "asked for was 0.2" in note]


def picture(path: Path, value: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((4, 4, 3), value, np.uint8)).save(path)


def test_classes_that_are_called_like_parts(tmp_path: Path) -> None:
    for i, name in enumerate(("train", "bus", "car")):
        picture(tmp_path / name / "1.png", i)
    assert from_folder(tmp_path).classes == ("bus", "car", "train")


def test_train_without_a_part_to_judge_by_is_not_split_yet(tmp_path: Path) -> None:
    for i, name in enumerate(("bus", "car")):
        picture(tmp_path / "train" / name / "1.png", i)
    data = from_folder(tmp_path)
    assert data.classes == ("bus", "car")
    assert {item.split for item in data.items} == {""}


def test_classes_that_differ_in_case_alone_have_one_order(tmp_path: Path) -> None:
    for i, name in enumerate(("cat", "CAT", "Cat", "01", "1")):
        picture(tmp_path / name / "1.png", i)
    assert from_folder(tmp_path).classes == ("01", "1", "CAT", "Cat", "cat")


def test_what_a_table_leaves_out_and_lacks_is_told() -> None:
    items = [
        *(Item(f"t{i}", i % 2, "train", f"t{i}") for i in range(4)),
        Item("v0", 0, "validation", "v0"),
        *(Item(f"n{i}", 0, "", f"n{i}") for i in range(12)),
    ]
    data = Dataset(("car", "cars"), tuple(items), "a table")
    notes = " ".join(split(data, 0.2, 0).notes)
    assert "12 pictures are of no part in the table" in notes
    assert "nothing to judge by of the class 'cars'" in notes
    with pytest.raises(InputError, match="the data say their parts themselves: leave group out"):
        split(data, 0.2, 0, "(")
