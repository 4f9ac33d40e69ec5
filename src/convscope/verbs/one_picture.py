"""What dream and stylize share: one picture made of a photograph, watched, and kept as far as it is."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from convscope.errors import InputError
from convscope.models.network import Network
from convscope.models.photograph import ImageLike, Photograph, open_photograph
from convscope.models.spec import InputSpec
from convscope.progress import Progress, Watch, keeping
from convscope.results.pictures import Pictures
from convscope.synthesis.frames import Frames
from convscope.synthesis.images import Image
from convscope.synthesis.making import Making, Moment, as_array
from convscope.synthesis.schedule import Size
from convscope.verbs.calls import Given, recipe_of

PROPORTIONS = 0.1
"""How much a mask or another picture may be stretched to fit, as a share."""
MOST_UNASKED = 640
"""The long side where no size is asked for."""


def opened_whole(
    spec: InputSpec, image: ImageLike | Photograph, size: int | None, most: int = MOST_UNASKED
) -> Photograph:
    """A photograph at its own proportions. size: its long side; its own, at most `most`, unless given."""
    if isinstance(image, Photograph):
        raise InputError(
            "the picture was made ready for a network; expected the picture itself, at its own proportions"
        )
    first = open_photograph(image, replace(spec, size=(16, 16)), fit="stretch")
    height, width = first.record["size"]
    factor = (size or min(most, max(height, width))) / max(height, width)
    hw = max(1, round(height * factor)), max(1, round(width * factor))
    return open_photograph(image, replace(spec, size=hw), fit="stretch")


def open_mask(mask: ImageLike, size: Size) -> Photograph:
    """A picture that is white where something goes, in grey at this size. Raises InputError for other proportions."""
    return same_proportions(mask, size, "mask", channels=1)


def same_proportions(image: ImageLike, size: Size, what: str, *, channels: int) -> Photograph:
    """A picture brought to a size whose proportions are about its own. Raises InputError, naming it, for others."""
    found = open_photograph(image, InputSpec(size=size, channels=channels, range=(0, 1)), fit="stretch")
    height, width = found.record["size"]
    if abs(height * size[1] / (width * size[0]) - 1) > PROPORTIONS:
        raise InputError(
            f"the {what} is {width}x{height} pixels and the picture {size[1]}x{size[0]}; expected the same proportions"
        )
    return found


def allowed(mask: Photograph | None, photograph: Photograph, strength: float) -> Tensor | None:
    """Where and how much the photograph may change, `1 1 h w`; None for everywhere and wholly."""
    if mask is None:
        return None if strength >= 1 else torch.full((1, 1, *size_of(photograph)), float(strength))
    return mask.tensor() * strength


def size_of(photograph: Photograph) -> Size:
    """Its (height, width) in pixels."""
    height, width = photograph.pixels.shape[:2]
    return height, width


class OnePicture(ABC):
    """A picture in the making. more: steps that follow those of `making`."""

    def __init__(
        self,
        net: Network,
        photograph: Photograph,
        making: Making,
        options: dict[str, Any],
        watch: Watch,
        what: str,
        more: int = 0,
    ) -> None:
        self.net, self.photograph, self.making, self.options = net, photograph, making, options
        self.watch, self.what = watch, what
        self.generator = torch.Generator().manual_seed(options["seed"])
        self.frames = Frames(options["frames"], making.total, size_of(photograph))
        self.done, self.total = 0, making.total + more
        self.picture: Tensor | None = None
        self.moment: Moment | None = None
        self.seen = 0.0

    @abstractmethod
    def run(self) -> None:
        """Make it."""

    @abstractmethod
    def result(self) -> Pictures | None:
        """The picture, or as far as it is; None before the first step."""

    @torch.inference_mode(False)
    def finished(self) -> Pictures:
        """The picture, made. Raises Stopped on Ctrl-C, with what there is."""
        with keeping(lambda: f"stopped after {self.done} of {self.total} steps", self.result):
            self.run()
        result = self.result()
        assert result is not None
        return result

    def follow(self, image: Image, moments: Iterator[Moment]) -> None:
        """Carry out the making, which begins with `image`."""
        self.frames.begin(image)
        for moment in moments:
            self.note(moment)
            self.frames.see(moment)
        assert self.moment is not None
        self.picture = self.moment.pictures()
        self.frames.end()

    def note(self, moment: Moment) -> None:
        """A step is done."""
        self.moment, self.seen = moment, float(moment.step.values[0])
        self.done += 1
        self.watch(Progress(self.what, self.done, self.total, f"{self.seen:.4g}", moment.shown))

    def reached(self) -> Tensor:
        """The picture as it is, `1 c h w`."""
        assert self.moment is not None
        return self.moment.pictures() if self.picture is None else self.picture

    def film(self) -> tuple[list[int], list[np.ndarray]]:
        """The steps that there are frames of, and these, each `n h w c` in bytes."""
        if self.picture is None:
            self.frames.end()
        return list(self.frames.kept()), list(self.frames.arrays().get("frames", ()))

    def told(
        self,
        verb: str,
        values: np.ndarray,
        facts: Mapping[str, Any],
        inputs: Mapping[str, Given],
        notes: Sequence[str] = (),
    ) -> Pictures:
        """The result. facts: with captions, title and subtitle. inputs: the pictures that went in, by argument."""
        arrays: dict[str, np.ndarray] = {"images": as_array(self.reached()), "values": values}
        axes: dict[str, tuple[str, ...]] = {"images": ("n", "h", "w", "c"), "values": ("n",)}
        steps, film = self.film()
        if film:
            arrays["frames"] = np.stack(film)
            axes["frames"] = ("f", "n", "h", "w", "c")
        if self.done < self.total:
            notes = [*notes, f"stopped after {self.done} of {self.total} steps: replay makes all of them"]
        return Pictures(
            arrays,
            axes,
            recipe_of(verb, self.net, self.options, inputs, notes=tuple(notes), stopped=self.done < self.total),
            {"probabilities": [None], "with_transforms": [self.seen], "frames": steps, **facts},
        )
