"""The one door for photographs: any picture a person may give becomes `h w c` numbers in [0,1], or one clear error.

What is done on the way is recorded, so that a recipe can do it again: rotation by EXIF, alpha laid on a
background, the first frame of an animation, colour profiles, and how the picture was brought to the network's size.
"""

import hashlib
import io
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Float
from PIL import ExifTags, Image, ImageCms, ImageFile, ImageOps, UnidentifiedImageError
from torch import Tensor

from convscope.errors import ImageError
from convscope.models.spec import InputSpec

Fit = Literal["crop", "pad", "stretch"]
ImageLike = str | Path | Image.Image | np.ndarray | Tensor


def listed(given: Any) -> list[Any]:
    """What an argument holds that takes one picture or several, or none."""
    return list(given) if isinstance(given, list | tuple) else [] if given is None else [given]


FORMATS = (
    "JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "JPEG2000", "MPO", "ICO", "TGA", "PCX", "AVIF", "DIB", "SGI",
    "QOI",
)  # fmt: skip
"""What is read: pictures of pixels. Not PostScript, whose reading would start another program."""
MAX_PIXELS = 150_000_000
"""A picture above this is refused before it is decoded: it is more likely a decompression bomb than a photograph."""
MAX_SIDE_RATIO = 200
"""A picture longer than this many times its width is refused: nothing of it would be left at the network's size."""


@dataclass(frozen=True)
class Photograph:
    """A picture as the network will see it. `pixels`: `h w c` in [0,1]; `record`: what was given and done."""

    pixels: Float[np.ndarray, "h w c"]
    record: dict[str, Any] = field(default_factory=dict)

    def tensor(self, device: torch.device | str = "cpu") -> Float[Tensor, "1 c h w"]:
        """The picture as a batch of one, `1 c h w` in [0,1]."""
        return torch.from_numpy(np.ascontiguousarray(self.pixels.transpose(2, 0, 1))).unsqueeze(0).to(device)


def open_photograph(image: "ImageLike | Photograph", spec: InputSpec, *, fit: Fit = "crop") -> Photograph:
    """Read a picture and bring it to the size and channels that a network wants.

    image: a file's path, a PIL picture, a NumPy array (`h w`, `h w c`; integers, or floats in [0,1]) or a tensor
        (`c h w` or `1 c h w`).
    fit: "crop" scales the short side to the network's size and cuts the middle out; "pad" scales the long side and
        fills the rest with mid grey; "stretch" scales both sides.

    Raises ImageError for whatever is no picture, is broken, is empty or is unreasonably large.
    """
    if isinstance(image, Photograph):
        if image.pixels.shape != (*spec.hw, spec.channels):
            raise ImageError(f"the photograph is {image.pixels.shape}; expected {(*spec.hw, spec.channels)}")
        return image
    if fit not in get_args(Fit):
        raise ImageError(f"fit is {fit!r}; expected one of {', '.join(get_args(Fit))}")
    picture: Image.Image | np.ndarray
    if isinstance(image, str | Path):
        picture, record = _from_file(Path(image))
    elif isinstance(image, Image.Image):
        try:
            picture, record = _upright(image, {"given": "PIL picture"})
        except Exception as error:  # a picture that PIL opened but has not decoded yet
            raise ImageError(f"the PIL picture is broken or cut short: {_reason(error)}") from None
    elif isinstance(image, Tensor):
        picture, record = _from_array(_channels_last(image), spec, {"given": "tensor"})
    elif isinstance(image, np.ndarray):
        picture, record = _from_array(image, spec, {"given": "array"})
    else:
        raise ImageError(f"a picture was given as {type(image).__name__}; expected a path, PIL, NumPy array or tensor")
    try:
        planes = _planes(picture, spec.channels, record)
    except ImageError as error:
        raise ImageError(f"{record['path']!r}: {error}" if "path" in record else str(error)) from None
    height, width = planes[0].shape
    _check_size(width, height)
    record["size"] = [height, width]
    record["fit"] = fit
    if "sha256" not in record:
        record["sha256"] = hashlib.sha256(np.stack(planes).tobytes()).hexdigest()
    pixels = np.stack([_resize(plane, spec.hw, fit) for plane in planes], axis=-1)
    return Photograph(np.clip(pixels, 0.0, 1.0), record)


