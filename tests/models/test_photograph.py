"""Any picture that a person may give becomes finite numbers in [0,1], or one ImageError of one line."""

import io
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import EpsImagePlugin, Image, ImageCms, PngImagePlugin, TiffImagePlugin
from typer.testing import CliRunner

from convscope import ConvscopeError, InputSpec
from convscope.errors import ImageError
from convscope.models.fitting import Fit
from convscope.models.photograph import Photograph, open_photograph

COLOUR, GREY, FOUR, FIVE = (
    InputSpec(size=16, channels=channels, range=(0, 1), mean=0.0, std=1.0) for channels in (3, 1, 4, 5)
)
RED = (255, 0, 0)
MIDDLE = 128 / 255
ORIENTATION = 274

Write = Callable[[Path], Path]


def pixels_of(image: Any, spec: InputSpec = COLOUR, fit: Fit = "crop") -> np.ndarray:
    """The pixels of an opened picture, which always are finite, in [0,1] and of the network's shape."""
    pixels = open_photograph(image, spec, fit=fit).pixels
    assert pixels.shape == (*spec.hw, spec.channels)
    assert pixels.dtype == np.float32
    assert np.isfinite(pixels).all()
    assert pixels.min() >= 0
    assert pixels.max() <= 1
    return pixels


def assert_all(pixels: np.ndarray, colour: Any, tolerance: float = 1e-6) -> None:
    """Every pixel has this colour."""
    np.testing.assert_allclose(pixels, np.broadcast_to(colour, pixels.shape), atol=tolerance, rtol=0)


def refused(image: Any, spec: InputSpec = COLOUR) -> str:
    """The one line with which a picture is refused."""
    with pytest.raises(ImageError) as caught:
        open_photograph(image, spec)
    text = str(caught.value)
    assert text.strip()
    assert len(text.splitlines()) == 1
    return text


def picture_or_line(image: Any, spec: InputSpec = COLOUR) -> None:
    """What may be a picture or not is one, or is refused in one line."""
    try:
        pixels_of(image, spec)
        return
    except ConvscopeError as error:
        text = str(error)
    assert len(text.splitlines()) == 1


def saved(picture: Image.Image, name: str, **options: Any) -> Write:
    """A writer of a picture into a folder."""

    def write(folder: Path) -> Path:
        picture.save(folder / name, **options)
        return folder / name

    return write


