"""Many pictures at once: as one by one, in order, bad ones skipped, memory bounded, stopped; and predict."""

import csv
import gc
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import convscope as cs
from convscope.attribution.method import method_class, method_of
from convscope.attribution.table import METHODS
from convscope.cli.main import app
from convscope.verbs.table import VERBS
from tests.contracts.verbs import SMALLER
from tests.networks import MODULES, network, noise, shared

MANY = [name for name, verb in VERBS.items() if verb.many]
BATCHED = [name for name in METHODS if method_class(name).batched]
ODD = 7


def close(one: cs.Result, other: cs.Result) -> None:
    assert set(one.arrays) == set(other.arrays)
    for name, array in one.arrays.items():
        most = float(np.abs(array.astype(np.float64)).max()) or 1.0
        assert np.allclose(other.arrays[name], array, rtol=0, atol=1e-5 * most), name
    assert one.recipe.call == other.recipe.call
    assert one.notes == other.notes


def test_a_recipe_tells_the_batch_it_was_made_in() -> None:
    net, pictures = shared("plain"), noise(1, n=5)
    for verb in (cs.explain, cs.predict, cs.activations):
        told = [one.recipe.machine.get("batch") for one in cs.each(verb, net, pictures, batch=3)]
        assert told == [3, 3, 3, 2, 2]
        assert all("batch" not in one.recipe.machine for one in cs.each(verb, net, pictures, batch=1))
    slow = cs.each(cs.explain, net, pictures, 1, "occlusion", batch=3)
    assert all("batch" not in one.recipe.machine for one in slow)


@pytest.mark.parametrize("batch", [None, 1, 3])
def test_a_picture_under_way_is_stopped_at_once_and_kept_as_far_as_it_is(batch: int | None) -> None:
    net, pictures, news = shared("plain"), noise(1, n=3), list[cs.Progress]()

    def watch(one: cs.Progress) -> None:
        news.append(one)
        if one.done == 1 and "RISE" in one.note:
            raise cs.Cancel

    results = cs.each(cs.explain, net, pictures, 1, cs.RISE(samples=300), watch=watch, batch=batch)
    first = next(results)
    close(cs.explain(net, pictures[0], 1, cs.RISE(samples=300)), first)
    with pytest.raises(cs.Stopped, match="stopped after 1 of 3 pictures") as told:
        next(results)
    assert told.value.result is not None
    assert told.value.result.recipe.stopped
    assert {(one.what, one.total) for one in news} == {("explain", 3)}


@pytest.mark.parametrize("kind", MODULES)
@pytest.mark.parametrize("verb", MANY)
def test_results_are_those_of_single_pictures(verb: str, kind: str) -> None:
    net, pictures = shared(kind), noise(1, n=ODD)
    function = getattr(cs, verb)
    results = list(cs.each(function, net, pictures, batch=3))
    assert len(results) == ODD
    for i, result in enumerate(results):
        close(function(net, pictures[i]), result)


@pytest.mark.parametrize("options", [{}, {"target": "class:bee"}, {"target": 2, "signed": True, "top": 3}])
@pytest.mark.parametrize("method", BATCHED)
def test_methods_of_a_batch_give_what_they_give_alone(method: str, options: dict[str, Any]) -> None:
    net, pictures = network("residual"), noise(1, n=ODD)
    for i, result in enumerate(cs.each(cs.explain, net, pictures, method=method, **options)):
        close(cs.explain(net, pictures[i], method=method, **options), result)


def test_a_batch_is_one_forward_pass(batch_sizes: list[int]) -> None:
    net = network("plain")
    net.layers()
    batch_sizes.clear()
    assert len(list(cs.each(cs.explain, net, noise(1, n=8), batch=4))) == 8
    assert batch_sizes == [4, 4]


def test_targets_that_pictures_decide_are_each_their_own() -> None:
    net, pictures = shared("plain"), noise(1, n=4)
    for i, result in enumerate(cs.each(cs.explain, net, pictures, "strongest(conv1)")):
        close(cs.explain(net, pictures[i], "strongest(conv1)"), result)


def test_any_verb_that_takes_a_picture_can_be_asked() -> None:
    net, pictures = shared("plain"), noise(1, n=2)
    found = list(cs.each(cs.hybrid, net, pictures, 1, effect="blur"))
    assert np.array_equal(found[1].arrays["images"], cs.hybrid(net, pictures[1], 1, effect="blur").arrays["images"])
    with pytest.raises(cs.ConvscopeError, match="expected a verb whose second argument is a picture"):
        cs.each(cs.weights, net, pictures)