def _from_file(path: Path) -> tuple[Image.Image, dict[str, Any]]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ImageError(f"no file {str(path)!r}; expected the path of a picture") from None
    except IsADirectoryError:
        raise ImageError(f"{str(path)!r} is a folder; expected the path of one picture") from None
    except (OSError, ValueError) as error:
        raise ImageError(f"{str(path)!r} cannot be read: {_reason(error)}") from None
    if not data:
        raise ImageError(f"{str(path)!r} is an empty file; expected a picture")
    record = {"given": "file", "path": str(path), "sha256": hashlib.sha256(data).hexdigest()}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture = Image.open(io.BytesIO(data), formats=_formats())
            _check_size(*picture.size)
            return _upright(picture, record)
    except UnidentifiedImageError:
        raise ImageError(
            f"{str(path)!r} is not a picture that can be read; expected JPEG, PNG, WebP, GIF, TIFF, BMP or the like"
        ) from None
    except Image.DecompressionBombError:
        raise ImageError(f"{str(path)!r} is too large; the limit is {MAX_PIXELS // 10**6} million pixels") from None
    except ImageError as error:
        raise ImageError(f"{str(path)!r}: {error}") from None
    except Exception as error:  # decoders raise whatever they like on broken files
        raise ImageError(f"{str(path)!r} is broken or cut short: {_reason(error)}") from None


def _formats() -> list[str]:
    """Those of FORMATS that this Pillow can read."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _reason(error: Exception) -> str:
    text = " ".join(str(getattr(error, "strerror", None) or error).split())
    return text[:160] or "it cannot be decoded"


def _check_size(width: int, height: int) -> None:
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


def _upright(picture: Image.Image, record: dict[str, Any]) -> tuple[Image.Image, dict[str, Any]]:
    """First frame, rotated as its EXIF says, in sRGB; each step that changed something is recorded."""
    _check_size(*picture.size)
    done: list[str] = []
    turned = picture.format == "TIFF" and _orientation(picture) > 1  # a TIFF is turned as it is loaded
    if getattr(picture, "n_frames", 1) > 1:
        picture = _first_frame(picture)
        done.append("first frame")
    _load(picture)
    upright = ImageOps.exif_transpose(picture) if _orientation(picture) > 1 else picture
    if turned or upright is not picture:
        done.append("rotated by EXIF")
    converted = _to_srgb(upright)
    if converted is not None:
        upright = converted
        done.append("colour profile to sRGB")
    record["mode"] = picture.mode
    record["done"] = done
    return upright, record


def _first_frame(picture: Image.Image) -> Image.Image:
    """The first frame of several, decoded. A caller's picture stays at the frame where it was."""
    at = picture.tell()
    picture.seek(0)
    try:
        _load(picture)
        return picture.copy()
    finally:
        picture.seek(at)


def _load(picture: Image.Image) -> None:
    """Decode the pixels. A picture that could not be decoded fails again: Pillow would take it for a black one."""
    tiles = picture.tile if isinstance(picture, ImageFile.ImageFile) else []
    try:
        picture.load()
    except BaseException:
        if isinstance(picture, ImageFile.ImageFile):
            picture.tile = tiles
        raise


def _orientation(picture: Image.Image) -> int:
    """How EXIF says the picture is turned, 1 to 8; 1 where it says nothing, or nothing legible."""
    try:
        turn = picture.getexif().get(ExifTags.Base.Orientation, 1)
        return turn if turn in range(2, 9) else 1
    except Exception:  # EXIF of any kind of nonsense; the pixels are sound all the same
        return 1


