"""Pictures one after the other, as GIF, WebP or MP4, with a text inside."""

import importlib.util
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from convscope.errors import MissingExtraError, ResultError

ENDINGS = (".gif", ".webp", ".mp4")
FPS = 12.0
HOLD = 1.5
"""Seconds that the last picture stays."""
MOST_FRAMES = 100_000
MOST_PIXELS = 50_000_000
MOST_IN_ALL = 2_000_000_000
"""Of an animation that is read: frames, pixels of one, and of all; a longer one was hardly made here."""

Frames = Sequence[UInt8[np.ndarray, "h w 3"]]


def check_video(suffix: str) -> None:
    """Raises MissingExtraError, before any work, where an MP4 is asked for and cannot be written."""
    if suffix == ".mp4" and importlib.util.find_spec("av") is None:
        raise MissingExtraError("writing MP4", "av", "video")


def animation_bytes(frames: Frames, suffix: str, text: str, fps: float = FPS) -> bytes:
    """The frames as a file of that ending, `text` inside. Raises MissingExtraError for MP4 without PyAV.

    GIF and WebP come out the same to the byte each time; MP4's encoder now and then chooses otherwise.
    """
    if suffix == ".mp4":
        check_video(suffix)
        return _mp4(frames, text, fps)
    pictures = [Image.fromarray(np.ascontiguousarray(frame)) for frame in frames]
    durations = [round(1000 / fps)] * (len(pictures) - 1) + [round(1000 * HOLD)]
    buffer = io.BytesIO()
    if suffix == ".gif":
        first, *others = [picture.quantize(256, dither=Image.Dither.FLOYDSTEINBERG) for picture in pictures]
        first.save(
            buffer, "GIF", save_all=True, append_images=others, duration=durations, loop=0, comment=text.encode()
        )
    else:
        first, *others = pictures
        first.save(
            buffer,
            "WEBP",
            save_all=True,
            append_images=others,
            duration=durations,
            loop=0,
            quality=88,
            xmp=text.encode(),
        )
    return buffer.getvalue()


def _mp4(frames: Frames, text: str, fps: float) -> bytes:
    import av

    height, width = (side // 2 * 2 for side in frames[0].shape[:2])  # the codec takes even sides alone
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4", options={"movflags": "use_metadata_tags"}) as container:
        container.metadata["comment"] = text
        stream = container.add_stream("libx264", rate=round(fps))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": "16"}
        stream.codec_context.thread_count = 1  # with more, the encoder's choices differ from run to run
        for frame in [*frames, *[frames[-1]] * round(fps * HOLD)]:
            plain = np.ascontiguousarray(frame[:height, :width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(plain, format="rgb24")))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def animation_text(data: bytes, suffix: str) -> str | None:
    """The text inside an animation; no frame is composed for it. Raises ResultError for what cannot be read."""
    with _told(), _opened(data, suffix) as film:
        if suffix == ".mp4":
            return film.metadata.get("comment")  # type: ignore[no-any-return]
        result = film.info.get("comment" if suffix == ".gif" else "xmp")
        return result.decode("utf-8", "replace") if result else None


def last_picture(data: bytes, suffix: str) -> UInt8[np.ndarray, "h w 3"]:
    """The last picture of an animation. Raises ResultError for what cannot be read, or has more than is read."""
    with _told(), _opened(data, suffix) as film:
        return _last_of_mp4(film) if suffix == ".mp4" else _last_of_frames(film)


def _last_of_mp4(container: Any) -> UInt8[np.ndarray, "h w 3"]:
    stream = container.streams.video[0]
    _check_extent(max(1, stream.frames), stream.width, stream.height)
    stream.codec_context.options = {"max_pixels": str(MOST_PIXELS)}  # what the header says may not be so
    last = None
    for number, frame in enumerate(container.decode(stream), 1):
        last = frame
        _check_extent(number, frame.width, frame.height)
    if last is None:
        raise ResultError("the animation cannot be read: it has no frames")
    return last.to_ndarray(format="rgb24")  # type: ignore[no-any-return]


def _last_of_frames(picture: Image.Image) -> UInt8[np.ndarray, "h w 3"]:
    """Of a GIF or WebP. How many frames a GIF has is known at its end alone, and its canvas may grow on the way."""
    _check_extent(getattr(picture, "n_frames", 1) if picture.format == "WEBP" else 1, *picture.size)
    for number in range(1, MOST_FRAMES + 1):
        try:
            picture.seek(number)
        except EOFError:
            break
        _check_extent(number + 1, *picture.size)
    return np.asarray(picture.convert("RGB"))


def _check_extent(frames: int, width: int, height: int) -> None:
    """Raises ResultError where so many frames of this size are more than is read."""
    pixels = width * height
    if pixels > MOST_PIXELS or frames > MOST_FRAMES or frames * pixels > MOST_IN_ALL:
        raise ResultError(
            f"the animation is too large to be read: {frames} or more frames of {width}x{height} pixels; expected at "
            f"most {MOST_FRAMES} frames, {MOST_PIXELS // 10**6} million pixels each and {MOST_IN_ALL // 10**6} in all"
        )


def _opened(data: bytes, suffix: str) -> Any:
    if suffix != ".mp4":
        return Image.open(io.BytesIO(data), formats=("GIF", "WEBP"))
    check_video(suffix)
    import av

    return av.open(io.BytesIO(data), "r", format="mp4")  # no other format: some open further files


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (MissingExtraError, ResultError):
        raise
    except Exception as error:  # decoders raise whatever they like on broken files
        raise ResultError(f"the animation cannot be read: {' '.join(str(error).split())[:200]}") from None
