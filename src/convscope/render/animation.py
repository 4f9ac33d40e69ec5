"""Pictures one after the other, as GIF, WebP or MP4, with a text inside."""

import importlib.util
import io
from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from convscope.errors import MissingExtraError, ResultError

ENDINGS = (".gif", ".webp", ".mp4")
FPS = 12.0
HOLD = 1.5
"""Seconds that the last picture stays."""

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
            buffer, "WEBP", save_all=True, append_images=others, duration=durations, loop=0, quality=88,
            xmp=text.encode(),
        )  # fmt: skip
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


def read_animation(data: bytes, suffix: str) -> tuple[UInt8[np.ndarray, "h w 3"], str | None]:
    """The last picture of an animation, and the text inside. Raises ResultError for what cannot be read."""
    try:
        if suffix == ".mp4":
            check_video(suffix)
            import av

            with av.open(io.BytesIO(data), "r") as container:
                text = container.metadata.get("comment")
                *_, last = container.decode(video=0)
                return last.to_ndarray(format="rgb24"), text
        with Image.open(io.BytesIO(data), formats=("GIF", "WEBP")) as picture:
            found = picture.info.get("comment" if suffix == ".gif" else "xmp")
            picture.seek(getattr(picture, "n_frames", 1) - 1)
            return np.asarray(picture.convert("RGB")), found.decode("utf-8", "replace") if found else None
    except MissingExtraError:
        raise
    except Exception as error:  # decoders raise whatever they like on broken files
        raise ResultError(f"the animation cannot be read: {error}") from None
