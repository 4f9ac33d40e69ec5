"""A session counts steps over several makings, begins each from the same seed, and keeps what a stop leaves."""

import pytest
import torch

import convscope as cs
from convscope.objectives.text import parse_target
from convscope.progress import Cancel, Progress, Watch, unwatched
from convscope.synthesis.frames import Frames
from convscope.synthesis.session import Session, kept_frames
from convscope.synthesis.stages import Making
from convscope.synthesis.transforms import Crops, Plain
from tests.networks import SIZE, network

SIZES = [(SIZE // 2, SIZE // 2), (SIZE, SIZE)]


def making(steps: int = 3, *, crops: bool = False) -> Making:
    transform = Crops(views=2, size=(SIZE, SIZE)) if crops else Plain()
    return Making("pixels", "adam", 0.05, SIZES, steps, lambda _: transform)


def run(session: Session, plan: Making, *, keep_frames: bool = True) -> torch.Tensor:
    objective = parse_target("conv2:1").bind(session.net)
    return session.make("a picture", [objective], plan, session.begin(plan), keep_frames=keep_frames).pictures()


def test_progress_counts_over_all_makings() -> None:
    news: list[Progress] = []
    session = Session(network("plain"), 0, news.append, total=12)
    for _ in range(2):
        run(session, making())
    assert [(one.done, one.total) for one in news] == [(i + 1, 12) for i in range(12)]
    assert {one.what for one in news} == {"a picture"}
    assert news[-1].now is not None
    assert news[-1].now().shape == (1, SIZE, SIZE, 3)


def test_a_restart_makes_what_follows_independent_of_what_was_before() -> None:
    session = Session(network("plain"), 7, unwatched)
    first = run(session, making(crops=True))
    session.restart()
    again = run(session, making(crops=True))
    other = run(session, making(crops=True))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def stopping_after(steps: int) -> Watch:
    def watch(news: Progress) -> None:
        if news.done == steps:
            raise Cancel

    return watch


def test_what_a_stop_leaves_are_the_pictures_after_the_last_step() -> None:
    session = Session(network("plain"), 0, stopping_after(2), total=6, frames=Frames("all", 6, SIZES[-1]))
    assert not session.started
    with pytest.raises(Cancel):
        run(session, making())
    assert session.made is not None
    assert session.started
    assert (session.made.steps, session.done, session.told()) == (2, 2, "stopped after 2 of 6 steps")
    shorter = Session(network("plain"), 0, unwatched)
    alone = Making("pixels", "adam", 0.05, SIZES[:1], 2, lambda _: Plain())
    assert torch.equal(session.made.pictures(), run(shorter, alone))
    steps, frames = kept_frames(session.frames)
    assert steps == [0, 1, 2]
    assert len(frames) == 3


def test_frames_are_kept_of_the_makings_that_ask_for_them() -> None:
    session = Session(network("plain"), 0, unwatched, frames=Frames("0,6", 6, SIZES[-1]))
    run(session, making())
    run(session, making(), keep_frames=False)
    steps, frames = kept_frames(session.frames)
    assert steps == [0, 6]
    assert [frame.shape for frame in frames] == [(1, SIZE, SIZE, 3)] * 2
    assert kept_frames(None) == ([], [])


def test_the_means_are_those_of_the_last_steps() -> None:
    session = Session(network("plain"), 0, unwatched)
    net = session.net
    plan = making(20)
    made = session.make("a picture", [cs.channel("conv2", 1).bind(net)], plan, session.begin(plan))
    assert len(made.values) == 8
    assert made.means[0] == pytest.approx(float(torch.stack(made.values).mean()))
    assert made.value == float(made.values[-1][0])
