"""Frames as films: what is in the file, and that it can be made again."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.networks import shared

import convscope as cs
from convscope.render import animation


def film(**options: object) -> cs.Result:
    return cs.visualize(shared("plain"), "conv2:1", steps=4, views="plain", frames="0,2,4", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".mp4"])
def test_a_film_shows_each_frame_and_carries_its_recipe(tmp_path: Path, suffix: str) -> None:
    result = film()
    path = result.save(tmp_path / f"a{suffix}")
    back = cs.load_result(path)
    assert back.recipe == result.recipe
    last = np.asarray(back.image()).astype(float)
    assert np.abs(last - result.arrays["frames"][-1, 0]).mean() < 12
    again = cs.replay(path, net=shared("plain"))
    assert np.array_equal(again.arrays["frames"], result.arrays["frames"])
    saved = again.save(tmp_path / f"b{suffix}")
    if suffix != ".mp4":  # whose encoder is not the same to the byte each time
        assert saved.read_bytes() == path.read_bytes()
    assert not list(tmp_path.glob(".convscope*"))


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_every_frame_is_there_and_the_last_one_stays(tmp_path: Path, suffix: str) -> None:
    with Image.open(io.BytesIO(film().save(tmp_path / f"a{suffix}").read_bytes())) as picture:
        assert picture.n_frames == 3  # type: ignore[attr-defined]
        if suffix == ".gif":
            picture.seek(2)
            assert picture.info["duration"] == 1000 * animation.HOLD


def test_without_frames_one_line_says_what_to_do(tmp_path: Path) -> None:
    still = cs.visualize(shared("plain"), "conv2:1", steps=1)
    with pytest.raises(cs.ConvscopeError, match="an animation needs frames"):
        still.save(tmp_path / "a.gif")
    assert not list(tmp_path.iterdir())


def test_without_the_extra_one_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(animation.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(cs.ConvscopeError, match=r"convscope\[video\]"):
        film().save(tmp_path / "a.mp4")


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".mp4"])
def test_a_broken_film_is_told(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a{suffix}").write_bytes(b"not a film")
    with pytest.raises(cs.ConvscopeError, match="cannot be read"):
        cs.load_result(tmp_path / f"a{suffix}")


def test_the_picture_of_frames_is_their_contact_sheet() -> None:
    result = film()
    sheet = np.asarray(result.image())
    assert sheet.shape[1] > 3 * 32
    for frame in result.arrays["frames"][:, 0]:
        windows = np.lib.stride_tricks.sliding_window_view(sheet, (32, 32, 3))[:, :, 0]
        assert (windows == frame).all((2, 3, 4)).any()
