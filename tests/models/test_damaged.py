"""What Pillow cannot decode is refused, never taken for a black picture; nothing but ImageError is raised."""

import io
import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFile

from convscope import InputSpec
from convscope.errors import ImageError, OutOfMemoryError
from convscope.models import decoding, photograph
from convscope.models.photograph import open_photograph
from convscope.models.strict import strict_decoding

COLOUR = InputSpec(size=16, range=(0, 1), mean=0.0, std=1.0)
DAMAGES = 60
"""Damaged files of each format."""
KINDS: dict[str, dict[str, Any]] = {
    "JPEG": {}, "PNG": {}, "WEBP": {"lossless": True}, "GIF": {}, "TIFF": {"compression": "tiff_lzw"}, "BMP": {},
    "PPM": {}, "JPEG2000": {"irreversible": False}, "TGA": {"compression": "tga_rle"}, "ICO": {}, "PCX": {}, "QOI": {},
    "AVIF": {},
}  # fmt: skip


def photo() -> Image.Image:
    """Noise over a ramp, so that a part of the file is a part of the picture."""
    values = np.random.default_rng(0).integers(0, 60, (48, 64, 3)) + np.linspace(0, 190, 64)[None, :, None]
    return Image.fromarray(values.astype(np.uint8))


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def damaged(data: bytes, trial: int) -> bytes:
    """A third are cut short, a third have a few bits flipped, a third have a run of bytes changed."""
    generator = np.random.default_rng(trial)
    if trial % 3 == 0:
        return data[: generator.integers(1, len(data))]
    broken = bytearray(data)
    if trial % 3 == 1:
        for at in generator.integers(0, len(data), generator.integers(1, 6)):
            broken[at] ^= 1 << generator.integers(8)
    else:
        at = int(generator.integers(0, len(data) - 8))
        broken[at : at + 8] = bytes(x ^ 0x5A for x in broken[at : at + 8])
    return bytes(broken)


def pillow_refuses(data: bytes) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as picture:
                picture.load()
    except Exception:
        return True
    return False


def refused(image: Any) -> bool:
    """Whether it is refused; by nothing but an ImageError of one line."""
    try:
        photograph = open_photograph(image, COLOUR)
    except ImageError as error:
        told = str(error)
    else:
        assert np.isfinite(photograph.pixels).all()
        return False
    assert len(told.splitlines()) == 1
    return True


@pytest.mark.parametrize("kind", KINDS)
def test_what_pillow_refuses_is_refused(kind: str, tmp_path: Path) -> None:
    data = encoded(photo(), kind, **KINDS[kind])
    path, pillows = tmp_path / "file", 0
    for trial in range(DAMAGES):
        broken = damaged(data, trial)
        path.write_bytes(broken)
        ours = refused(path)
        if pillow_refuses(broken):
            pillows += 1
            assert ours, (kind, trial)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    lazy = Image.open(io.BytesIO(broken))
                except Exception:
                    continue
                assert refused(lazy), (kind, trial)
                assert refused(lazy), (kind, trial, "once more")
    assert pillows >= DAMAGES // 6


def broken_in_the_middle(kind: str, **options: Any) -> bytes:
    data = bytearray(encoded(photo(), kind, **options))
    at = len(data) // 2
    data[at : at + 8] = bytes(x ^ 0x5A for x in data[at : at + 8])
    return bytes(data)


def test_a_png_broken_in_the_middle_is_no_black_picture(tmp_path: Path) -> None:
    """Pillow's getexif loads a PNG; after a failure its second load raises nothing and gives black rows."""
    (tmp_path / "a.png").write_bytes(broken_in_the_middle("PNG"))
    with pytest.raises(ImageError, match=r"'.*a\.png' is broken or cut short"):
        open_photograph(tmp_path / "a.png", COLOUR)


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("TIFF", {"compression": "tiff_lzw"}), ("MPO", {})])
def test_a_first_frame_cut_short_is_refused(kind: str, options: dict[str, Any], tmp_path: Path) -> None:
    """Of animations and stacks: a second frame is there, the first has a hole."""
    data = bytearray(encoded(photo(), kind, save_all=True, append_images=[photo().rotate(180)], **options))
    with Image.open(io.BytesIO(data)) as sound:
        assert getattr(sound, "n_frames", 1) == 2
    at = len(data) // 4
    data[at : at + 600] = bytes(600) if kind != "MPO" else b"\xff\xd9" * 300
    (tmp_path / "file").write_bytes(data)
    if pillow_refuses(bytes(data)):
        assert refused(tmp_path / "file")
    else:
        assert kind == "MPO"  # libjpeg fills what a JPEG has lost


# --- what the process has set -----------------------------------------------------------------------------------


@pytest.fixture
def lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)


