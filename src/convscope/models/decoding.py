"""Picture files, and pictures that Pillow has opened, decoded: the first frame, upright, and what stands for white."""

import hashlib
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageFile, UnidentifiedImageError

from convscope.errors import ImageError
from convscope.models.exif import turn_of, upright_of
from convscope.models.fitting import WHOLE, Fit, Shrunk, most_shrinking
from convscope.models.strict import strict_decoding
from convscope.reading import ReadError, regular_bytes

FORMATS = (
    "JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "JPEG2000", "MPO", "ICO", "TGA", "PCX", "AVIF", "DIB", "SGI",
    "QOI",
)  # fmt: skip
"""What is read: pictures of pixels. Not PostScript, whose reading would start another program."""
MAX_BYTES = 1 << 30
"""A file above this is not read."""
MAX_PIXELS = 150_000_000
"""A picture above this is refused before it is decoded: it is more likely a decompression bomb than a photograph."""
MAX_SIDE_RATIO = 200
"""A picture longer than this many times its width is refused: nothing of it would be left at the network's size."""
LARGE = 24_000_000
"""Pixels above which a picture is read smaller where a network wants much less: floats of all of it take gigabytes."""
MAX_SAMPLE_VALUE, BITS_PER_SAMPLE = 281, 258
"""Tags of TIFF."""


@dataclass(frozen=True)
class Decoded:
    """picture: upright, in its own mode. size: (height, width) of the whole picture, upright. white: what stands for
    white in whole numbers above 8 bits. bits: of each value in the file, which may be more than the mode's."""

    picture: Image.Image
    size: tuple[int, int]
    white: int
    bits: int
    shrunk: Shrunk = WHOLE


_OF_THE_WEB = re.compile("https?:/", re.IGNORECASE)
_ADDRESS = "an address of the web was given, and nothing is downloaded: save the picture, and give the file's path"


def decoded_file(path: Path, size: tuple[int, int], fit: Fit) -> tuple[Decoded, dict[str, Any]]:
    """A file's picture, and the record of it. A large JPEG is decoded smaller where (height, width) is much less.

    Raises ImageError, naming the file, for whatever is no picture, is damaged or is too large.
    """
    name = repr(str(path))
    try:
        data = regular_bytes(path, MAX_BYTES)
    except ReadError as error:
        told = {
            "missing": _ADDRESS if _OF_THE_WEB.match(str(path)) else f"no file {name}; expected the path of a picture",
            "folder": f"{name} is a folder; expected the path of one picture",
        }
        raise ImageError(told.get(error.why, f"{name} {error}")) from None
    if not data:
        raise ImageError(f"{name} is an empty file; expected a picture")
    record = {"given": "file", "path": str(path), "sha256": hashlib.sha256(data).hexdigest()}
    try:
        with strict_decoding():
            picture = Image.open(io.BytesIO(data), formats=_formats())
            check_size(*picture.size)
            return _decoded(picture, record, (size, fit)), record
    except UnidentifiedImageError:
        raise ImageError(
            f"{name} is not a picture that can be read; expected JPEG, PNG, WebP, GIF, TIFF, BMP or the like"
        ) from None
    except Image.DecompressionBombError:
        raise ImageError(f"{name} is too large; the limit is {MAX_PIXELS // 10**6} million pixels") from None
    except ImageError as error:
        raise ImageError(f"{name}: {error}") from None
    except MemoryError:
        raise
    except Exception as error:  # decoders raise whatever they like on broken files
        raise ImageError(f"{name} {_broken(error)}") from None


def decoded_picture(picture: Image.Image) -> tuple[Decoded, dict[str, Any]]:
    """A picture that Pillow has opened or made, and the record of it. It stays at its frame, and as large as it is.

    Raises ImageError for what cannot be decoded.
    """
    record: dict[str, Any] = {"given": "PIL picture"}
    try:
        with strict_decoding():
            return _decoded(picture, record, None), record
    except (ImageError, MemoryError):
        raise
    except Exception as error:
        raise ImageError(f"the PIL picture {_broken(error)}") from None


def reason(error: Exception) -> str:
    """What an exception says, in one line."""
    text = " ".join(str(getattr(error, "strerror", None) or error).split())
    return text[:160] or "it cannot be decoded"


def check_size(width: int, height: int) -> None:
    """Raises ImageError for a picture that is empty, or unreasonably large or long."""
    if width < 1 or height < 1:
        raise ImageError(f"the picture is {width}x{height} pixels; expected at least 1x1")
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"the picture is {width}x{height}, {width * height / 1e6:.0f} million pixels; "
            f"the limit is {MAX_PIXELS // 10**6} million: make it smaller first"
        )
    if max(width, height) > MAX_SIDE_RATIO * min(width, height):
        raise ImageError(
            f"the picture is {width}x{height}; expected sides of at most 1 to {MAX_SIDE_RATIO}: crop it first"
        )


