"""What assessing a heatmap returns: curves, comparisons, and what they say in words."""

import numpy as np
from PIL import Image, ImageDraw

from convscope.render.colour import colourise
from convscope.render.grid import MARGIN, sheet, stacked
from convscope.render.plot import line_plot
from convscope.render.text import INK, PAPER, width_of, write
from convscope.results.heatmap import CLIP
from convscope.results.result import Result

TILE, WORDS = 224, 14


class Trust(Result):
    """Arrays: `fractions` (`points`), `deletion`, `insertion` and, for the map moved elsewhere, `moved_deletion`,
    `moved_insertion` (`points`, in parts of the score), `randomised` (`stages`, the rank correlation with the map after
    so much of the network is random), `maps` (`stages h w`), `map` (`h w`) and `image`. Facts: `words`, and the
    figures."""

    def image(self) -> Image.Image:
        """The map, the map as the network is randomised, the curves, and the verdict in words."""
        heat = self.arrays["map"]
        maps = [heat, *self.arrays["maps"]]
        tiles = [colourise(each, 0.0, float(np.percentile(each, CLIP)) or 1.0) for each in maps]
        captions = ["the map\nits magnitude"] + [
            f"{stage}\n" + ("no map" if np.isnan(share) else f"rank correlation {share:.2f}")
            for stage, share in zip(self.facts["stages"], self.arrays["randomised"], strict=True)
        ]
        top = sheet(
            tiles, tile=(TILE, round(TILE * heat.shape[1] / heat.shape[0])), columns=min(3, len(tiles)),
            captions=captions, title=self.facts["title"], subtitle=self.facts["subtitle"], smooth=True,
        )  # fmt: skip
        width = max(top.width, 720)
        fractions = [f"{share:.0%}" for share in self.arrays["fractions"]]
        plots = [
            line_plot(
                fractions,
                {"the map": self.arrays[name].tolist(), "moved": self.arrays[f"moved_{name}"].tolist()},
                width=width, title=title, figures=False,
            )
            for name, title in (
                ("deletion", "score as the hottest pixels are covered"),
                ("insertion", "score as the hottest pixels are shown"),
            )
        ]  # fmt: skip
        return stacked([top, *plots, _words(self.facts["words"], width)])


def _words(lines: list[str], width: int) -> Image.Image:
    """Lines of text, broken where they are too long."""
    broken: list[str] = []
    for line in lines:
        rest = ""
        for word in f"· {line}".split():
            if width_of(f"{rest} {word}", WORDS) > width - 2 * MARGIN:
                broken.append(rest)
                rest = f"   {word}"
            else:
                rest = f"{rest} {word}" if rest else word
        broken.append(rest)
    canvas = Image.new("RGB", (width, len(broken) * (WORDS + 8) + 2 * MARGIN), PAPER)
    draw = ImageDraw.Draw(canvas)
    for number, line in enumerate(broken):
        write(draw, (MARGIN, MARGIN + number * (WORDS + 8)), line, WORDS, INK)
    return canvas