def _to_srgb(picture: Image.Image) -> Image.Image | None:
    """The picture in sRGB, or None where it has no colour profile, or one that is sRGB already or of no use."""
    profile = picture.info.get("icc_profile")
    if not profile:
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in (ImageCms.getProfileDescription(source) or "").lower():
            return None
        alpha = picture.convert("RGBA").getchannel("A") if picture.has_transparency_data else None
        if picture.mode not in ("RGB", "CMYK", "L"):
            if picture.mode not in ("P", "PA", "RGBA", "RGBX", "LA"):
                return None
            picture = picture.convert("L" if picture.mode == "LA" else "RGB")
        converted = ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        if converted is not None and alpha is not None:
            converted.putalpha(alpha)
        return converted
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _channels_last(tensor: Tensor) -> np.ndarray:
    try:
        if tensor.is_complex():
            raise TypeError("complex numbers")
        plain = tensor.detach().cpu()
        whole = not plain.is_floating_point() or plain.dtype in (torch.float32, torch.float64, torch.float16)
        array: np.ndarray = (plain if whole else plain.float()).numpy()
    except (RuntimeError, TypeError, NotImplementedError) as error:
        raise ImageError(
            f"a picture tensor of {tensor.dtype} cannot be read ({_reason(error)}); expected plain"
        ) from None
    if array.ndim == 4 and array.shape[0] == 1:
        array = array[0]
    if array.ndim == 3:
        return array.transpose(1, 2, 0)
    if array.ndim == 2:
        return array
    raise ImageError(f"a picture tensor has shape {tuple(tensor.shape)}; expected c h w or 1 c h w")


def _from_array(array: np.ndarray, spec: InputSpec, record: dict[str, Any]) -> tuple[np.ndarray, dict[str, Any]]:
    """An array as `h w c` floats in [0,1]."""
    if array.ndim == 4 and array.shape[0] == 1:
        array = array[0]
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or 0 in array.shape:
        raise ImageError(f"a picture array has shape {array.shape}; expected h w or h w c, nothing empty")
    known = {1, 3, 4, spec.channels}
    if array.shape[2] not in known:
        raise ImageError(
            f"a picture array has shape {array.shape}; expected h w c with c one of {sorted(known)}"
            + (" (this looks like c h w: transpose it, or give a tensor)" if array.shape[0] in known else "")
        )
    if array.dtype == bool:
        array = array.astype(np.float32)
    elif np.issubdtype(array.dtype, np.unsignedinteger):
        array = array.astype(np.float64) / np.iinfo(array.dtype).max
    elif np.issubdtype(array.dtype, np.integer):
        _check_values(array, 255)
        array = array / 255
    elif np.issubdtype(array.dtype, np.floating):
        _check_values(array, 1)
    else:
        raise ImageError(f"a picture array is of type {array.dtype}; expected integers or floats")
    return array.astype(np.float32), record | {"mode": str(array.dtype), "done": []}


def _check_values(array: np.ndarray, high: int) -> None:
    if not np.isfinite(array).all():
        raise ImageError("a picture array holds values that are not finite; expected numbers in [0,1]")
    low, top = float(array.min()), float(array.max())
    if low < -1e-4 or top > high * (1 + 1e-4):
        raise ImageError(f"a picture array of {array.dtype} goes from {low:.3g} to {top:.3g}; expected 0 to {high}")


def _planes(picture: Image.Image | np.ndarray, channels: int, record: dict[str, Any]) -> list[np.ndarray]:
    """The picture as `channels` float planes in [0,1]."""
    array = _to_array(picture, channels, record) if isinstance(picture, Image.Image) else picture
    have = array.shape[2]
    if have == channels:
        return [array[..., i] for i in range(channels)]
    if channels not in (1, 3, 4):
        raise ImageError(
            f"this network takes {channels} channels; give an array of h w {channels}, not {have} channels"
        )
    if have == 4:
        alpha = array[..., 3:]
        array = array[..., :3] * alpha + (1 - alpha)
        record["done"].append("alpha on white")
    if array.shape[2] == 1:
        array = np.repeat(array, 3, axis=2)
        if channels != 1:
            record["done"].append("grey to colour")
    if channels == 1:
        if have != 1:
            record["done"].append("colour to grey")
        return [array @ np.array([0.299, 0.587, 0.114], dtype=np.float32)]  # ITU-R BT.601 luma
    planes = [array[..., i] for i in range(3)]
    return planes if channels == 3 else [*planes, np.ones_like(planes[0])]


