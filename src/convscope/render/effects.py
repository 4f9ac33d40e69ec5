"""Altering a photograph where a heatmap is hot, and drawing the heat's contour lines."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageFilter

from convscope.images.luma import LUMA
from convscope.render.colour import to_bytes

Picture = Float[np.ndarray, "h w _"]
Heat = Float[np.ndarray, "h w"]
LEVELS, BLUR, CELL = 4, 0.02, 0.04
"""At intensity 1: tones of each colour when posterised; sizes of the blur and of a cell in parts of the long side."""


@dataclass(frozen=True)
class Scene:
    """What an effect works on. heat: in [0,1]. ramp: 256 colours, 0..255. other: the picture that is swapped in."""

    picture: Picture
    heat: Heat
    ramp: Float[np.ndarray, "256 3"]
    other: Picture | None = None


Alter = Callable[[Scene, float], Picture]
"""The whole picture, altered to a degree: 1 is usual."""


@dataclass(frozen=True)
class Effect:
    """apply: the picture altered by as much of each pixel as is given (`h w 1` in [0,1]), at an intensity."""

    about: str
    apply: Callable[[Scene, Picture, float], Picture]


def hot_part(heat: Heat, hot: float, soft: float) -> Heat:
    """How much of each pixel is altered, in [0,1]: nothing where the heat is below `hot`, all from `hot + soft` on,
    at the latest where it is greatest."""
    soft = min(soft, 1 - hot)
    if soft <= 0:
        return (heat >= hot).astype(np.float32)
    at = np.clip((heat - hot) / soft, 0, 1)
    return (at * at * (3 - 2 * at)).astype(np.float32)


def altered(scene: Scene, effect: str, intensity: float, hot: float, soft: float) -> Picture:
    """The photograph with an effect where it is hot, in [0,1]. intensity: at 0 nothing is altered."""
    part = hot_part(scene.heat, hot, soft)[..., None]
    result: Picture = np.clip(EFFECTS[effect].apply(scene, part, intensity), 0, 1)
    return result


def _mixed(alter: Alter) -> Callable[[Scene, Picture, float], Picture]:
    """An altered picture, laid over the photograph."""

    def apply(scene: Scene, part: Picture, intensity: float) -> Picture:
        weight = part * min(1.0, intensity)
        return scene.picture * (1 - weight) + alter(scene, intensity) * weight

    return apply


def _added(scene: Scene, part: Picture, intensity: float) -> Picture:
    index = np.rint(np.clip(scene.heat, 0, 1) * 255).astype(np.intp)
    glow: Picture = (scene.ramp[index] / 255).astype(np.float32)
    added: Picture = scene.picture + intensity * part * glow
    return added


def _spotlight(scene: Scene, part: Picture, intensity: float) -> Picture:
    return scene.picture * (1 - (1 - part) * min(1.0, intensity))


def _mask(scene: Scene, part: Picture, intensity: float) -> Picture:
    return (part * min(1.0, intensity)).repeat(3, axis=2)


def contours(picture: Picture, heat: Heat, ramp: Float[np.ndarray, "256 3"], lines: int) -> Picture:
    """The picture with so many lines of equal heat, evenly spaced, each in its colour of the ramp."""
    if not lines or min(heat.shape) < 2:
        return picture
    down, right = np.gradient(heat)
    slope = np.maximum(np.hypot(down, right), 1e-9)
    half = max(1.0, max(heat.shape) / 450) / 2
    for line in range(lines):
        level = (line + 0.5) / lines
        cover = np.clip(half + 0.5 - np.abs(heat - level) / slope, 0, 1)[..., None].astype(np.float32)
        colour = (ramp[round(255 * (0.35 + 0.65 * level))] / 255).astype(np.float32)
        picture = picture * (1 - cover) + colour * cover
    return picture


def _resized(picture: Picture, width: int, height: int, how: Image.Resampling) -> Image.Image:
    return Image.fromarray(to_bytes(picture)).resize((width, height), how)


def _unit(picture: Image.Image) -> Picture:
    values: Picture = np.asarray(picture, dtype=np.float32) / 255
    return values


def _posterised(scene: Scene, degree: float) -> Picture:
    steps = max(1, round(LEVELS / max(degree, 0.05)) - 1)
    tones: Picture = np.rint(scene.picture * steps) / steps
    return tones


def _blurred(scene: Scene, degree: float) -> Picture:
    radius = BLUR * degree * max(scene.heat.shape)
    return _unit(Image.fromarray(to_bytes(scene.picture)).filter(ImageFilter.GaussianBlur(radius)))


def _mosaic(scene: Scene, degree: float) -> Picture:
    height, width = scene.heat.shape
    cell = max(1.0, CELL * degree * max(height, width))
    small = _resized(scene.picture, max(1, round(width / cell)), max(1, round(height / cell)), Image.Resampling.BOX)
    return _unit(small.resize((width, height), Image.Resampling.NEAREST))


def _drained(scene: Scene, degree: float) -> Picture:
    grey: Picture = (scene.picture @ np.array(LUMA, np.float32))[..., None].repeat(3, axis=2)
    return grey


def _other(scene: Scene, degree: float) -> Picture:
    assert scene.other is not None
    return scene.other


EFFECTS: Mapping[str, Effect] = {
    "colours": Effect("the map's colours are added, times the intensity", _added),
    "spotlight": Effect("what is cold goes dark", _spotlight),
    "posterise": Effect("few tones, fewer with intensity", _mixed(_posterised)),
    "invert": Effect("the negative", _mixed(lambda scene, _: 1 - scene.picture)),
    "blur": Effect("out of focus", _mixed(_blurred)),
    "mosaic": Effect("coarse cells", _mixed(_mosaic)),
    "drain": Effect("without colour", _mixed(_drained)),
    "swap": Effect("another picture shows through: a dream, a style, anything", _mixed(_other)),
    "mask": Effect("white where it is hot, on black: a mask for dream and stylize", _mask),
    "none": Effect("the photograph as it is, for contour lines", lambda scene, _part, _intensity: scene.picture),
}
"""What can be done where it is hot."""