@pytest.mark.usefixtures("lenient")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP", "GIF"])
def test_files_cut_short_are_refused_even_where_pillow_is_told_to_fill_them_in(kind: str, tmp_path: Path) -> None:
    data = encoded(photo(), kind)
    (tmp_path / "file").write_bytes(data[: len(data) // 2])
    assert refused(tmp_path / "file")
    with Image.open(io.BytesIO(data[: len(data) // 2])) as lazy:
        assert refused(lazy)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


@pytest.mark.usefixtures("lenient")
def test_flag_warnings_and_log_are_as_before_after_many_threads(tmp_path: Path) -> None:
    data, filters, handlers = encoded(photo(), "PNG"), list(warnings.filters), list(logging.getLogger("PIL").handlers)
    for name, part in (("sound", len(data)), ("cut", len(data) // 2)):
        (tmp_path / name).write_bytes(data[:part])
    told: list[bool] = []

    def work(name: str) -> None:
        told.extend(refused(tmp_path / name) == (name == "cut") for _ in range(20))

    threads = [threading.Thread(target=work, args=(name,)) for name in ("sound", "cut") * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == [True] * 120
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True
    assert list(warnings.filters) == filters
    assert logging.getLogger("PIL").handlers == handlers


def test_pillows_log_is_not_written_to_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without handlers Python writes warnings to stderr; handlers that there are still get them."""
    log = logging.getLogger("PIL.TiffImagePlugin")
    monkeypatch.setattr(logging.root, "handlers", [])
    log.error("before")
    with strict_decoding():
        log.error("meanwhile")
    assert capsys.readouterr().err == "before\n"
    seen: list[str] = []
    listening = logging.Handler()
    listening.emit = lambda record: seen.append(record.getMessage())  # type: ignore[method-assign]
    monkeypatch.setattr(logging.root, "handlers", [listening])
    with strict_decoding():
        log.error("heard")
    assert seen == ["heard"]


@pytest.mark.skipif(sys.platform != "linux", reason="libtiff may be hidden inside Pillow elsewhere")
def test_libtiff_writes_nothing_of_its_own(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = bytearray(encoded(photo(), "TIFF", compression="tiff_adobe_deflate"))
    data[3000:3008] = bytes(8)
    (tmp_path / "a.tif").write_bytes(data)
    assert pillow_refuses(bytes(data))
    assert "Decod" in capfd.readouterr().err
    assert refused(tmp_path / "a.tif")
    assert capfd.readouterr().err == ""
    assert pillow_refuses(bytes(data))
    assert "Decod" in capfd.readouterr().err


# --- memory -----------------------------------------------------------------------------------------------------


def out_of_memory(*_: Any, **__: Any) -> Any:
    raise MemoryError


@pytest.mark.parametrize(
    ("where", "name"),
    [
        (decoding, "regular_bytes"), (decoding.Image, "open"), (decoding, "_load"), (photograph, "picture_values"),
        (photograph, "as_channels"), (photograph, "resize"),
    ],
)  # fmt: skip
def test_memory_that_runs_out_is_not_a_broken_file(
    where: Any, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo().save(tmp_path / "a.png")
    picture = photo()
    monkeypatch.setattr(where, name, out_of_memory)
    with pytest.raises(OutOfMemoryError, match="memory ran out"):
        open_photograph(tmp_path / "a.png", COLOUR)
    if name not in ("regular_bytes", "open"):
        with pytest.raises(OutOfMemoryError, match="memory ran out"):
            open_photograph(picture, COLOUR)


def test_a_decoder_without_memory_does_not_call_the_file_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(_: Any) -> None:
        raise OSError("out of memory when reading image file")

    photo().save(tmp_path / "a.png")
    monkeypatch.setattr(decoding, "_load", load)
    with pytest.raises(ImageError, match="is damaged, or needs too much memory: out of memory"):
        open_photograph(tmp_path / "a.png", COLOUR)


# --- files that are none ----------------------------------------------------------------------------------------


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Whatever holds the test up longer is interrupted."""

    def late(*_: Any) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_pipes_and_devices_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for path, what in ((tmp_path / "pipe.png", "pipe"), (Path("/dev/zero"), "device"), (Path("/dev/stdin"), "")):
        if path.name == "stdin" and path.is_file():
            continue
        with within(5), pytest.raises(ImageError, match=rf"{path.name}' is a {what}.*expected a regular file"):
            open_photograph(path, COLOUR)


def test_files_above_the_limit_are_refused(tmp_path: Path) -> None:
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate((1 << 30) + 1)
    with within(5), pytest.raises(ImageError, match=r"a\.png' is 1 GB large; the limit is 1 GB"):
        open_photograph(tmp_path / "a.png", COLOUR)
