"""Labelled pictures: how they are found, and how they are split."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from convscope.datasets.labelled import Dataset, Item, from_folder, natural, with_hashes
from convscope.datasets.split import split, weights_of
from convscope.datasets.table import from_table
from convscope.errors import InputError


def picture(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), (number % 256, number // 256, 7)).save(path)


def folders(root: Path, counts: dict[str, int]) -> None:
    for number, (name, count) in enumerate(counts.items()):
        for i in range(count):
            picture(root / name / f"{i}.png", 1000 * number + i)


def test_a_folder_for_each_class(tmp_path: Path) -> None:
    folders(tmp_path, {"class 10": 3, "class 2": 2, "Beta/inner": 1, ".hidden": 2})
    (tmp_path / "class 2" / "readme.txt").write_text("no picture")
    found = from_folder(tmp_path)
    assert found.classes == ("Beta", "class 2", "class 10")
    assert [found.count(i) for i in range(3)] == [1, 2, 3]
    assert found.form == "a folder for each class"


@pytest.mark.parametrize("names", [("train", "val"), ("training", "validation"), ("Train", "valid"), ("train", "test")])
def test_a_folder_for_each_part(names: tuple[str, str], tmp_path: Path) -> None:
    for number, part in enumerate(names):
        folders(tmp_path / part, {"a": 3 - number, "b": 2})
    folders(tmp_path, {"other": 1})
    found = with_hashes(from_folder(tmp_path))
    assert found.classes == ("a", "b")
    assert "left out: other" in found.form
    assert sorted({item.split for item in found.items} - {"train"})[0] in ("validation", "test")


def test_a_class_that_is_called_val_is_a_class(tmp_path: Path) -> None:
    folders(tmp_path, {"val": 2, "other": 2})
    assert from_folder(tmp_path).classes == ("other", "val")


@pytest.mark.parametrize(
    ("header", "told"),
    [("path,label", ""), ("file,class,split", "train"), ("IMAGE , Target", ""), ("\ufefffilename,category", "")],
)
def test_a_table(header: str, told: str, tmp_path: Path) -> None:
    folders(tmp_path / "p", {"a": 2, "b": 2})
    with (tmp_path / "t.csv").open("w", newline="", encoding="utf-8") as file:
        file.write(header + "\n")
        rows = csv.writer(file)
        for name in "ab":
            for i in range(2):
                part = ["train" if i else "val"] if "split" in header else []
                rows.writerow([f"p/{name}/{i}.png", name, *part])
    found = from_table(tmp_path / "t.csv")
    assert found.classes == ("a", "b")
    assert all(Path(item.path).is_file() for item in found.items)
    assert (found.items[1].split == "train") is bool(told)


def test_a_parquet_table(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.table({"path": ["0.png", "1.png"], "label": [3, 20]}), tmp_path / "t.parquet")
    assert from_table(tmp_path / "t.parquet").classes == ("3", "20")


WRONG: dict[str, tuple[Callable[[Path], None], str]] = {
    "loose": (lambda root: picture(root / "0.png", 1), "no pictures in folders of their own .1 in all."),
    "one class": (lambda root: folders(root, {"a": 3}), "at least two classes are needed to train; found .*: a"),
}


@pytest.mark.parametrize("name", WRONG)
def test_folders_that_are_no_dataset(name: str, tmp_path: Path) -> None:
    WRONG[name][0](tmp_path)
    with pytest.raises(InputError, match=WRONG[name][1]):
        from_folder(tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("path,label\n", "has no rows"),
        ("where,label\na.png,b", "has the columns where, label; expected one called path or file"),
        ("path,label\na.png,", "row 2 of .* has no label"),
        ("path,label,split\na.png,b,half", "has the split 'half'"),
        ("path,label\na.png,b", "at least two classes"),
    ],
)
def test_tables_that_are_no_dataset(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError, match=told):
        from_table(tmp_path / "t.csv")


def test_numbers_in_names_sort_by_value() -> None:
    assert sorted(["b10", "b9", "a", "B1", "10", "9"], key=natural) == ["9", "10", "a", "B1", "b9", "b10"]


# Laws of the split

datasets = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 40)), min_size=8, max_size=80
)  # the class and the content of each picture


def made(entries: list[tuple[int, int]]) -> Dataset:
    items = tuple(Item(f"/f/{i}.png", label, "", f"{content:064x}") for i, (label, content) in enumerate(entries))
    return Dataset(("a", "b", "c", "d"), items, "made")


def _first(entries: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Each content once, in the class where it comes first."""
    seen: dict[int, int] = {}
    for label, content in entries:
        seen.setdefault(content, label)
    return [(label, content) for content, label in seen.items()]