def test_an_iterator_is_read_as_it_is_needed() -> None:
    net, read = shared("plain"), []

    def pictures() -> Iterator[torch.Tensor]:
        for i in range(9):
            read.append(i)
            yield noise(i)[0] if i % 2 else noise(i)

    news: list[cs.Progress] = []
    results = cs.each(cs.explain, net, pictures(), 1, batch=4, watch=news.append)
    assert (read, results.total) == ([], 0)
    first = next(results)
    assert read == [0, 1, 2, 3]
    close(cs.explain(net, noise(0), 1), first)
    assert len(list(results)) == 8
    assert [one.done for one in news] == [4, 8, 9]
    with pytest.raises(cs.ConvscopeError, match="no picture was given"):
        next(cs.each(cs.explain, net, iter([]), 1))


def test_a_data_loader_of_batches_is_a_stream_of_pictures() -> None:
    net, pictures = shared("plain"), noise(1, n=5)
    loader = torch.utils.data.DataLoader([*pictures], batch_size=2)
    results = list(cs.each(cs.predict, net, loader))
    assert len(results) == 5
    close(cs.predict(net, pictures[4]), results[4])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with three pictures, one of them below, and two files that are none."""
    for i, name in enumerate(("b.png", "a.png", "below/a.png")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        pixels = np.random.default_rng(i).integers(0, 256, (40, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / name)
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_text("not one that is looked at")
    return tmp_path


def test_folders_patterns_and_lists_are_read_and_bad_pictures_skipped(folder: Path) -> None:
    net = shared("plain")

    def read(images: Any) -> tuple[list[str], list[str]]:
        results = cs.each(cs.predict, net, images)
        paths = [str(result.recipe.inputs["image"]["path"]) for result in results]
        return [str(Path(path).relative_to(folder)) for path in paths], [one.name for one in results.skipped]

    broken = str(folder / "broken.jpg")
    assert read(folder) == (["a.png", "b.png", "below/a.png"], [broken])
    assert read(str(folder / "*.png")) == (["a.png", "b.png"], [])
    assert read([folder / "b.png", folder / "below", broken]) == (["b.png", "below/a.png"], [broken])
    assert read(folder / "gone.png") == ([], [str(folder / "gone.png")])
    with pytest.raises(cs.ConvscopeError, match="no file matches"):
        read(str(folder / "*.webp"))
    (folder / "empty").mkdir()
    with pytest.raises(cs.ConvscopeError, match="has no picture"):
        read(folder / "empty")
    with pytest.raises(cs.ConvscopeError, match="no picture was given"):
        read([])
    with pytest.raises(cs.ConvscopeError, match="not a picture"):
        list(cs.each(cs.predict, net, folder, errors="raise"))


@pytest.mark.parametrize(
    ("options", "said"),
    [({"method": "melt"}, "no method named"), ({"target": "class:zebra"}, "no class"), ({"patch": 3}, "no option"),
     ({"batch": 0}, "batch is 0"), ({"layer": "nowhere"}, "no layer")],
)  # fmt: skip
def test_options_are_checked_before_any_picture_is_opened(options: dict[str, Any], said: str) -> None:
    with pytest.raises(cs.ConvscopeError, match=said):
        cs.each(cs.explain, shared("plain"), "no such file.png", **options)


def test_a_picture_that_fails_in_the_network_is_found_and_the_others_are_kept() -> None:
    pictures = noise(1, n=6)
    pictures[4] = float("nan")
    results = cs.each(cs.explain, network("plain"), list(pictures), batch=6)
    found = list(results)
    assert len(found) + len(results.skipped) == 6
    assert [one.name for one in results.skipped] == ["picture 4"]


def test_memory_that_runs_out_halves_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    net, pictures = network("plain"), noise(1, n=8)
    wanted = [cs.explain(net, one) for one in pictures]
    run, sizes = cs.Network.run, []

    def scarce(self: cs.Network, images: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        if len(images) > 3:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        sizes.append(len(images))
        return run(self, images, *args, **kwargs)

    monkeypatch.setattr(cs.Network, "run", scarce)
    for one, other in zip(wanted, cs.each(cs.explain, net, pictures, batch=8), strict=True):
        close(one, other)
    assert max(sizes) == 2


def test_it_can_be_stopped_and_what_was_given_out_is_kept() -> None:
    kept: list[cs.Result] = []

    def watch(news: cs.Progress) -> None:
        if news.done >= 4:
            raise cs.Cancel

    with pytest.raises(cs.Stopped, match="stopped after 4 of 7 pictures"):
        kept.extend(cs.each(cs.explain, network("plain"), noise(1, n=ODD), batch=2, watch=watch))
    assert len(kept) == 4


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, [*arguments, "--weights", "none"])


def test_explain_of_a_folder_writes_heatmaps_and_a_table(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    out = tmp_path_factory.mktemp("out")
    done = run("explain", str(folder), "--out", str(out / "maps"), "--table", str(out / "t.csv"), "--json")
    assert done.exit_code == 0, done.output
    with (out / "t.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [Path(row["path"]).name for row in rows] == ["a.png", "b.png", "a.png", "broken.jpg"]
    assert [bool(row["error"]) for row in rows] == [False, False, False, True]
    for row in rows[:3]:
        loaded = cs.load_result(row["file"])
        assert loaded.recipe.inputs["image"]["path"] == row["path"]
        assert loaded.facts["guess"]["label"] == row["class"]
    assert len({row["file"] for row in rows[:3]}) == 3, "files of one name in two folders do not overwrite each other"
    assert "broken.jpg" in done.stderr


def test_notes_of_the_results_are_in_the_table_and_said_once(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    out = tmp_path_factory.mktemp("out")
    done = run("explain", str(folder), "--method", "guided_backprop", "--out", str(out), "--table",
               str(out / "t.jsonl"))  # fmt: skip
    assert done.exit_code == 0, done.output
    caveat = method_class("guided_backprop").caveat
    rows = [json.loads(line) for line in (out / "t.jsonl").read_text().splitlines()]
    assert [caveat in (row["notes"] or "") for row in rows] == [True, True, True, False]
    assert " ".join(done.stderr.split()).count(caveat) == 1


def test_replay_says_that_a_result_was_made_in_a_batch(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    out = tmp_path_factory.mktemp("out")
    assert run("explain", str(folder), "--out", str(out)).exit_code == 0
    file = next(out.rglob("*.png"))
    result = cs.load_result(file)
    assert result.recipe.machine["batch"] == 3
    done = run("replay", str(file), "--files", "--out", str(out / "again.png"))
    if "NOT the same pixels" in done.stdout:
        assert "a batch of 3" in done.stdout


@pytest.mark.parametrize("name", METHODS)
def test_pictures_go_one_at_a_time_unless_the_method_is_batched(name: str) -> None:
    opened: list[int] = []

    def pictures() -> Iterator[torch.Tensor]:
        for i in range(5):
            opened.append(i)
            yield noise(i)

    next(cs.each(cs.explain, shared("plain"), pictures(), method=method_of(name, SMALLER.get(name)), batch=3))
    assert opened == ([0, 1, 2] if method_class(name).batched else [0])


@pytest.mark.parametrize("verb", ["explain", "predict", "activations"])
def test_tables_of_every_kind(verb: str, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    out = tmp_path_factory.mktemp("out")
    where = [] if verb == "predict" else ["--out", str(out / "d")]
    more = ["stem.conv"] if verb == "activations" else []
    table = out / "t.jsonl"
    done = run(verb, str(folder), *more, *where, "--table", str(table))
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in table.read_text().splitlines()]
    assert [Path(row["path"]).name for row in rows] == ["a.png", "b.png", "a.png", "broken.jpg"]
    assert rows[-1]["error"]
    assert all(row["error"] is None for row in rows[:3])


def test_what_cannot_be_written_is_told_before_any_work(folder: Path) -> None:
    for arguments, said in (
        (("explain", str(folder), "--out", str(folder / "x.png")), "go to a folder"),
        (("explain", str(folder), "--table", str(folder / "t.xls")), "ends in .csv"),
        (("predict", str(folder), "--out", str(folder / "x.png")), "--out is for one picture"),
        (("explain", str(folder / "broken.jpg"), str(folder / "notes.txt"), "--out", str(folder / "o")), "not a pict"),
    ):
        done = run(*arguments)
        assert done.exit_code == 1
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
    assert not (folder / "o").exists()


def test_a_prediction_is_a_result_with_its_picture(folder: Path) -> None:
    net = shared("plain")
    made = cs.predict(net, folder / "a.png", top=2)
    (wanted,) = net.predict(folder / "a.png", top=2)
    assert [guess["label"] for guess in made.facts["guesses"]] == [guess.label for guess in wanted]
    assert made.arrays["probabilities"].sum() == pytest.approx(1)
    assert made.arrays["scores"].shape == (5,)
    assert made.image().width > 400


def peak(work: Callable[[], None]) -> int:
    """Bytes at most that tensors and arrays took beside what was there before."""
    import tracemalloc

    tracemalloc.start()
    work()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def test_memory_does_not_grow_with_the_number_of_pictures() -> None:
    net, picture = shared("plain"), noise(1)[0]

    def work(count: int) -> None:
        results = cs.each(cs.explain, net, [picture] * count, batch=4)
        for _ in results:
            gc.collect()  # what lies in cycles of references is freed now and then; here at once
        assert not results.skipped

    work(8)
    few, many = peak(lambda: work(8)), peak(lambda: work(40))
    assert many < 1.2 * few + 20_000
