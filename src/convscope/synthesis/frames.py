"""Keeping the pictures after chosen steps, to show how they came about."""

import re

import numpy as np
import torch
from torch import Tensor

from convscope.errors import InputError
from convscope.images.filters import resized
from convscope.synthesis.images import Image
from convscope.synthesis.schedule import Size
from convscope.synthesis.stages import Moment

MOST_BYTES = 2_000_000_000


def parse_frames(text: str | None, total: int) -> list[int]:
    """The steps that a text such as `0,7,15,30`, `every 5` or `all` names; 0 is the start. Raises InputError."""
    if text is None:
        return []
    words = text.strip()
    every = re.fullmatch(r"every\s+([1-9]\d*)", words)
    if words == "all" or every:
        gap = int(every[1]) if every else 1
        return sorted({*range(0, total + 1, gap), total})
    if not re.fullmatch(r"\d+(\s*,\s*\d+)*", words):
        raise InputError(f"frames is {text!r}; expected steps such as '0,7,15,30', 'every 5' or 'all'")
    steps = sorted({int(number) for number in words.split(",")})
    if steps[-1] > total:
        raise InputError(f"frames asks for step {steps[-1]}; there are {total}")
    return steps


class Frames:
    """The frames of a call, batch after batch. Pictures of other sizes are kept at the final one."""

    def __init__(self, text: str | None, total: int, size: Size) -> None:
        self.steps = parse_frames(text, total)
        self.size = size
        self._batches: list[list[Tensor]] = []
        self._now: list[Tensor] = []

    @torch.no_grad()
    def _take(self, pictures: Tensor) -> None:
        shown = resized(pictures.detach(), self.size).clamp(0, 1)
        self._now.append((shown * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu())
        if len(self._now) == 1 and len(self.steps) * self._now[0].numel() > MOST_BYTES:
            raise InputError(
                f"{len(self.steps)} frames of {self.size[0]}x{self.size[1]} pixels are more than "
                f"{MOST_BYTES // 10**9} GB: ask for fewer"
            )

    def begin(self, image: Image) -> None:
        """A batch starts from this image."""
        self._now = []
        if 0 in self.steps:
            with torch.no_grad():
                self._take(image())

    def add(self, moment: Moment) -> None:
        """Keep the pictures if their step was asked for."""
        if moment.done in self.steps:
            self._take(moment.pictures())

    def end(self) -> None:
        """The batch is finished, or was stopped."""
        if self._now:
            self._batches.append(self._now)
            self._now = []

    def kept(self) -> list[int]:
        """The steps that frames were kept of."""
        return self.steps[: min(map(len, self._batches), default=0)]

    def arrays(self) -> dict[str, np.ndarray]:
        """`frames`, `f n h w c` in bytes; nothing where none were asked for."""
        count = len(self.kept())
        if not count:
            return {}
        return {"frames": torch.cat([torch.stack(batch[:count]) for batch in self._batches], dim=1).numpy()}

    def axes(self) -> dict[str, tuple[str, ...]]:
        """The axes of `arrays`."""
        return {"frames": ("f", "n", "h", "w", "c")} if self.kept() else {}