def _to_array(picture: Image.Image, channels: int, record: dict[str, Any]) -> np.ndarray:
    """A PIL picture of any mode as `h w c` in [0,1] with c 1, 3 or 4."""
    mode = picture.mode
    if mode.startswith("I;16"):
        return np.asarray(picture).astype(np.float32)[..., None] / 65535
    if mode in ("I", "F"):
        values = np.asarray(picture).astype(np.float64)[..., None]
        if not values.size:
            raise ImageError("the picture has no pixels; expected at least 1x1")
        if not np.isfinite(values).all():
            raise ImageError("the picture holds values that are not finite")
        low, top = float(values.min()), float(values.max())
        full = next((f for f in (1.0, 255.0, 65535.0) if top <= f), None) if mode == "F" else 65535.0
        if full is None or low < 0 or top > full:
            raise ImageError(f"the picture holds values from {low:.3g} to {top:.3g}; expected 0 to 1, 255 or 65535")
        return (values / full).astype(np.float32)
    if mode == "La":
        picture = picture.convert("LA")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        values = np.asarray(picture).astype(np.float32) / 255
        if channels == 4:
            return values
        record["done"].append("alpha on white")
        return values[..., :3] * values[..., 3:] + (1 - values[..., 3:])
    if mode in ("1", "L"):
        return np.asarray(picture.convert("L")).astype(np.float32)[..., None] / 255
    if mode != "RGB":
        record["done"].append(f"{mode} to RGB")
    return np.asarray(picture.convert("RGB")).astype(np.float32) / 255


def _resize(plane: np.ndarray, size: tuple[int, int], fit: Fit) -> np.ndarray:
    """One plane at the wanted size, by Pillow's antialiased bicubic filter."""
    height, width = plane.shape
    want_h, want_w = size
    if (height, width) == size:
        return plane
    picture = Image.fromarray(np.ascontiguousarray(plane, dtype=np.float32))
    box = (0.0, 0.0, float(width), float(height))
    if fit == "stretch" or height * want_w == width * want_h:
        return _scaled(picture, want_h, want_w, box)
    if fit == "crop":
        factor = min(height / want_h, width / want_w)
        # Rounding may put the corner a hair outside (900 / 224 * 224 is above 900), which Pillow refuses.
        left, top = max(0.0, (width - want_w * factor) / 2), max(0.0, (height - want_h * factor) / 2)
        return _scaled(picture, want_h, want_w, (left, top, width - left, height - top))
    left, top, right, bottom = map(int, where_seen((height, width), size, fit))
    out = np.full(size, 0.5, dtype=np.float32)
    out[top:bottom, left:right] = _scaled(picture, bottom - top, right - left, box)
    return out


def where_seen(picture: tuple[int, int], size: tuple[int, int], fit: Fit) -> tuple[float, float, float, float]:
    """Where a whole picture of (height, width) lies on what a network sees of it, (left, top, right, bottom) in pixels
    of that: with "pad" within it, with "crop" beyond it."""
    (height, width), (want_h, want_w) = picture, size
    if fit == "stretch" or height * want_w == width * want_h:
        return 0.0, 0.0, float(want_w), float(want_h)
    if fit == "crop":
        factor = min(height / want_h, width / want_w)
        over_w, over_h = max(0.0, (width / factor - want_w) / 2), max(0.0, (height / factor - want_h) / 2)
        return -over_w, -over_h, want_w + over_w, want_h + over_h
    factor = max(height / want_h, width / want_w)
    inner_h, inner_w = max(1, round(height / factor)), max(1, round(width / factor))
    top, left = (want_h - inner_h) // 2, (want_w - inner_w) // 2
    return float(left), float(top), float(left + inner_w), float(top + inner_h)


def _scaled(picture: Image.Image, height: int, width: int, box: tuple[float, float, float, float]) -> np.ndarray:
    resized = picture.resize((width, height), Image.Resampling.BICUBIC, box=box)
    return np.asarray(resized, dtype=np.float32)
