"""Transforms as text, each doing what it says."""

import pytest
import torch

import convscope as cs
from convscope.synthesis.gradients import parse_changes
from convscope.synthesis.schedule import parse_schedule
from convscope.synthesis.transform_chain import (
    ROBUST,
    Blur,
    Chain,
    Flip,
    Jitter,
    Noise,
    Pad,
    Rotate,
    Scale,
    chain_text,
    parse_chain,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ramp() -> torch.Tensor:
    return (torch.arange(24 * 32).float() / (24 * 32)).view(1, 1, 24, 32).repeat(2, 3, 1, 1)


def test_text_and_back() -> None:
    links = parse_chain(ROBUST)
    assert links == (Pad(12), Jitter(8), Scale(0.9, 1.1), Rotate(10), Jitter(4))
    assert parse_chain(chain_text(links)) == links
    assert parse_chain("flip noise(.1) blur(2)") == (Flip(), Noise(0.1), Blur(2))


@pytest.mark.parametrize(
    "text", ["shear(3)", "pad(1,2,3)", "scale(1.2,0.8)", "scale(0,1)", "jitter(-1)", "pad(nan)", "pad(", "jitter(1e9)"]
)
def test_what_cannot_be_understood(text: str) -> None:
    with pytest.raises(cs.ConvscopeError, match="transform"):
        parse_chain(text)


def test_jitter_shows_windows_of_the_picture_itself() -> None:
    x = ramp()
    seen = set()
    for seed in range(40):
        y = Jitter(4)(x, generator(seed))
        assert y.shape == (2, 3, 20, 28)
        top, left = divmod(round(float(y[0, 0, 0, 0]) * 24 * 32), 32)
        assert torch.equal(y, x[:, :, top : top + 20, left : left + 28])
        seen.add((top, left))
    assert {top for top, _ in seen} == set(range(5)) == {left for _, left in seen}


def test_pad_scale_flip_noise() -> None:
    x = ramp()
    assert Pad(3)(x, generator()).shape == (2, 3, 30, 38)
    assert float(Pad(3)(x, generator())[0, 0, 0, 0]) == 0.5
    sides = {Scale(0.5, 1.5)(x, generator(seed)).shape[2] for seed in range(30)}
    assert 12 <= min(sides) < 16
    assert 32 < max(sides) <= 36
    assert torch.equal(Flip(1)(x, generator()), x.flip(3))
    assert torch.equal(Flip(0)(x, generator()), x)
    noisy = Noise(0.1)(torch.zeros(2, 3, 64, 64), generator())
    assert 0.09 < float(noisy.std()) < 0.11
    assert torch.equal(noisy[0], noisy[1])


def test_rotation_turns_about_the_middle() -> None:
    x = torch.zeros(1, 1, 33, 33)
    x[0, 0, 16, 28] = 1
    turns = []
    for seed in range(20):
        y = Rotate(90)(x, generator(seed))
        row, column = divmod(int(y.argmax()), 33)
        turns.append(row)
        assert 10 < ((row - 16) ** 2 + (column - 16) ** 2) ** 0.5 < 14
    assert min(turns) < 8
    assert max(turns) > 24


def test_blur_keeps_the_mean_and_spreads() -> None:
    x = torch.zeros(1, 2, 31, 31)
    x[:, :, 15, 15] = 1
    y = Blur(2.0)(x, generator())
    assert torch.allclose(y.sum((2, 3)), torch.ones(1, 2), atol=1e-5)
    places = torch.arange(31.0)
    spread = (y[0, 0].sum(0) * (places - 15).square()).sum()
    assert float(spread) == pytest.approx(4.0, rel=0.05)
    assert torch.allclose(Blur(3)(torch.full((1, 1, 5, 5), 0.3), generator()), torch.tensor(0.3))


def test_a_chain_gives_as_many_looks_as_asked_the_first_pictures_first() -> None:
    x = ramp()
    x[1] = 1 - x[1]
    views = Chain(parse_chain("jitter(6) scale(0.8,1.2)"), views=3)(x, generator())
    assert views.shape == (6, 3, 24, 32)
    alone = Chain(parse_chain("jitter(6) scale(0.8,1.2)"), views=3)(x[1:], generator())
    assert torch.allclose(views[3:], alone)
    assert not torch.equal(views[0], views[1])


def test_gradient_changes() -> None:
    g = torch.randn(2, 3, 16, 16, generator=generator()) * torch.tensor([1.0, 100.0]).view(2, 1, 1, 1)
    rms = parse_changes("rms")
    assert rms is not None
    assert torch.allclose(rms(g).square().mean((1, 2, 3)), torch.ones(2))
    both = parse_changes("rms clip(0.5)")
    assert both is not None
    assert float(both(g).abs().max()) == 0.5
    smooth = parse_changes("smooth(2)")
    assert smooth is not None
    assert float(smooth(g)[0].std()) < 0.3 * float(g[0].std())
    assert parse_changes("plain") is None


@pytest.mark.parametrize("text", ["rms(2)", "clip(0)", "clip(a)", "norm", "clip(1.2.3)"])
def test_gradient_changes_that_cannot_be(text: str) -> None:
    with pytest.raises(cs.ConvscopeError, match="gradient"):
        parse_changes(text)


def test_schedules() -> None:
    assert parse_schedule("single").sizes((96, 128)) == [(96, 128)]
    assert parse_schedule("octaves(3,2)").sizes((96, 128)) == [(24, 32), (48, 64), (96, 128)]
    assert parse_schedule("octaves(3,0.5)").sizes((96, 128)) == [(384, 512), (192, 256), (96, 128)]
    grown = parse_schedule("grow(64,1.2)").sizes((96, 128))
    assert grown == [(64, 85), (77, 102), (92, 123), (96, 128)]
    assert parse_schedule("zoom(2,1.5)").sizes((40, 40)) == [(40, 40), (60, 60), (40, 40), (60, 60), (40, 40)]


@pytest.mark.parametrize(
    "text", ["octaves(0)", "octaves(2,0)", "grow(4)", "grow(64,1)", "zoom(99)", "spiral", "octaves(1.5)"]
)
def test_schedules_that_cannot_be(text: str) -> None:
    with pytest.raises(cs.ConvscopeError, match="schedule"):
        parse_schedule(text)
