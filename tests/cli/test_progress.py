"""News of long work: no rate before it can be known, counts over the whole call."""

import io

import pytest

import convscope as cs
from convscope.cli import progress
from convscope.cli.progress import Pace, Watcher, line
from convscope.progress import Progress
from convscope.synthesis import batches
from tests.networks import noise, shared


def pace(*seen: tuple[float, int]) -> float | None:
    found = Pace()
    for now, done in seen:
        found.see(now, done)
    return found.rate


@pytest.mark.parametrize(
    ("seen", "rate"),
    [
        ([], None),
        ([(29.0, 1)], None),  # one step, however long it took
        ([(5.0, 1), (5.4, 2)], None),  # one step more in less than a second
        ([(5.0, 1), (7.0, 2)], 0.5),
        ([(5.0, 1), (5.2, 3)], 10.0),
        ([(5.0, 3), (9.0, 3)], None),  # nothing was done since
        ([(0.0, 1), (10.0, 101), (11.0, 1)], None),  # another piece of work
        ([(0.0, 1), (10.0, 101), (11.0, 1), (13.0, 5)], 2.0),
    ],
)
def test_a_rate_is_told_when_it_is_known(seen: list[tuple[float, int]], rate: float | None) -> None:
    assert pace(*seen) == (rate if rate is None else pytest.approx(rate))


def test_the_line_tells_no_more_than_is_known() -> None:
    assert line(Progress("64 pictures", 1, 10), None) == "64 pictures: 1 of 10"
    assert line(Progress("64 pictures", 4, 10), 2.0) == "64 pictures: 4 of 10, 2.0/s, 3 s left"
    assert line(Progress("64 pictures", 4, 10), 0.04) == "64 pictures: 4 of 10, 25.0 s each, 150 s left"
    assert line(Progress("integrated gradients", 96, 0), 8.0) == "integrated gradients: 96, 8.0/s"


def test_the_first_line_after_a_slow_step_has_no_rate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    with Watcher() as watch:
        for now, done in ((6.0, 1), (12.0, 2), (18.0, 3)):
            clock[0] = now
            watch(Progress("block3_conv1:1", done, 10))
    assert capsys.readouterr().err.splitlines() == [
        "block3_conv1:1: 1 of 10",
        "block3_conv1:1: 2 of 10, 6.0 s each, 48 s left",
        "block3_conv1:1: 3 of 10, 6.0 s each, 42 s left",
    ]


def told(net: cs.Network, targets: object, **options: object) -> list[tuple[str, int, int]]:
    news: list[Progress] = []
    cs.visualize(net, targets, watch=news.append, **options)  # type: ignore[arg-type]
    return [(one.what, one.done, one.total) for one in news]


def test_targets_of_several_groups_are_counted_over_the_call() -> None:
    mixed = told(shared("plain"), ["conv1:3", "class:bee", "class:ant"], steps=4)  # two plans
    assert mixed == [("3 pictures", done, 8) for done in range(1, 9)]
    assert told(shared("plain"), "conv1:3", steps=2) == [("conv1:3", 1, 2), ("conv1:3", 2, 2)]
    assert told(shared("plain"), "conv1:3", steps=2, variants=3) == [("3 pictures", 1, 2), ("3 pictures", 2, 2)]


def test_batches_of_a_group_are_counted_over_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "pictures_at_once", lambda *_: 2)
    counted = told(shared("plain"), ["conv1:0-4", "class:bee"], steps=3)  # 2 + 2 + 1 and 1
    assert counted == [("6 pictures", done, 12) for done in range(1, 13)]


def test_a_number_of_steps_that_nobody_knows_is_not_told() -> None:
    news: list[Progress] = []
    cs.explain(shared("plain"), noise(), method="integrated_gradients", watch=news.append)
    assert {one.total for one in news} == {0}
    assert [one.done for one in news] == sorted(one.done for one in news)
    news.clear()
    cs.explain(shared("plain"), noise(), method="integrated_gradients", steps=8, watch=news.append)
    assert (news[-1].done, news[-1].total) == (8, 8)


def test_a_bar_of_no_known_length_and_of_another_piece_of_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # a terminal
    with Watcher() as watch:
        watch._console.file = io.StringIO()
        for news in (Progress("a", 5, 0), Progress("a", 9, 0), Progress("b", 1, 4)):
            watch(news)
        assert watch._bars is not None
        (task,) = watch._bars.tasks
        assert (task.description, task.completed, task.total) == ("b", 1, 4)
        assert task.speed is None, "nothing is known of the pace of b yet"


def test_assess_counts_the_points_of_its_curves() -> None:
    news: list[Progress] = []
    cs.assess(shared("plain"), noise(), cs.explain(shared("plain"), noise()), watch=news.append)
    counts = [one.done for one in news]
    assert counts == sorted(counts)
    assert counts[0] > 0
    assert news[-1].done == news[-1].total


def test_a_series_says_which_map_it_is_at() -> None:
    news: list[Progress] = []
    vary = {"target": ["class:1", "class:2"], "effect": ["blur", "invert"]}
    cs.hybrid(shared("plain"), noise(), vary=vary, method="occlusion", watch=news.append)
    names = list(dict.fromkeys(one.what for one in news))
    assert names == ["map 1, occlusion", "variations", "map 2, occlusion"]
