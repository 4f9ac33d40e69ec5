"""Frames as films: what is in the file, and that it can be made again."""

import io
import json
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from tests.networks import shared

import convscope as cs
from convscope.render import animation
from convscope.results.recipe import Call, Recipe


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


# --- films that would take more than a film has ------------------------------------------------------------------

RECIPE = json.dumps({"recipe": Recipe(Call("visualize")).to_dict(), "facts": {}})


def flat(path: Path, side: int, count: int, text: str = RECIPE) -> Path:
    """A film of flat frames, small as a file."""
    if path.suffix != ".gif":
        frames = [np.full((side, side, 3), 20 * i, dtype=np.uint8) for i in range(count)]
        path.write_bytes(animation.animation_bytes(frames, path.suffix, text))
        return path
    whole = io.BytesIO()
    Image.new("P", (side, side)).save(whole, "GIF", comment=text.encode())
    block = b"\x21\xf9\x04\x00\x05\x00\x00\x00"  # how long the frame stays, and that it stays as it is
    spot = io.BytesIO()
    Image.new("P", (1, 1)).save(spot, "GIF")
    frame = block + spot.getvalue()[spot.getvalue().rindex(b"\x2c") : -1]
    path.write_bytes(whole.getvalue()[:-1] + frame * (count - 1) + b"\x3b")
    return path


def refused(path: Path, match: str) -> None:
    with pytest.raises(cs.ConvscopeError, match=match) as told:
        cs.load_result(path)
    assert len(str(told.value).splitlines()) == 1


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".mp4"])
def test_films_of_very_many_pixels_are_refused(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = flat(tmp_path / f"a{suffix}", 64, 9)
    assert cs.load_result(path).arrays["picture"].shape == (64, 64, 3)
    for name, most in (("MOST_FRAMES", 5), ("MOST_PIXELS", 64 * 64 - 1), ("MOST_IN_ALL", 64 * 64 * 5)):
        with monkeypatch.context() as patched:
            patched.setattr(animation, name, most)
            refused(path, "the animation is too large to be read: .* frames of 64x64 pixels; expected at most")


def test_a_small_gif_of_a_great_canvas_is_refused_at_once(tmp_path: Path) -> None:
    path = flat(tmp_path / "a.gif", 9000, 60)
    before = time.perf_counter()
    refused(path, "frames of 9000x9000 pixels")
    assert time.perf_counter() - before < 3


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".mp4"])
def test_the_recipe_is_read_before_any_frame(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(animation, "MOST_FRAMES", 1)
    refused(flat(tmp_path / f"a{suffix}", 64, 9, "no recipe"), "the recipe in .* cannot be read")
    refused(flat(tmp_path / f"b{suffix}", 64, 9, "{}"), "recipe")
    refused(flat(tmp_path / f"c{suffix}", 64, 9), "too large")


def test_of_an_mp4_one_frame_after_the_other_is_held() -> None:
    alive: list[int] = []
    most = []

    class Frame:
        width = height = 64

        def __init__(self) -> None:
            alive.append(1)
            most.append(len(alive))

        def __del__(self) -> None:
            alive.pop()

        def to_ndarray(self, format: str) -> np.ndarray:
            return np.zeros((64, 64, 3), dtype=np.uint8)

    stream = SimpleNamespace(frames=0, width=64, height=64, codec_context=SimpleNamespace())  # 0: it does not say
    container = SimpleNamespace(
        streams=SimpleNamespace(video=[stream]), decode=lambda stream: (Frame() for _ in range(60))
    )
    assert animation._last_of_mp4(container).shape == (64, 64, 3)
    assert len(most) == 60
    assert max(most) <= 3
