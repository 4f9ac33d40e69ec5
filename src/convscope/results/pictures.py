"""What optimising the input returns: pictures, and where asked for how they came into being."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, UInt8

from convscope.errors import ResultError
from convscope.render.animation import ENDINGS as MOVING
from convscope.render.animation import animation_bytes, check_video
from convscope.render.captions import apart
from convscope.render.colour import as_rgb
from convscope.render.figure import Figure
from convscope.render.grid import CAPTION, columns_for, sheet
from convscope.render.raster import raster
from convscope.render.style import PLAIN, Style
from convscope.render.text import figure
from convscope.results.facts import Facts, Summary
from convscope.results.files import ENDINGS, check_ending
from convscope.results.result import Axes, Result, recipe_text

MOST_WIDE = 1440


@dataclass(frozen=True, kw_only=True, eq=False)
class PicturesFacts(Facts):
    """captions, probabilities (None for what is no class), with_transforms (the value while it was made): of each
    picture. transform: how the network saw them. frames: the steps that there are frames of. losses: of a style
    transfer. real: how many photographs the values are compared with; real_most, real_middle, above_real: what each
    target is on these, at most and in the middle, and the share of them that the picture is above.
    """

    captions: Sequence[str] = ()
    probabilities: Sequence[float | None] = ()
    with_transforms: Sequence[float] = ()
    transform: Any = None
    frames: Sequence[int] = ()
    losses: Mapping[str, float] | None = None
    real: int | None = None
    real_most: Sequence[float] | None = None
    real_middle: Sequence[float] | None = None
    above_real: Sequence[float] | None = None
    title: str = ""
    subtitle: str = ""


class Pictures(Result, kind="pictures", facts=PicturesFacts):
    """Arrays: `images` (`n h w c` in [0,1]), `values` (`n`, the objective reached, without transforms), and where
    frames were kept `frames` (`f n h w c`, bytes)."""

    facts: PicturesFacts
    endings = ENDINGS + MOVING
    in_tiles = True

    needs: ClassVar[Axes] = {"images": ("n", "h", "w", "c"), "values": ("n",)}

    def summary(self) -> Summary:
        rows, lines = [], []
        parts = zip(self.facts.captions, self.arrays["values"], self.facts.probabilities, strict=True)
        for i, (caption, value, share) in enumerate(parts):
            row: dict[str, Any] = {"target": caption, "value": float(value), "probability": share}
            line = f"{caption}: {value:.4g}" + ("" if share is None else f", probability {share:.3f}")
            if self.facts.real is not None:
                more = {name: self.facts[name][i] for name in ("real_most", "real_middle", "above_real")}
                row |= more
                most, middle = more["real_most"], more["real_middle"]
                line += f"; {self.facts.real} photographs: at most {most:.4g}, in the middle {middle:.4g}"
            rows.append(row)
            lines.append(line)
        if self.facts.losses is None:
            return Summary({"pictures": rows}, lines)
        losses = dict(self.facts.losses)
        told = [", ".join(f"{name} {value:.4g}" for name, value in losses.items())]
        return Summary({"losses": losses, "value": float(self.arrays["values"][0])}, told)

    def tiles(self) -> list[np.ndarray]:
        """Each picture as `h w 3` bytes."""
        return [as_rgb(picture) for picture in self.arrays["images"]]

    def figure(self, style: Style) -> Figure:
        """One picture stands alone, pixel for pixel; several make a sheet with captions, frames a contact sheet."""
        if "frames" in self.arrays:
            return self.contact_sheet(style)
        tiles = self.tiles()
        if len(tiles) == 1:
            return Figure.of(tiles[0])
        size = tiles[0].shape[0], tiles[0].shape[1]
        values = [figure(float(value)) for value in self.arrays["values"]]
        captions = [f"{name}\n{value}" for name, value in zip(self.facts.captions, values, strict=True)]
        title, under = apart(style.named(self.facts.title), captions)
        return sheet(
            tiles,
            tile=size,
            columns=style.across(columns_for(len(tiles), (size[0], max(size[1], CAPTION)))),
            captions=under,
            title=title,
            subtitle=style.named(self.facts.subtitle),
        )

    def contact_sheet(self, style: Style) -> Figure:
        """The frames of every picture, a row (or more) each, with the step below."""
        frames = self.arrays["frames"]
        steps = self.facts.frames
        several = frames.shape[1] > 1
        tiles = [as_rgb(frames[f, n] / 255) for n in range(frames.shape[1]) for f in range(len(frames))]
        title, names = apart(style.named(self.facts.title), self.facts.captions)
        captions = [f"{step}" + (f"\n{names[n]}" if several else "") for n in range(frames.shape[1]) for step in steps]
        height, width = tiles[0].shape[:2]
        factor = min(1.0, 224 / width)
        size = max(1, round(height * factor)), max(1, round(width * factor))
        columns = style.across(min(len(steps), max(1, MOST_WIDE // (max(size[1], CAPTION) + 3))))
        title = title if several else style.named(names[0])
        told = style.named("after so many steps")
        return sheet(tiles, tile=size, columns=columns, captions=captions, title=title, subtitle=told)

    def film(self, style: Style = PLAIN) -> list[UInt8[np.ndarray, "h w 3"]]:
        """The frames as pictures for an animation; several pictures stand side by side."""
        if "frames" not in self.arrays:
            raise ResultError("an animation needs frames: ask for them, as in frames='all'")
        frames = self.arrays["frames"]
        size = frames.shape[2], frames.shape[3]
        columns = style.across(columns_for(frames.shape[1], size))
        result = []
        for frame in frames:
            tiles = [as_rgb(picture / 255) for picture in frame]
            figure = Figure.of(tiles[0]) if len(tiles) == 1 else sheet(tiles, tile=size, columns=columns)
            result.append(np.asarray(raster(figure, style.theme, style.scale)))
        return result

    def file_bytes(self, suffix: str, picture: str | None, style: Style) -> bytes:
        """`.gif`, `.webp` and `.mp4` show the frames in motion, the others are as of any result.

        Raises ResultError where no frames were kept.
        """
        if suffix not in MOVING:
            return super().file_bytes(suffix, picture, style)
        return animation_bytes(self.film(style), suffix, recipe_text(self, style))


def preview_png(pictures: Float[np.ndarray, "n h w c"]) -> bytes:
    """Unfinished pictures as a PNG without a recipe; several side by side."""
    tiles = [as_rgb(picture) for picture in pictures]
    size = tiles[0].shape[0], tiles[0].shape[1]
    one = len(tiles) == 1
    shown = Figure.of(tiles[0]) if one else sheet(tiles, tile=size, columns=columns_for(len(tiles), size))
    buffer = io.BytesIO()
    raster(shown).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def showable(result: Result, path: Path) -> Path:
    """The file, or a `.png` beside it where it is an animation and there are no frames, as of work that was stopped."""
    return path.with_suffix(".png") if path.suffix.lower() in MOVING and "frames" not in result.arrays else path


def check_picture_ending(path: str | Path) -> bool:
    """Whether a file that pictures are to be saved as is an animation. Raises, before any work, where it cannot be."""
    check_ending(path, ENDINGS + MOVING)
    suffix = Path(path).suffix.lower()
    if suffix in MOVING:
        check_video(suffix)
    return suffix in MOVING
