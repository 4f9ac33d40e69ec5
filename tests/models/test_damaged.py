"""What Pillow cannot decode is refused, never taken for a black picture; nothing but ImageError is raised."""

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convscope import InputSpec
from convscope.errors import ImageError
from convscope.models.photograph import open_photograph

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
