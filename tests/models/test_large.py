"""Large pictures are read smaller than they are, and come out as if they had not been."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from PIL import Image, ImageCms

from convscope import InputSpec
from convscope.models import decoding, pixels
from convscope.models.fitting import GAP, Fit, most_shrinking
from convscope.models.photograph import Photograph, open_photograph

ORIENTATION = 274
WIDTH, HEIGHT = 407, 301  # no multiples of 2: what is left over at the edge is where a shift would show


def spec(size: int | tuple[int, int], channels: int = 3) -> InputSpec:
    return InputSpec(size=size, channels=channels, range=(0, 1), mean=0.0, std=1.0)


def waves() -> Image.Image:
    """Slow waves, different along and across: a shift by a pixel shows, fine detail is not there to be lost."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    planes = [np.sin(x / 30 + 0.3), np.sin(y / 25 + 1), np.sin((x + 2 * y) / 60)]
    return Image.fromarray((127 + 120 * np.stack(planes, axis=-1)).astype(np.uint8))


@pytest.fixture
def low(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every picture of these tests is a large one; strips are of a few rows."""
    for module in (decoding, pixels):
        monkeypatch.setattr(module, "LARGE", 10_000)
    monkeypatch.setattr(pixels, "STRIP", 5000)


def both(image: Any, monkeypatch: pytest.MonkeyPatch, given: InputSpec, fit: Fit) -> tuple[Photograph, Photograph]:
    """Read smaller, and read whole."""
    small = open_photograph(image, given, fit=fit)
    for module in (decoding, pixels):
        monkeypatch.setattr(module, "LARGE", 10**9)
    return small, open_photograph(image, given, fit=fit)


@pytest.mark.usefixtures("low")
@pytest.mark.parametrize("fit", get_args(Fit))
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(16, 16), (40, 30)])
def test_a_jpeg_decoded_smaller_is_the_same_picture(
    size: tuple[int, int], orientation: int, fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn = Image.Exif()
    turn[ORIENTATION] = orientation
    waves().save(tmp_path / "a.jpg", quality=100, subsampling=0, exif=turn)
    small, whole = both(tmp_path / "a.jpg", monkeypatch, spec(size), fit)
    upright = (WIDTH, HEIGHT) if orientation >= 5 else (HEIGHT, WIDTH)
    most = most_shrinking(upright, size, fit)
    by = 8 if most >= 8 else 4 if most >= 4 else 2
    assert [line for line in small.record["done"] if line != "rotated by EXIF"] == [f"decoded at 1/{by}"]
    assert small.record["size"] == whole.record["size"] == list(upright)
    assert small.record["sha256"] == whole.record["sha256"]
    assert ("rotated by EXIF" in small.record["done"]) is (orientation > 1)
    assert_close(small, whole)


def assert_close(small: Photograph, whole: Photograph, most: float = 0.035) -> None:
    """Apart by less than half a step of 8 bits on average, by a little more in the last row and column."""
    apart = abs(small.pixels - whole.pixels)
    assert apart.max() < most
    assert apart.mean() < 0.002 * (most / 0.035)


def deep(white: int) -> np.ndarray:
    return (np.asarray(waves().convert("L")).astype(np.float64) / 255 * white).astype(np.uint16)


def profiled() -> Image.Image:
    picture = waves()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = profile.replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ").replace(b"????", b"gXYZ")
    picture.info["icc_profile"] = swapped.replace("sRGB".encode("utf-16-be"), "SWAP".encode("utf-16-be"))
    return picture


def see_through() -> Image.Image:
    picture = waves()
    picture.putalpha(waves().getchannel("B"))
    return picture


LARGE_PICTURES = {
    "colour": waves,
    "grey": lambda: waves().convert("L"),
    "1 bit": lambda: waves().convert("L").point(lambda value: value > 127, "1"),
    "palette": lambda: waves().quantize(64),
    "cmyk": lambda: waves().convert("CMYK"),
    "alpha": see_through,
    "16 bits": lambda: Image.fromarray(deep(65535)),
    "floats": lambda: Image.fromarray((deep(65535) / 65535).astype(np.float32)),
    "colour profile": profiled,
}


@pytest.mark.usefixtures("low")
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("name", LARGE_PICTURES)
def test_other_pictures_are_averaged(name: str, channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    small, whole = both(LARGE_PICTURES[name](), monkeypatch, spec((16, 20), channels), "crop")
    assert [line for line in small.record["done"] if "averaged" not in line] == whole.record["done"]
    assert "6x6 pixels averaged" in small.record["done"]
    assert small.record["size"] == whole.record["size"] == [HEIGHT, WIDTH]
    assert_close(small, whole, 0.1 if name in ("1 bit", "palette") else 0.03)


@pytest.mark.usefixtures("low")
@pytest.mark.parametrize("fit", get_args(Fit))
def test_averaging_shifts_nothing(fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    small, whole = both(waves(), monkeypatch, spec((21, 13)), fit)
    assert any("averaged" in line for line in small.record["done"])
    assert_close(small, whole)


@pytest.mark.usefixtures("low")
def test_a_large_picture_wanted_large_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waves().save(tmp_path / "a.jpg")
    small, whole = both(tmp_path / "a.jpg", monkeypatch, spec((200, 200)), "crop")
    np.testing.assert_array_equal(small.pixels, whole.pixels)
    assert small.record == whole.record


@pytest.mark.usefixtures("low")
def test_the_hash_of_a_large_picture_is_that_of_the_picture_not_of_its_reading() -> None:
    hashes = {open_photograph(waves(), spec(size)).record["sha256"] for size in (8, 16, 100, 300)}
    assert len(hashes) == 1
    assert open_photograph(waves().rotate(180), spec(8)).record["sha256"] not in hashes


@pytest.mark.usefixtures("low")
def test_a_callers_jpeg_stays_as_large_as_it_is() -> None:
    buffer = io.BytesIO()
    waves().save(buffer, "JPEG")
    with Image.open(buffer) as picture:
        open_photograph(picture, spec(16))
        assert picture.size == (WIDTH, HEIGHT)


def test_pictures_of_usual_size_are_read_whole(tmp_path: Path) -> None:
    Image.new("L", (6000, 4000), 200).save(tmp_path / "a.jpg")
    assert open_photograph(tmp_path / "a.jpg", spec(16)).record["done"] == ["grey to colour"]


def test_what_is_read_keeps_three_times_what_is_wanted() -> None:
    for picture, size in (((9000, 12000), (224, 224)), ((1000, 90), (16, 16)), ((301, 407), (100, 100))):
        for fit in get_args(Fit):
            factors = picture[0] / size[0], picture[1] / size[1]
            by = most_shrinking(picture, size, fit)
            assert by == 1 or (max if fit == "pad" else min)(factors) / by >= GAP


MEASURED = """
import resource, sys
import numpy as np
from convscope import InputSpec
from convscope.models.photograph import open_photograph
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
pixels = open_photograph(sys.argv[1], InputSpec(size=224, range=(0, 1))).pixels
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024, float(pixels[:, :111].max()),
      float(pixels[:, 113:].min()))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is counted in other units elsewhere")
def test_144_million_pixels_take_little_memory(tmp_path: Path) -> None:
    """12000x12000 of 1 bit took 3.4 GB as floats."""
    picture = Image.new("1", (12_000, 12_000), 0)
    picture.paste(1, (6000, 0, 12_000, 12_000))
    picture.save(tmp_path / "a.png")
    words = [sys.executable, "-c", MEASURED, str(tmp_path / "a.png")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    grown, dark, bright = map(float, done.stdout.split())
    assert grown < 600
    assert (dark, bright) == pytest.approx((0, 1), abs=0.02)
