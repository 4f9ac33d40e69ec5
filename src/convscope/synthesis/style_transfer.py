"""Style transfer: one picture, optimised until it has the content of a photograph and the style of others."""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor

from convscope.images.filters import resized
from convscope.models.network import Network
from convscope.models.photograph import Photograph
from convscope.progress import Watch
from convscope.synthesis.frames import Frames
from convscope.synthesis.schedule import parse_schedule
from convscope.synthesis.session import Session
from convscope.synthesis.stages import Making
from convscope.synthesis.style_losses import StyleLosses

CONTENT_NOISE = 0.01
"""The standard deviation of what is added to the parameters where the picture starts from the content."""


class StyleTransfer:
    """One transfer, finished or not.

    photograph: the content, at the size of the result. styles: at their own sizes. regions: for each style where it
    goes; none for everywhere. mask: where, and how much, the photograph may change, `1 1 h w`; None for everywhere.
    options: those of the verb.
    """

    def __init__(
        self,
        net: Network,
        photograph: Photograph,
        styles: Sequence[Photograph],
        regions: Sequence[Photograph],
        mask: Float[Tensor, "1 1 h w"] | None,
        options: Mapping[str, Any],
        watch: Watch,
    ) -> None:
        self.photograph, self.styles, self.mask, self.options = photograph, styles, mask, options
        sizes = parse_schedule(options["schedule"]).sizes(photograph.hw)
        self.losses = StyleLosses(net, photograph, styles, regions, sizes, options)
        self.making = Making(
            options["parameterisation"],
            options["optimiser"],
            options["lr"],
            sizes,
            options["steps"],
            self.losses.transform_at,
            redirect=False,
        )
        total = self.making.total
        frames = Frames(options["frames"], total, photograph.hw)
        self.session = Session(net, options["seed"], watch, total=total, frames=frames)

    def run(self) -> None:
        """Make the picture."""
        content, begins_as = self.photograph.tensor(), self.options["start"]
        style = resized(self.styles[0].tensor(), self.photograph.hw)
        image = self.session.begin(self.making, start={"content": content, "noise": None, "style": style}[begins_as])
        if begins_as == "content":
            image.add_noise(CONTENT_NOISE, self.session.generator)
        self.session.make(
            "style transfer",
            self.losses.objectives_at,
            self.making,
            image,
            photograph=content,
            mask=self.mask,
            guides=self.losses.guides,
            scale_changes=False,
            keep_colours=self.options["colours"] == "content",
            folding=self.losses.folding,
        )