def holding(data: bytes, name: str) -> Write:
    """A writer of bytes into a folder."""

    def write(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return write


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def plain(mode: str = "RGB", colour: Any = RED, size: tuple[int, int] = (20, 20)) -> Image.Image:
    return Image.new(mode, size, colour)


def quarters(width: int = 32, height: int = 24) -> Image.Image:
    """Red, green, blue and white quarters: no two of its eight orientations are alike."""
    array = np.zeros((height, width, 3), dtype=np.uint8)
    array[: height // 2, : width // 2] = RED
    array[: height // 2, width // 2 :] = (0, 255, 0)
    array[height // 2 :, : width // 2] = (0, 0, 255)
    array[height // 2 :, width // 2 :] = 255
    return Image.fromarray(array)


def noise(width: int = 64, height: int = 48) -> Image.Image:
    """A picture that does not compress, so that a part of its file is a part of the picture."""
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def red_palette(**options: Any) -> Image.Image:
    """A palette picture, red all over; the palette holds blue as well."""
    picture = Image.new("P", (20, 20), 1)
    picture.putpalette([0, 0, 255, *RED])
    picture.info.update(options)
    return picture


def chunk(kind: bytes, data: bytes, crc: int | None = None) -> bytes:
    """One chunk of a PNG."""
    check = zlib.crc32(kind + data) if crc is None else crc
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)


def png(
    width: int, height: int, rows: bytes, *more: bytes, crcs: tuple[int | None, int | None] = (None, None)
) -> bytes:
    """An 8-bit grey PNG by hand."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", head, crcs[0]) + b"".join(more) + chunk(b"IDAT", zlib.compress(rows), crcs[1])
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def swapped_profile() -> bytes:
    """An ICC profile like sRGB in which red and green have changed places."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = profile.replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ").replace(b"????", b"gXYZ")
    return swapped.replace("sRGB".encode("utf-16-be"), "SWAP".encode("utf-16-be"))


def exif(orientation: int) -> Image.Exif:
    found = Image.Exif()
    found[ORIENTATION] = orientation
    return found


# A red picture stays red, whatever holds it: file, how far each number may be off.
RED_FILES: dict[str, tuple[Write, float]] = {
    "rgb png": (saved(plain(), "a.png"), 0),
    "rgba png": (saved(plain("RGBA", (*RED, 255)), "a.png"), 0),
    "palette png": (saved(red_palette(), "a.png"), 0),
    "palette png, blue is transparent": (saved(red_palette(), "a.png", transparency=0), 0),
    "palette png, alpha for each colour": (saved(red_palette(), "a.png", transparency=b"\x00\xff"), 0),
    "bmp": (saved(plain(), "a.bmp"), 0),
    "gif": (saved(plain(), "a.gif"), 0),
    "tiff": (saved(plain(), "a.tif", compression="tiff_lzw"), 0),
    "tiff, rgba": (saved(plain("RGBA", (*RED, 255)), "a.tif"), 0),
    "tiff, cmyk": (saved(plain().convert("CMYK"), "a.tif"), 0.01),
    "tiff, ycbcr": (saved(plain().convert("YCbCr"), "a.tif"), 0.02),
    "webp": (saved(plain(), "a.webp", lossless=True), 0),
    "webp, lossy": (saved(plain(), "a.webp", quality=95), 0.05),
    "jpeg 2000": (saved(plain(), "a.jp2"), 0.01),
    "avif": (saved(plain(), "a.avif", quality=95), 0.03),
    "ppm": (saved(plain(), "a.ppm"), 0),
    "jpeg": (saved(plain(), "a.jpg", quality=95), 0.02),
    "jpeg, progressive": (saved(plain(), "a.jpg", quality=95, progressive=True), 0.02),
    "jpeg, cmyk": (saved(plain().convert("CMYK"), "a.jpg", quality=95), 0.03),
    "jpeg, garbage after the end": (holding(encoded(plain(), "JPEG", quality=95) + b"\x00garbage" * 99, "a.jpg"), 0.02),
    "jpeg, broken exif": (saved(plain(), "a.jpg", quality=95, exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff junk"), 0.02),
    "jpeg, exif of random bytes": (saved(plain(), "a.jpg", quality=95, exif=b"Exif\x00\x00" + bytes(range(99))), 0.02),
    "jpeg, orientation 99": (saved(plain(), "a.jpg", quality=95, exif=exif(99)), 0.02),
    "animated gif": (saved(plain(), "a.gif", save_all=True, append_images=[plain(colour=(0, 0, 255))] * 3), 0),
    "animated png": (saved(plain(), "a.png", save_all=True, append_images=[plain(colour=(0, 0, 255))] * 3), 0),
    "animated webp": (
        saved(plain(), "a.webp", save_all=True, append_images=[plain(colour=(0, 0, 255))] * 3, lossless=True), 0,
    ),
    "sRGB profile": (saved(plain(), "a.png", icc_profile=ImageCms.ImageCmsProfile(
        ImageCms.createProfile("sRGB")).tobytes()), 0),
    "broken profile": (saved(plain(), "a.png", icc_profile=b"no profile at all"), 0),
    "profile cut short": (saved(plain(), "a.png", icc_profile=swapped_profile()[:200]), 0),
    "profile of another kind of picture": (
        saved(plain(), "a.png", icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()), 0,
    ),
    "png named .jpg": (holding(encoded(plain(), "PNG"), "a.jpg"), 0),
    "png named .txt": (holding(encoded(plain(), "PNG"), "a.txt"), 0),
    "png without a suffix": (holding(encoded(plain(), "PNG"), "a"), 0),
    "unicode name": (saved(plain(), "猫 ☕ é'\"\n.png"), 0),
    "1x1": (saved(plain(size=(1, 1)), "a.png"), 0),
    "1x100": (saved(plain(size=(1, 100)), "a.png"), 1e-6),
    "3000x20": (saved(plain(size=(3000, 20)), "a.png"), 1e-6),
}  # fmt: skip


@pytest.mark.parametrize("name", RED_FILES)
def test_red_stays_red(name: str, tmp_path: Path) -> None:
    write, tolerance = RED_FILES[name]
    assert_all(pixels_of(write(tmp_path)), (1, 0, 0), tolerance)


@pytest.mark.parametrize("name", ["animated gif", "animated png", "animated webp"])
def test_only_the_first_frame_counts_and_the_record_says_so(name: str, tmp_path: Path) -> None:
    assert "first frame" in open_photograph(RED_FILES[name][0](tmp_path), COLOUR).record["done"]


def declared(most: int) -> TiffImagePlugin.ImageFileDirectory_v2:
    """TIFF tags that say which value is white."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[281] = most
    return tags


GREY_FILES: dict[str, tuple[Write, float]] = {
    "L": (saved(plain("L", 128), "a.png"), MIDDLE),
    "LA": (saved(plain("LA", (128, 255)), "a.png"), MIDDLE),
    "1 bit, white": (saved(plain("1", 1), "a.png"), 1),
    "1 bit, black": (saved(plain("1", 0), "a.png"), 0),
    "16 bit png": (saved(plain("I;16", 128 * 257), "a.png"), MIDDLE),
    "16 bit png, white": (saved(plain("I;16", 65535), "a.png"), 1),
    "16 bit tiff": (saved(plain("I;16", 128 * 257), "a.tif"), MIDDLE),
    "16 bit tiff, big end first": (saved(plain("I;16B", 128 * 257), "a.tif"), MIDDLE),
    "32 bit tiff, white declared": (saved(plain("I", 128 * 257), "a.tif", tiffinfo=declared(65535)), MIDDLE),
    "float tiff to 1": (saved(plain("F", MIDDLE), "a.tif"), MIDDLE),
    "jpeg": (saved(plain("L", 128), "a.jpg"), MIDDLE),
    "png, data's checksum wrong": (
        holding(png(20, 20, (b"\x00" + b"\x80" * 20) * 20, crcs=(None, 1)), "a.png"),
        MIDDLE,
    ),
    "by hand": (holding(png(20, 20, (b"\x00" + b"\x80" * 20) * 20), "a.png"), MIDDLE),
    "png, more data than pixels": (holding(png(20, 20, (b"\x00" + b"\x80" * 20) * 500_000), "a.png"), MIDDLE),
}


@pytest.mark.parametrize("name", GREY_FILES)
def test_grey_of_any_depth_has_its_value(name: str, tmp_path: Path) -> None:
    write, value = GREY_FILES[name]
    path = write(tmp_path)
    assert_all(pixels_of(path, COLOUR), value)
    assert_all(pixels_of(path, GREY), value)
    assert_all(pixels_of(path, FOUR), (value, value, value, 1))


FAINT_RED = (1, 0.8, 0.8)  # red at an alpha of 51/255 = 0.2 on white
ALPHA_FILES: dict[str, tuple[Write, Any]] = {
    "rgba png": (saved(plain("RGBA", (*RED, 51)), "a.png"), FAINT_RED),
    "rgba tiff": (saved(plain("RGBA", (*RED, 51)), "a.tif"), FAINT_RED),
    "rgba webp": (saved(plain("RGBA", (*RED, 51)), "a.webp", lossless=True, exact=True), FAINT_RED),
    "la png": (saved(plain("LA", (0, 51)), "a.png"), 0.8),
    "palette png": (saved(red_palette(), "a.png", transparency=b"\xff\x33"), FAINT_RED),
    "palette png, this colour is transparent": (saved(red_palette(), "a.png", transparency=1), 1),
    "gif, this colour is transparent": (saved(red_palette(), "a.gif", transparency=1), 1),
    "rgb png, this colour is transparent": (saved(plain(), "a.png", transparency=RED), 1),
    "grey png, this value is transparent": (saved(plain("L", 7), "a.png", transparency=7), 1),
}


@pytest.mark.parametrize("name", ALPHA_FILES)
def test_alpha_is_laid_on_white(name: str, tmp_path: Path) -> None:
    write, colour = ALPHA_FILES[name]
    photograph = open_photograph(write(tmp_path), COLOUR)
    assert_all(photograph.pixels, colour)
    assert "alpha on white" in photograph.record["done"]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientations_all_give_the_upright_picture(orientation: int, kind: str, tmp_path: Path) -> None:
    way = Image.Transpose
    undone = {
        2: way.FLIP_LEFT_RIGHT, 3: way.ROTATE_180, 4: way.FLIP_TOP_BOTTOM, 5: way.TRANSPOSE,
        6: way.ROTATE_90, 7: way.TRANSVERSE, 8: way.ROTATE_270,
    }  # fmt: skip
    upright = quarters()
    stored = upright.transpose(undone[orientation]) if orientation > 1 else upright
    options = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}.get(kind, {})
    path = holding(encoded(stored, kind, exif=exif(orientation), **options), "turned")(tmp_path)
    spec = InputSpec(size=(24, 32), range=(0, 1), mean=0.0, std=1.0)
    exact = np.asarray(upright, dtype=np.float32) / 255
    photograph = open_photograph(path, spec)
    np.testing.assert_allclose(photograph.pixels, exact, atol=0.02 if kind == "JPEG" else 1e-6)
    assert photograph.record["size"] == [24, 32]
    assert ("rotated by EXIF" in photograph.record["done"]) is (orientation > 1)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_a_colour_profile_is_brought_to_srgb(mode: str, tmp_path: Path) -> None:
    path = saved(plain().convert(mode), "a.png", icc_profile=swapped_profile())(tmp_path)
    assert_all(pixels_of(path), (0, 1, 0), 0.02)


# --- sizes and fits ---------------------------------------------------------------------------------------------


def thirds(upright: bool) -> Image.Image:
    """Red, green and blue squares of 16, side by side or one below the other."""
    array = np.zeros((16, 48, 3), dtype=np.uint8)
    for third in range(3):
        array[:, 16 * third : 16 * third + 16, third] = 255
    return Image.fromarray(array.transpose(1, 0, 2).copy() if upright else array)


@pytest.mark.parametrize("upright", [False, True])
def test_crop_keeps_the_middle(upright: bool) -> None:
    assert_all(pixels_of(thirds(upright), fit="crop"), (0, 1, 0))


@pytest.mark.parametrize("upright", [False, True])
def test_pad_fills_with_mid_grey(upright: bool) -> None:
    pixels = pixels_of(thirds(upright), fit="pad")
    pixels = pixels.transpose(1, 0, 2) if upright else pixels
    assert_all(pixels[:5], 0.5)
    assert_all(pixels[10:], 0.5)
    # 48 pixels become 16: the inside of each third keeps its colour.
    for third, at in enumerate((slice(0, 4), slice(7, 9), slice(12, 16))):
        assert_all(pixels[5:10, at], np.eye(3)[third], 0.02)


@pytest.mark.parametrize("upright", [False, True])
def test_stretch_keeps_all_of_it(upright: bool) -> None:
    pixels = pixels_of(thirds(upright), fit="stretch")
    pixels = pixels.transpose(1, 0, 2) if upright else pixels
    for third, at in enumerate((slice(0, 4), slice(7, 9), slice(12, 16))):
        assert_all(pixels[:, at], np.eye(3)[third], 0.02)


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_a_picture_of_the_right_size_is_left_alone(fit: Fit) -> None:
    picture = noise(16, 16)
    np.testing.assert_array_equal(pixels_of(picture, fit=fit), np.asarray(picture, dtype=np.float32) / 255)


def test_shrinking_averages() -> None:
    stripes = np.zeros((160, 160), dtype=np.uint8)
    stripes[:, ::2] = 255
    assert_all(pixels_of(stripes)[1:-1, 1:-1], 0.5, 0.01)


# --- channels ---------------------------------------------------------------------------------------------------


def test_grey_networks_get_luma() -> None:
    assert_all(pixels_of(plain(), GREY), 0.299)
    assert_all(pixels_of(plain("RGBA", (*RED, 51)), GREY), 0.299 + 0.8 * (0.587 + 0.114))


def test_four_channel_networks_get_alpha() -> None:
    assert_all(pixels_of(plain(), FOUR), (1, 0, 0, 1))
    assert_all(pixels_of(plain("RGBA", (*RED, 51)), FOUR), (1, 0, 0, 0.2))
    assert_all(pixels_of(plain("LA", (128, 51)), FOUR), (MIDDLE, MIDDLE, MIDDLE, 0.2))


def test_other_networks_take_arrays_alone() -> None:
    array = np.broadcast_to(np.linspace(0, 1, 5), (16, 16, 5))
    assert_all(pixels_of(array, FIVE), np.linspace(0, 1, 5))
    assert refused(plain(), FIVE) == "this network takes 5 channels; give an array of h w 5, not 3 channels"


# --- arrays and tensors -----------------------------------------------------------------------------------------

FRACTIONS = np.broadcast_to(np.array([1.0, 0.4, 0.0]), (20, 20, 3))
ARRAYS: dict[str, tuple[np.ndarray, Any]] = {
    "uint8": ((FRACTIONS * 255).astype(np.uint8), (1, 0.4, 0)),
    "uint16": ((FRACTIONS * 65535).astype(np.uint16), (1, 0.4, 0)),
    "int64": ((FRACTIONS * 255).astype(np.int64), (1, 0.4, 0)),
    "float64": (FRACTIONS, (1, 0.4, 0)),
    "float32": (FRACTIONS.astype(np.float32), (1, 0.4, 0)),
    "float16": (FRACTIONS.astype(np.float16), (1, np.float16(0.4), 0)),
    "big end first": (FRACTIONS.astype(">f4"), (1, 0.4, 0)),
    "rounding above one": (FRACTIONS * (1 + 1e-6), (1, 0.4, 0)),
    "bool": (FRACTIONS > 0.3, (1, 1, 0)),
    "h w": (np.full((20, 20), 0.4), 0.4),
    "h w 1": (np.full((20, 20, 1), 0.4), 0.4),
    "1 h w 3": (FRACTIONS[None], (1, 0.4, 0)),
    "h w 4": (np.broadcast_to(np.array([1, 0, 0, 0.2]), (20, 20, 4)), FAINT_RED),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(name: str) -> None:
    array, colour = ARRAYS[name]
    before = array.copy()
    assert_all(pixels_of(array), colour, 2e-6)
    np.testing.assert_array_equal(array, before)


WRONG_ARRAYS: dict[str, tuple[np.ndarray, str]] = {
    "too large": (FRACTIONS * 255, "goes from 0 to 255; expected 0 to 1"),
    "negative": (FRACTIONS - 0.5, "goes from -0.5 to 0.5; expected 0 to 1"),
    "negative whole": (np.full((9, 9, 3), -1), "goes from -1 to -1; expected 0 to 255"),
    "whole above 255": (np.full((9, 9, 3), 256), "expected 0 to 255"),
    "nan": (np.where(FRACTIONS == 0, np.nan, FRACTIONS), "not finite"),
    "infinite": (np.full((9, 9, 3), np.inf), "not finite"),
    "c h w": (np.zeros((3, 20, 20)), "this looks like c h w: transpose it, or give a tensor"),
    "two channels": (np.zeros((20, 20, 2)), "expected h w c with c one of [1, 3, 4]"),
    "0-D": (np.zeros(()), "shape ()"),
    "1-D": (np.zeros(9), "shape (9,)"),
    "a batch of two": (np.zeros((2, 9, 9, 3)), "shape (2, 9, 9, 3)"),
    "5-D": (np.zeros((1, 1, 9, 9, 3)), "shape (1, 1, 9, 9, 3)"),
    "empty": (np.zeros((0, 9, 3)), "nothing empty"),
    "complex": (np.zeros((9, 9, 3), dtype=complex), "complex128; expected integers or floats"),
    "object": (np.full((9, 9, 3), None), "object; expected integers or floats"),
    "words": (np.full((9, 9, 3), "red"), "expected integers or floats"),
    "long and thin": (np.zeros((3, 5000, 3)), "5000x3"),
}


@pytest.mark.parametrize("name", WRONG_ARRAYS)
def test_arrays_that_are_no_picture(name: str) -> None:
    array, text = WRONG_ARRAYS[name]
    assert text in refused(array)


CHANNELS_FIRST = torch.tensor([1.0, 0.4, 0.0])[:, None, None].expand(3, 20, 20)
TENSORS: dict[str, tuple[torch.Tensor, Any]] = {
    "c h w": (CHANNELS_FIRST, (1, 0.4, 0)),
    "1 c h w": (CHANNELS_FIRST[None], (1, 0.4, 0)),
    "h w": (CHANNELS_FIRST[1], 0.4),
    "1 h w": (CHANNELS_FIRST[1:2], 0.4),
    "bytes": ((CHANNELS_FIRST * 255).to(torch.uint8), (1, 0.4, 0)),
    "float64": (CHANNELS_FIRST.double(), (1, 0.4, 0)),
    "bfloat16": (CHANNELS_FIRST.bfloat16(), (1, 0.400390625, 0)),
    "bfloat16 that wants gradients": (CHANNELS_FIRST.bfloat16().requires_grad_(), (1, 0.400390625, 0)),
    "wants gradients": (CHANNELS_FIRST.clone().requires_grad_(), (1, 0.4, 0)),
    "in a graph": (CHANNELS_FIRST.clone().requires_grad_() * 1.0, (1, 0.4, 0)),
    "lazily conjugated": (torch.complex(CHANNELS_FIRST, torch.zeros(3, 20, 20)).conj().real, (1, 0.4, 0)),
}


@pytest.mark.parametrize("name", TENSORS)
def test_tensors(name: str) -> None:
    tensor, colour = TENSORS[name]
    assert_all(pixels_of(tensor), colour, 2e-6)


WRONG_TENSORS = {
    "a batch of two": torch.zeros(2, 3, 9, 9),
    "5-D": torch.zeros(1, 1, 3, 9, 9),
    "0-D": torch.zeros(()),
    "empty": torch.zeros(3, 0, 9),
    "h w c": torch.zeros(9, 9, 3),
    "nan": torch.full((3, 9, 9), torch.nan),
    "negative": torch.full((3, 9, 9), -1.0),
    "complex": torch.zeros(3, 9, 9, dtype=torch.complex64),
    "sparse": torch.zeros(3, 9, 9).to_sparse(),
    "meta": torch.zeros(3, 9, 9, device="meta"),
}


@pytest.mark.parametrize("name", WRONG_TENSORS)
def test_tensors_that_are_no_picture(name: str) -> None:
    assert "picture" in refused(WRONG_TENSORS[name])


def test_a_photograph_goes_in_and_out() -> None:
    photograph = open_photograph(noise(16, 16), COLOUR)
    assert open_photograph(photograph, COLOUR) is photograph
    again = open_photograph(photograph.tensor(), COLOUR)
    np.testing.assert_array_equal(again.pixels, photograph.pixels)
    assert "expected (16, 16, 1)" in refused(photograph, GREY)


# --- PIL pictures -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "LAB", "P", "RGBa"])
def test_pil_pictures_of_every_mode(mode: str) -> None:
    picture = plain("RGB").convert("RGBA").convert("RGBa") if mode == "RGBa" else None
    if mode == "LAB":
        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        picture = ImageCms.profileToProfile(plain(), *profiles, outputMode="LAB")
    assert_all(pixels_of(picture or plain().convert(mode)), (1, 0, 0), 0.02)


@pytest.mark.parametrize("mode", ["La", "LA", "PA"])
def test_pil_pictures_with_alpha_in_odd_modes(mode: str) -> None:
    assert_all(pixels_of(plain("LA", (128, 255)).convert(mode)), MIDDLE, 0.01)


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "P", "CMYK", "I", "I;16", "F"])
def test_pil_pictures_of_no_size(mode: str) -> None:
    assert "0x5" in refused(Image.new(mode, (0, 5)))


def test_a_pil_picture_opened_from_a_broken_file(tmp_path: Path) -> None:
    path = holding(encoded(noise(), "PNG")[:3000], "cut.png")(tmp_path)
    with Image.open(path) as picture:
        refused(picture)


def test_a_pil_picture_is_left_as_it_was(tmp_path: Path) -> None:
    path = saved(plain(), "a.gif", save_all=True, append_images=[plain(colour=(0, 0, 255))])(tmp_path)
    with Image.open(path) as picture:
        picture.seek(1)
        pixels_of(picture)
        assert picture.tell() == 1


# --- what is no picture -----------------------------------------------------------------------------------------


def cut(kind: str, share: float, **options: Any) -> Write:
    data = encoded(noise(), kind, **options)
    return holding(data[: int(len(data) * share)], f"cut.{kind.lower()}")


def changed(data: bytes, at: int, to: bytes) -> bytes:
    return data[:at] + to + data[at + len(to) :]


def folder_named(name: str) -> Write:
    def write(folder: Path) -> Path:
        (folder / name).mkdir()
        return folder / name

    return write


def pipe_named(name: str) -> Write:
    def write(folder: Path) -> Path:
        os.mkfifo(folder / name)
        return folder / name

    return write


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9" fill="red"/></svg>'
ROWS = (b"\x00" + b"\x80" * 20) * 20
BROKEN: dict[str, tuple[Write, str]] = {
    "empty file": (holding(b"", "a.jpg"), "is an empty file"),
    "text": (holding(b"no picture\nat all\n", "a.jpg"), "is not a picture"),
    "svg": (holding(SVG, "a.svg"), "is not a picture"),
    "random bytes": (holding(np.random.default_rng(1).bytes(5000), "a.jpg"), "is not a picture"),
    "random bytes after a jpeg's start": (holding(b"\xff\xd8\xff\xe0" + np.random.default_rng(2).bytes(5000), "a.jpg"),
                                          "is"),
    "zeros": (holding(bytes(5000), "a.png"), "is"),
    "folder": (folder_named("a.jpg"), "is a folder"),
    "pipe": (pipe_named("a.jpg"), "is a pipe; expected a regular file"),
    "device": (lambda folder: Path("/dev/zero"), "is a device; expected a regular file"),
    "missing": (lambda folder: folder / "no such file.jpg", "no file"),
    "a newline in a missing name": (lambda folder: folder / "two\nlines.jpg", "no file"),
    "nul in the path": (lambda folder: folder / "a\0b.jpg", "cannot be read"),
    "below a file": (lambda folder: holding(b"x", "file")(folder) / "a.jpg", "cannot be read"),
    "name too long": (lambda folder: folder / ("a" * 5000 + ".jpg"), "cannot be read"),
    "claims to be 60000x60000": (holding(png(60_000, 60_000, ROWS), "a.png"), "too large"),
    "bomb": (saved(plain("1", 0, (20_000, 20_000)), "a.png"), "too large"),
    "bomb below Pillow's own limit": (saved(plain("1", 0, (13_000, 13_000)), "a.png"), "169 million pixels"),
    "5000x3": (saved(plain(size=(5000, 3)), "a.png"), "5000x3"),
    "3x5000": (saved(plain(size=(3, 5000)), "a.png"), "3x5000"),
    "1x300": (saved(plain(size=(1, 300)), "a.png"), "1x300"),
    "png of no width": (holding(png(0, 20, ROWS), "a.png"), "is"),
    "bmp of no size": (holding(changed(encoded(plain(), "BMP"), 18, bytes(8)), "a.bmp"), ""),
    "png, header's checksum wrong": (holding(png(20, 20, ROWS, crcs=(1, None)), "a.png"), "is"),
    "png, too little data": (holding(png(20, 20, ROWS[:99]), "a.png"), "is broken or cut short"),
    "png without data": (holding(png(20, 20, b"")[:33], "a.png"), "is"),
    "png, text that unpacks to 200 MB": (
        holding(png(20, 20, ROWS, chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(200_000_000)))), "a.png"), "is broken",
    ),
    "tiff of nan": (saved(plain("F", float("nan")), "a.tif"), "not finite"),
    "tiff below zero": (saved(plain("F", -5.0), "a.tif"), "from -5 to -5"),
    "float tiff to 255": (saved(plain("F", 128.0), "a.tif"), "from 128 to 128; expected 0 to 1: divide them"),
    "float tiff a hair above one": (saved(plain("F", 1.001), "a.tif"), "from 1 to 1; expected 0 to 1: divide them"),
    "32 bit tiff": (saved(plain("I", 128), "a.tif"), "does not say which is white"),
    "32 bit tiff, above what it declares": (
        saved(plain("I", 70_000), "a.tif", tiffinfo=declared(65535)), "from 7e+04 to 7e+04; expected 0 to 65535",
    ),
    **{
        f"{kind}, {share:.0%} of it": (cut(kind, share), "is")
        for kind in ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF")
        for share in (0.01, 0.1, 0.5, 0.95)
    },
    "progressive JPEG, half of it": (cut("JPEG", 0.5, progressive=True), "is broken or cut short"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_give_one_line(name: str, tmp_path: Path) -> None:
    write, text = BROKEN[name]
    path = write(tmp_path)
    told = refused(path)
    assert text in told
    assert repr(str(path))[1:-1] in told


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"])
def test_flipped_bytes_give_a_picture_or_one_line(kind: str, tmp_path: Path) -> None:
    """Forty files of each kind with a few bytes changed, most of them near the start."""
    data = encoded(quarters(), kind)
    generator = np.random.default_rng(3)
    for trial in range(40):
        broken = bytearray(data)
        reach = len(data) if trial % 4 == 0 else min(len(data), 200)
        for at in generator.integers(0, reach, 1 + trial % 6):
            broken[at] = generator.integers(0, 256)
        path = holding(bytes(broken), f"{trial}.bin")(tmp_path)
        picture_or_line(path)


@pytest.mark.parametrize("write", [holding(changed(encoded(plain(), "GIF"), 6, bytes(4)), "canvas of no size.gif")])
def test_odd_files_give_a_picture_or_one_line(write: Write, tmp_path: Path) -> None:
    picture_or_line(write(tmp_path))


@pytest.mark.filterwarnings("ignore:ComplexHalf support")
@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2, torch.uint16, torch.bool, torch.complex32])
def test_tensors_of_odd_types_give_a_picture_or_one_line(dtype: torch.dtype) -> None:
    picture_or_line(torch.zeros(3, 9, 9, dtype=dtype))


def test_no_program_is_started_for_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostScript is a program: Pillow would hand it to Ghostscript, whatever the file's suffix."""
    started: list[Any] = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *args, **options: started.append(args) or plain())
    refused(holding(encoded(plain(), "EPS"), "a.jpg")(tmp_path))
    assert started == []


def test_a_path_may_be_text(tmp_path: Path) -> None:
    path = saved(plain(), "a.png")(tmp_path)
    np.testing.assert_array_equal(pixels_of(str(path)), pixels_of(path))


def test_the_record_tells_the_file(tmp_path: Path) -> None:
    path = holding(encoded(plain("P", 0), "PNG", pnginfo=PngImagePlugin.PngInfo()), "a.png")(tmp_path)
    photograph = open_photograph(path, COLOUR, fit="pad")
    assert isinstance(photograph, Photograph)
    told = {key: photograph.record[key] for key in ("given", "path", "size", "fit", "mode")}
    assert told == {"given": "file", "path": str(path), "size": [20, 20], "fit": "pad", "mode": "P"}


# --- the command line -------------------------------------------------------------------------------------------

ON_THE_COMMAND_LINE = [
    "pipe", "device", "empty file", "text", "svg", "random bytes", "folder", "missing",
    "a newline in a missing name", "below a file", "name too long", "claims to be 60000x60000",
    "bomb below Pillow's own limit", "5000x3", "png of no width", "png, header's checksum wrong", "tiff of nan",
    "JPEG, 50% of it", "PNG, 95% of it", "GIF, 10% of it", "WEBP, 50% of it",
]  # fmt: skip


@pytest.mark.parametrize("name", ON_THE_COMMAND_LINE)
def test_the_command_says_one_line_and_leaves_nothing(name: str, tmp_path: Path) -> None:
    from convscope.cli.main import app

    path = BROKEN[name][0](tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    done = CliRunner().invoke(app, ["explain", str(path), "--out", str(out / "x.png")])
    assert done.exit_code == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "unexpected" not in done.stderr
    assert done.stdout == ""
    assert list(out.iterdir()) == []


def test_the_command_in_its_own_process(tmp_path: Path) -> None:
    path = BROKEN["PNG, 50% of it"][0](tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    words = [sys.executable, "-m", "convscope", "explain", str(path), "--out", str(out / "x.png")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert list(out.iterdir()) == []


def test_a_name_that_is_no_utf8_is_a_name_like_any_other(tmp_path: Path) -> None:
    from convscope.cli.main import app

    path = tmp_path / os.fsdecode(b"caf\xe9.png")
    path.write_bytes(encoded(plain(), "PNG"))
    done = CliRunner().invoke(app, ["explain", str(path), "--out", str(tmp_path / "x.png")])
    assert done.stderr == ""
    assert done.exit_code == 0
    assert (tmp_path / "x.png").is_file()
