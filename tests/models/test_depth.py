"""What is white depends on a value's type, or on what the file declares, and never on how large the values are."""

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, TiffImagePlugin

from convscope import InputSpec
from convscope.errors import ImageError
from convscope.models.photograph import Photograph, open_photograph

GREY = InputSpec(size=4, channels=1, range=(0, 1), mean=0.0, std=1.0)
FOUR = InputSpec(size=4, channels=4, range=(0, 1), mean=0.0, std=1.0)
WHITES = {
    "bool": 1, "uint8": 255, "uint16": 65535, "uint32": 2**32 - 1, "uint64": 2**64 - 1, "int16": 255, "int32": 255,
    "int64": 255, "float16": 1, "float32": 1, "float64": 1,
}  # fmt: skip


def opened(image: Any, spec: InputSpec = GREY) -> Photograph:
    return open_photograph(image, spec)


def reopened(picture: Image.Image, kind: str, **options: Any) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return Image.open(buffer)


def tags(most: int) -> TiffImagePlugin.ImageFileDirectory_v2:
    """TIFF's MaxSampleValue."""
    found = TiffImagePlugin.ImageFileDirectory_v2()
    found[281] = most
    found.tagtype[281] = TiffImagePlugin.TiffTags.LONG
    return found


Door = tuple[Callable[[np.ndarray], Any], int]
DOORS: dict[str, Door] = {
    **{f"array {name}": ((lambda a, name=name: a.astype(name)), white) for name, white in WHITES.items()},
    "tensor uint8": (lambda a: torch.from_numpy(a.astype(np.uint8)), 255),
    "tensor float16": (lambda a: torch.from_numpy(a.astype(np.float16)), 1),
    "pil I;16": (lambda a: Image.fromarray(a.astype(np.uint16)), 65535),
    "pil I": (lambda a: Image.fromarray(a.astype(np.int32)), 65535),
    "pil F": (lambda a: Image.fromarray(a.astype(np.float32)), 1),
    "16-bit PNG": (lambda a: reopened(Image.fromarray(a.astype(np.uint16)), "PNG"), 65535),
    "16-bit TIFF": (lambda a: reopened(Image.fromarray(a.astype(np.uint16)), "TIFF"), 65535),
    "12-bit TIFF": (lambda a: reopened(Image.fromarray(a.astype(np.uint16)), "TIFF", tiffinfo=tags(most=4095)), 4095),
    "float TIFF": (lambda a: reopened(Image.fromarray(a.astype(np.float32)), "TIFF"), 1),
    "32-bit TIFF": (
        lambda a: reopened(Image.fromarray(a.astype(np.int32)), "TIFF", tiffinfo=tags(most=2**20 - 1)), 2**20 - 1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DOORS)
@settings(max_examples=15, deadline=None, derandomize=True)
@given(part=st.floats(0, 1), others=st.lists(st.floats(0, 1), min_size=15, max_size=15))
def test_a_value_means_the_same_whatever_stands_beside_it(name: str, part: float, others: list[float]) -> None:
    door, white = DOORS[name]
    values = np.array([part, *others]).reshape(4, 4) * white
    most = np.nextafter(2.0**64, 0)  # 2**64 - 1 is no float: it would round up, out of range
    values = np.minimum(np.floor(values), most).astype(np.uint64) if white > 1 else values
    door_values = door(values)
    held = (values > 0) if name == "array bool" else values / white
    np.testing.assert_allclose(opened(door_values).pixels[..., 0], held, atol=6e-4 if "float16" in name else 1e-6)


HOLDING_MORE = [
    name for name, (_, white) in DOORS.items() if white in (1, 255) and "bool" not in name and "uint8" not in name
]
"""Those whose type can hold values above white."""


@pytest.mark.parametrize("name", HOLDING_MORE)
@pytest.mark.parametrize("over", [1.01, 2, 100])
def test_values_above_white_are_refused_with_the_way_out(name: str, over: float) -> None:
    door, white = DOORS[name]
    values = np.full((4, 4), white * over)
    with pytest.raises(ImageError, match=rf"expected 0 to {white}: .*divide"):
        opened(door(values))


def test_int8_cannot_hold_a_picture() -> None:
    for image in (np.zeros((4, 4), dtype=np.int8), torch.zeros(4, 4, dtype=torch.int8)):
        with pytest.raises(ImageError, match="int8, which cannot hold 0 to 255; give uint8, or floats"):
            opened(image)


@pytest.mark.parametrize("most", [1000, 3000, 60000, 65535])
def test_a_largest_value_that_was_only_found_is_no_declaration(most: int) -> None:
    picture = reopened(Image.new("I;16", (4, 4), 1000), "TIFF", tiffinfo=tags(most=most))
    np.testing.assert_allclose(opened(picture).pixels, 1000 / 65535, atol=1e-6)


def test_a_declared_white_is_recorded_and_held_to() -> None:
    picture = reopened(Image.new("I;16", (4, 4), 4095), "TIFF", tiffinfo=tags(most=4095))
    photograph = opened(picture)
    assert photograph.record["done"] == ["white is 4095, as the file says"]
    assert "notes" not in photograph.record
    with pytest.raises(ImageError, match=r"from 4.1e\+03 to 4.1e\+03; expected 0 to 4095"):
        opened(reopened(Image.new("I;16", (4, 4), 4100), "TIFF", tiffinfo=tags(most=4095)))


def test_a_tiff_of_12_bits_a_value() -> None:
    """Two values in three bytes; the file says 12 bits."""
    rows = bytes.fromhex("fff000" * 2) * 4
    entries = [(256, 4), (257, 4), (258, 12), (259, 1), (262, 1), (273, 200), (277, 1), (278, 4), (279, len(rows))]
    head = b"II*\0" + struct.pack("<IH", 8, len(entries))
    head += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries) + bytes(4)
    picture = Image.open(io.BytesIO(head.ljust(200, b"\0") + rows))
    photograph = opened(picture)
    np.testing.assert_allclose(photograph.pixels[..., 0], [[1, 0, 1, 0]] * 4, atol=1e-6)
    assert "white is 4095, as the file says" in photograph.record["done"]


