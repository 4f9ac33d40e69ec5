"""Dreams: what they pursue, what they leave alone, how large they may be, and that they can be made again."""

from pathlib import Path

import numpy as np
import pytest
import torch

import convscope as cs
from convscope.synthesis.tiles import Tiles, cuts
from tests.networks import network, shared

PHOTOGRAPH = np.random.default_rng(0).random((40, 60, 3)).astype(np.float32) * 0.5 + 0.25


def dreamt(target: str | None = "conv2", **options: object) -> cs.Result:
    return cs.dream(shared("plain"), PHOTOGRAPH, target, **({"steps": 3} | options))  # type: ignore[arg-type]


@pytest.mark.parametrize("target", ["conv2", "conv2:1", "conv1 + 0.5*conv2:3", None])
def test_the_target_answers_more(target: str | None) -> None:
    few, many = (dreamt(target, steps=n, rate=0.01).arrays["values"][0] for n in (1, 8))
    assert many > few


def test_a_class_is_dreamt_into_the_photograph() -> None:
    result = dreamt("class:bee", steps=30, keep=0.0)
    before = dreamt("class:bee", steps=1, rate=1e-6, keep=0.0)
    assert result.arrays["values"][0] > before.arrays["values"][0] + 0.03


def test_size_and_proportions_are_the_photographs() -> None:
    assert dreamt().arrays["images"].shape == (1, 40, 60, 3)
    assert dreamt(size=90).arrays["images"].shape == (1, 60, 90, 3)


def test_a_dream_by_hand() -> None:
    """One step at one size with one tile: the photograph plus the rate times the gradient over its RMS."""
    net = network("plain")
    result = cs.dream(net, PHOTOGRAPH, "conv2", schedule="single", steps=1, rate=0.01)
    x = torch.from_numpy(PHOTOGRAPH.transpose(2, 0, 1))[None]
    generator = torch.Generator().manual_seed(0)
    shift = [int(torch.randint(side, (), generator=generator)) for side in (40, 60)]
    rolled = x.roll((-shift[0], -shift[1]), (2, 3)).requires_grad_()
    (gradient,) = torch.autograd.grad(cs.record(net, rolled, ["conv2"])["conv2"].square().mean(), rolled)
    gradient = gradient.roll(shift, (2, 3))
    wanted = (x + 0.01 * gradient / gradient.square().mean().sqrt()).clamp(0, 1)[0].permute(1, 2, 0).numpy()
    assert np.allclose(result.arrays["images"][0], wanted, atol=1e-5)


def test_where_the_mask_is_black_nothing_changes() -> None:
    mask = np.zeros((40, 60), np.float32)
    mask[:, 30:] = 1
    image = dreamt(mask=mask, schedule="single").arrays["images"][0]
    assert np.allclose(image[:, :30], PHOTOGRAPH[:, :30], atol=1e-6)
    assert np.abs(image[:, 30:] - PHOTOGRAPH[:, 30:]).mean() > 0.005


def test_strength_is_how_much_is_laid_over() -> None:
    whole = np.abs(dreamt(schedule="single").arrays["images"][0] - PHOTOGRAPH).mean()
    faint = np.abs(dreamt(schedule="single", strength=0.2).arrays["images"][0] - PHOTOGRAPH).mean()
    assert np.allclose(dreamt(strength=0.0, schedule="single").arrays["images"][0], PHOTOGRAPH, atol=1e-6)
    assert 0.1 * whole < faint < 0.35 * whole


def test_keep_holds_on_to_what_was_seen() -> None:
    net = shared("plain")
    x = torch.from_numpy(PHOTOGRAPH.transpose(2, 0, 1))[None]
    layer = "conv2"

    def far(keep: float) -> float:
        made = cs.dream(net, PHOTOGRAPH, "class:bee", steps=25, keep=keep).arrays["images"][0]
        y = torch.from_numpy(made.transpose(2, 0, 1).copy())[None]
        a, b = (cs.record(net, one, [layer])[layer] for one in (x, y))
        return float((a - b).norm())

    assert far(50.0) < 0.7 * far(0.0)


def test_tiles_cover_everything_once_and_their_shares_add_up() -> None:
    assert cuts(10, 4) == [(0, 3), (3, 7), (7, 10)]
    x = torch.arange(2 * 3 * 50 * 70.0).view(2, 3, 50, 70)
    for seed in range(5):
        parts = list(Tiles(32).parts(x, torch.Generator().manual_seed(seed)))
        assert len(parts) == 2 * 3
        assert sum(part.share for part in parts) == pytest.approx(1)
        seen = torch.cat([part.images[0, 0].flatten() for part in parts])
        assert torch.equal(seen.sort().values, x[0, 0].flatten())
        assert max(max(part.images.shape[2:]) for part in parts) <= 32


def test_tiles_give_the_gradient_of_the_whole_for_what_sees_single_pixels() -> None:
    net = shared("plain")
    whole = cs.dream(net, PHOTOGRAPH, "input:0", schedule="single", steps=2, tile=64, gradient="plain", rate=1.0)
    tiled = cs.dream(
        net, PHOTOGRAPH, "input:0", schedule="single", steps=2, tile=64, gradient="plain", rate=1.0, seed=5
    )
    assert np.allclose(whole.arrays["images"], tiled.arrays["images"], atol=1e-6)


def test_frames_and_zoom() -> None:
    result = dreamt(frames="0,3,6", schedule="octaves(2,1.4)", zoom=2)
    assert result.facts["frames"] == [0, 3, 6, 9, 12]
    assert result.arrays["frames"].shape == (5, 1, 40, 60, 3)
    assert np.abs(result.arrays["frames"][4].astype(float) - result.arrays["frames"][3]).mean() > 1


@pytest.mark.parametrize("suffix", [".png", ".npz", ".gif"])
def test_a_dream_of_a_file_replays(tmp_path: Path, suffix: str, photograph: str) -> None:
    net = shared("plain")
    frames = "0,2" if suffix == ".gif" else None
    made = cs.dream(net, photograph, "conv2:1", size=80, steps=2, frames=frames, seed=4)
    path = made.save(tmp_path / f"d{suffix}")
    again = cs.replay(path, net=net, image=photograph)
    assert np.array_equal(again.arrays["images"], made.arrays["images"])
    assert again.save(tmp_path / f"e{suffix}").read_bytes() == path.read_bytes()


def test_ctrl_c_keeps_what_is_done() -> None:
    def stop(news: cs.Progress) -> None:
        if news.done == 4:
            raise KeyboardInterrupt

    with pytest.raises(cs.Stopped, match="stopped after 4 of 12 steps") as stopped:
        cs.dream(shared("plain"), PHOTOGRAPH, "conv2", steps=3, watch=stop)
    assert stopped.value.result.arrays["images"].shape[0] == 1
    assert any("stopped after 4 of 12" in note for note in stopped.value.result.notes)