def _broken(error: Exception) -> str:
    text = reason(error)
    return f"is damaged, or needs too much memory: {text}" if "memory" in text else f"is broken or cut short: {text}"


def _formats() -> list[str]:
    """Those of FORMATS that this Pillow can read."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _decoded(picture: Image.Image, record: dict[str, Any], wanted: tuple[tuple[int, int], Fit] | None) -> Decoded:
    """First frame, rotated as its EXIF says; each step that changed something is recorded. wanted: the network's size
    and the fit, of a file, which may be decoded smaller; None for a caller's picture."""
    check_size(*picture.size)
    done: list[str] = []
    at = picture.tell() if getattr(picture, "n_frames", 1) > 1 else None
    if at is not None:
        picture.seek(0)
        done.append("first frame")
    try:
        white, bits = _white(picture), _bits(picture)
        turned = picture.format == "TIFF" and turn_of(picture) > 1  # a TIFF is turned as it is loaded
        width, height = picture.size
        by = _draft(picture, *wanted) if wanted else 1
        _load(picture)
        frame = picture if at is None or wanted else picture.copy()
    finally:
        if at is not None and wanted is None:
            picture.seek(at)
    turn = turn_of(frame)
    upright = upright_of(frame)
    if turned or turn > 1:
        done.append("rotated by EXIF")
    if white not in (None, 65535):
        done.append(f"white is {white}, as the file says")
    record |= {"mode": frame.mode, "done": done}
    if by == 1:
        return Decoded(upright, (upright.height, upright.width), white or 65535, bits)
    done.append(f"decoded at 1/{by}")
    if turn >= 5:
        width, height = height, width
    # The last row and column of what was decoded are parts of a pixel; turned, they may be the first.
    left = upright.width - width / by if turn in (2, 3, 6, 7) else 0.0
    top = upright.height - height / by if turn in (3, 4, 7, 8) else 0.0
    return Decoded(upright, (height, width), white or 65535, bits, Shrunk(by, left, top))


def _draft(picture: Image.Image, size: tuple[int, int], fit: Fit) -> int:
    """Have a large JPEG decoded at 1/2, 1/4 or 1/8 where the network wants much less. Returns 1, 2, 4 or 8."""
    width, height = picture.size
    if picture.format not in ("JPEG", "MPO") or width * height <= LARGE:
        return 1
    upright = (width, height) if turn_of(picture) >= 5 else (height, width)
    most = most_shrinking(upright, size, fit)
    by = next(scale for scale in (8, 4, 2, 1) if scale <= most)
    result = picture.draft(None, (width // by, height // by)) if by > 1 else None
    return round(width / result[1][2]) if result else 1


def _load(picture: Image.Image) -> None:
    """Decode the pixels. A picture that could not be decoded fails again: Pillow would take it for a black one."""
    tiles = picture.tile if isinstance(picture, ImageFile.ImageFile) else []
    try:
        picture.load()
    except BaseException:
        if isinstance(picture, ImageFile.ImageFile):
            picture.tile = tiles
        raise


def _white(picture: Image.Image) -> int | None:
    """What stands for white in whole numbers of 16 or 32 bits, as the file says; None where it says nothing.

    A TIFF says it by its bits below 16, or by MaxSampleValue where that is all ones in binary (4095): any other is the
    largest value found, and no picture is scaled by that. The sBIT of a PNG is not asked: its values are scaled to 16
    bits already. Raises ImageError for 32 bits, or values below zero, without a word on white.
    """
    tags = getattr(picture, "tag_v2", None)
    if tags is None or not picture.mode.startswith("I"):
        return None
    depth, most = (next(iter(tags.get(tag) or (0,))) for tag in (BITS_PER_SAMPLE, MAX_SAMPLE_VALUE))
    if most >= 255 and most & (most + 1) == 0:
        return int(most)
    if picture.mode == "I":
        raise ImageError(
            "this TIFF of whole numbers does not say which is white (16 bits unsigned are 0 to 65535): "
            "divide them by it and give an array in [0,1]"
        )
    return 2**depth - 1 if 8 <= depth < 16 else None


def _bits(picture: Image.Image) -> int:
    """The bits of each value in the file: 16 also where Pillow hands over the upper 8 of colours."""
    return 16 if any(";16" in str(tile[3]) for tile in getattr(picture, "tile", ())) else 8