def test_significant_bits_of_a_png_do_not_scale_it() -> None:
    """By the PNG specification the values are scaled to the full 16 bits already."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + struct.pack(">4H", 65535, 0, 32768, 65535)) * 4
    data = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 16, 0, 0, 0, 0)) + chunk(b"sBIT", b"\x0c")
    )
    picture = Image.open(io.BytesIO(data + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")))
    np.testing.assert_allclose(opened(picture).pixels[0, :, 0], [1, 0, 32768 / 65535, 1], atol=1e-6)


@pytest.mark.parametrize(
    ("image", "used"),
    [
        (np.full((4, 4), 4095, dtype=np.uint16), "12 of 16"),
        (np.full((4, 4), 200, dtype=np.uint32), "8 of 32"),
        (Image.new("I;16", (4, 4), 4095), "12 of 16"),
        (Image.new("I", (4, 4), 255), "8 of 16"),
        (torch.full((1, 4, 4), 4095, dtype=torch.uint16), "12 of 16"),
    ],
)
def test_values_that_fill_a_part_of_their_bits_are_noted_and_stay(image: Any, used: str) -> None:
    photograph = opened(image)
    assert photograph.record["notes"] == [f"the picture's values use only {used} bits: it may be dark; scale it first"]
    assert photograph.pixels.max() < 1 / 8


@pytest.mark.parametrize(
    "image",
    [
        np.full((4, 4), 8192, dtype=np.uint16),
        np.zeros((4, 4), dtype=np.uint16),
        np.full((4, 4), 3, dtype=np.uint8),
        Image.new("L", (4, 4), 3),
    ],
)
def test_other_dark_pictures_are_not_noted(image: Any) -> None:
    assert "notes" not in opened(image).record


def test_colours_of_16_bits_are_noted_by_their_upper_8() -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    def png(value: int) -> Image.Image:
        rows = (b"\0" + struct.pack(">3H", value, 0, 0) * 4) * 4
        head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0))
        return Image.open(io.BytesIO(head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")))

    assert "use only 12 of 16 bits" in opened(png(4095)).record["notes"][0]
    assert "notes" not in opened(png(40000)).record


# --- transparency -----------------------------------------------------------------------------------------------

LAID = "the picture is transparent in places: it was laid on white"


def test_transparency_is_noted_only_where_there_is_some() -> None:
    assert opened(Image.new("RGBA", (4, 4), (0, 0, 0, 254))).record["notes"] == [LAID]
    assert opened(np.full((4, 4, 4), 0.5)).record["notes"] == [LAID]
    solid = opened(Image.new("RGBA", (4, 4), (0, 0, 0, 255))).record
    assert "notes" not in solid
    assert "alpha on white" in solid["done"]


def test_a_network_of_four_channels_keeps_alpha_and_has_nothing_to_note() -> None:
    photograph = opened(Image.new("RGBA", (4, 4), (255, 0, 0, 51)), FOUR)
    np.testing.assert_allclose(photograph.pixels, np.broadcast_to([1, 0, 0, 0.2], (4, 4, 4)), atol=1e-6)
    assert "notes" not in photograph.record


def test_the_transparent_value_of_a_16_bit_grey_png() -> None:
    values = np.full((4, 4), 30000, dtype=np.uint16)
    values[:2] = 7000
    picture = reopened(Image.fromarray(values), "PNG", transparency=7000)
    photograph = opened(picture)
    np.testing.assert_allclose(photograph.pixels[:2], 1, atol=1e-6)
    np.testing.assert_allclose(photograph.pixels[2:], 30000 / 65535, atol=1e-6)
    assert photograph.record["notes"] == [LAID]
    np.testing.assert_array_equal(opened(picture, FOUR).pixels[..., 3], [[0] * 4, [0] * 4, [1] * 4, [1] * 4])
