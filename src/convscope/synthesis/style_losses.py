"""The losses of style transfer, by the size of the picture: content, style, and total variation."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from convscope.images.filters import luma, resized
from convscope.models.network import Network
from convscope.models.photograph import Photograph
from convscope.models.spec import InputSpec
from convscope.objectives.expression import Objective, Sum
from convscope.objectives.penalties import TotalVariation
from convscope.objectives.style import Content, Style, distance_scale, mean_gram
from convscope.synthesis.ascent import SideInputs, evaluate
from convscope.synthesis.plan import runs_at
from convscope.synthesis.schedule import Size
from convscope.synthesis.tiles import Tiles
from convscope.synthesis.transforms import Plain, Sized, Transform
from convscope.taps.record import record
from convscope.taps.tap import Tap

Losses = Literal["relative", "gatys"]
NATURAL_SD = 0.226
"""The standard deviation of photographs' values in [0,1]: the mean of ImageNet's three."""


def _mean_square(maps: Tensor) -> Tensor:
    return maps.square().mean((1, 2, 3))


def unit_of(spec: InputSpec) -> float:
    """The standard deviation of the network's input on photographs; a VGG's activations grow in proportion to it."""
    low, high = spec.range or (0.0, 1.0)
    return float(np.mean([(high - low) * NATURAL_SD / std for std in spec.stds]))


class StyleLosses:
    """The objectives at each size of a picture. regions: for each style where it goes; none for everywhere.

    sizes: those that the picture goes through. options: the losses' own: losses, content_layers, style_layers,
    content_weight, style_weight, tv_weight, decay, shares, scale, tile.
    """

    def __init__(
        self,
        net: Network,
        photograph: Photograph,
        styles: Sequence[Photograph],
        regions: Sequence[Photograph],
        sizes: Sequence[Size],
        options: Mapping[str, Any],
    ) -> None:
        self.net, self.photograph, self.styles, self.regions = net, photograph, styles, regions
        self.sizes, self.options = sizes, options
        self.folding = net.folding()
        self._at: tuple[Size, dict[str, list[Objective]]] | None = None

    @cached_property
    def guides(self) -> Tensor | None:
        """Where each style goes, `g 1 h w`."""
        return torch.cat([region.tensor() for region in self.regions]) if self.regions else None

    @cached_property
    def fixed_size(self) -> Size | None:
        """The one size that all pictures are resized to, where the network does not run at all of theirs; else None."""
        taps = [Tap(name) for name in (*self.options["content_layers"], *self.options["style_layers"])]
        sizes = [
            *self.sizes,
            *(self._style_size(style, size) for style in self.styles for size in self.sizes),
        ]
        tiles = {(min(height, self.options["tile"]), min(width, self.options["tile"])) for height, width in sizes}
        return None if all(runs_at(self.net, taps, tile) == tile for tile in tiles) else self.net.spec.hw

    def _style_size(self, style: Photograph, size: Size) -> Size:
        """How large a style is when the picture has a size."""
        height, width = style.hw
        factor = self.options["scale"] * max(size) / max(height, width)
        return max(16, round(height * factor)), max(16, round(width * factor))

    @torch.no_grad()
    def _mean(self, picture: Tensor, layers: Sequence[str], measure: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
        """The mean of a measure of each layer's maps, over the same tiles that the optimised picture is shown in."""
        tile = self.options["tile"] if self.fixed_size is None else max(self.fixed_size)
        means: dict[str, Tensor] = {}
        for views in Tiles(tile, 0).parts(self._fitted(picture), torch.Generator()):
            for tap, maps in record(self.net, views.images, layers, folding=self.folding).items():
                part = views.share * measure(maps)[0]
                means[tap.layer] = means[tap.layer] + part if tap.layer in means else part
        return means

    def transform_at(self, size: Size) -> Transform:
        """The plain picture; in tiles where it is larger than one; resized where the network runs at one size only."""
        if self.fixed_size is not None:
            return Sized(Plain(), self.fixed_size)
        return Plain() if max(size) <= self.options["tile"] else Tiles(self.options["tile"])

    def _fitted(self, picture: Tensor) -> Tensor:
        return picture if self.fixed_size is None else resized(picture, self.fixed_size)

    def objectives_at(self, size: Size) -> list[Objective]:
        """The one objective of a stage: the sum of all terms."""
        return [Sum(tuple(objective for part in self._terms(size).values() for objective in part))]

    def _terms(self, size: Size) -> dict[str, list[Objective]]:
        """The terms of the objective at a size, by name; those of the last size are cached."""
        if self._at is None or self._at[0] != size:
            self._at = None  # free the last size's tensors first
            terms = {"content": self._content(size), "style": self._style(size), "total variation": [self._tv()]}
            self._at = size, terms
        return self._at[1]

    def _content(self, size: Size) -> list[Objective]:
        """The content terms at a size, each layer with equal weight."""
        layers, weight = self.options["content_layers"], self.options["content_weight"]
        picture = resized(self.photograph.tensor(), size).to(self.net.device)
        given: dict[str, Tensor] = {}
        if isinstance(self.transform_at(size), Tiles):
            squares = self._mean(picture, layers, _mean_square)
        else:
            with torch.no_grad():
                recording = record(self.net, self._fitted(picture), layers, folding=self.folding)
            given = {name: recording[name].clone() for name in layers}
            squares = {name: _mean_square(maps)[0] for name, maps in given.items()}
        scales = {name: weight / len(layers) / max(float(squares[name]), 1e-30) for name in layers}
        if self.options["losses"] == "gatys":
            scales = dict.fromkeys(layers, weight * 0.5 / unit_of(self.net.spec) ** 2)
        return [Content(name, given.get(name), scale) for name, scale in scales.items()]

    def _style(self, size: Size) -> list[Objective]:
        """The style terms at a size, for each style and layer."""
        options = self.options
        weights = [options["decay"] ** i for i in range(len(options["style_layers"]))]
        terms: list[Objective] = []
        for number, (style, share) in enumerate(zip(self.styles, self._shares(), strict=True)):
            guide = number if self.regions else None
            covered = float(self.regions[number].pixels.mean()) if self.regions else 1.0
            if share == 0 or covered == 0:
                continue
            picture = resized(style.tensor(), self._style_size(style, size))
            if self.options["colours"] == "content":
                picture = luma(picture).expand_as(picture)
            grams = self._mean(picture.to(self.net.device), options["style_layers"], mean_gram)
            for name, weight in zip(options["style_layers"], weights, strict=True):
                gram = grams[name]
                scale = distance_scale(gram) * weight / sum(weights)
                if options["losses"] == "gatys":
                    scale = weight / (4 * len(gram) ** 2 * unit_of(self.net.spec) ** 4)
                terms.append(Style(name, gram, options["style_weight"] * share * scale, guide, covered))
        return terms

    def _shares(self) -> list[float]:
        """The weight of each style; they add up to 1."""
        shares = self.options["shares"] or [1.0] * len(self.styles)
        return [share / sum(shares) for share in shares]

    def _tv(self) -> Objective:
        scale = 1 / NATURAL_SD if self.options["losses"] == "gatys" else 1.0  # in units of a variance of one
        weight: float = self.options["tv_weight"] * scale
        return -weight * TotalVariation()

    @torch.no_grad()
    def losses_of(self, picture: Tensor) -> dict[str, float]:
        """Each loss of a picture, at its own size."""
        size = (picture.shape[-2], picture.shape[-1])
        guides = companion = None
        if self.guides is not None:
            guides = resized(self.guides, size).expand(-1, picture.shape[1], -1, -1).to(picture.device)
        terms = self._terms(size)
        if any(objective.compares for objective in terms["content"]):
            companion = resized(self.photograph.tensor(), size).to(picture.device)
        side = SideInputs(companion, guides)
        generator = torch.Generator().manual_seed(0)
        return {
            name: -float(evaluate(self.net, [Sum(tuple(parts))], picture, self.transform_at(size), generator, side))
            for name, parts in terms.items()
            if parts
        }