@given(datasets, st.integers(0, 10), st.sampled_from([0.1, 0.2, 0.5]))
def test_the_split(entries: list[tuple[int, int]], seed: int, share: float) -> None:
    dataset = made(entries)
    lonely = any(len({content for label, content in _first(entries) if label == one}) == 1 for one in range(4))
    if lonely:
        with pytest.raises(InputError, match="too few pictures that differ"):
            split(dataset, share, seed)
        return
    parts = split(dataset, share, seed)
    train, held = ({item.path for item in part} for part in (parts.train, parts.held_out))
    assert not train & held
    assert train | held == {item.path for item in dataset.items}
    assert train
    assert held
    sides = [{item.sha256 for item in part} for part in (parts.train, parts.held_out)]
    assert not sides[0] & sides[1]  # the same content is never on both sides


@given(st.integers(0, 20), st.randoms(use_true_random=False))
def test_the_split_goes_by_content_not_by_order_or_name(seed: int, random: object) -> None:
    entries = [(i % 2, i) for i in range(30)]
    first = split(made(entries), 0.2, seed)
    random.shuffle(entries)  # type: ignore[attr-defined]
    second = split(made(entries), 0.2, seed)
    assert {item.sha256 for item in first.held_out} == {item.sha256 for item in second.held_out}


def test_each_class_gives_its_share() -> None:
    parts = split(made([(i % 3, i) for i in range(90)] + [(3, 1000 + i) for i in range(10)]), 0.2, 0)
    assert [sum(item.label == label for item in parts.held_out) for label in range(4)] == [6, 6, 6, 2]
    other = split(made([(i % 3, i) for i in range(90)] + [(3, 1000 + i) for i in range(10)]), 0.2, 1)
    assert {item.path for item in parts.held_out} != {item.path for item in other.held_out}


def test_a_group_stays_together() -> None:
    items = tuple(Item(f"/f/cat{i // 5}_{i}.png", i % 2, "", f"{i:064x}") for i in range(60))
    parts = split(Dataset(("a", "b"), items, "made"), 0.3, 0, r"(cat\d+)_")
    groups = [{Path(item.path).name.split("_")[0] for item in part} for part in (parts.train, parts.held_out)]
    assert not groups[0] & groups[1]
    with pytest.raises(InputError, match="no regular expression"):
        split(Dataset(("a", "b"), items, "made"), 0.3, 0, "(")


def test_what_is_in_both_parts_is_not_judged(tmp_path: Path) -> None:
    folders(tmp_path / "train", {"a": 3, "b": 3})
    folders(tmp_path / "val", {"a": 2})
    shutil.copy(tmp_path / "train" / "a" / "0.png", tmp_path / "val" / "a" / "9.png")
    picture(tmp_path / "val" / "b" / "7.png", 5000)
    parts = split(with_hashes(from_folder(tmp_path)), 0.2, 0)
    assert [Path(item.path).name for item in parts.held_out] == ["7.png"]
    assert any("are in both parts" in note for note in parts.notes)


def test_twins_are_told() -> None:
    parts = split(made([(i % 2, i // 4) for i in range(40)]), 0.2, 0)
    assert any("files repeat others" in note for note in parts.notes)
    assert any("are in two classes at once" in note for note in parts.notes)


def test_what_classes_count() -> None:
    items = [Item("", 0), Item("", 0), Item("", 0), Item("", 1)]
    weights = weights_of(items, 2)
    assert weights[0] * 3 == pytest.approx(weights[1] * 1)
    assert weights[0] * 3 + weights[1] == pytest.approx(4)
