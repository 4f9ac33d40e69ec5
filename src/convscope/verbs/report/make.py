"""Making the report: the order of its parts, its clock, and writing the page as far as it is."""

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from convscope.errors import ResultError
from convscope.memory import memory_watched
from convscope.models.fitting import Fit
from convscope.models.network import Network
from convscope.models.photograph import ImageLike, Photograph
from convscope.options import MOST_SEED, About, check_given
from convscope.progress import Progress, Watch, keeping, unwatched
from convscope.render.page import page
from convscope.results.files import check_place, write_whole
from convscope.results.page import Page
from convscope.verbs.calls import recipe_of
from convscope.verbs.report import parts
from convscope.verbs.report.filters import filters as filters_of
from convscope.verbs.report.parts import Findings
from convscope.verbs.verb import verb

FILE = "report.html"


@memory_watched("report")
@verb
def report(
    net: Network,
    image: ImageLike | Photograph,
    out: str | Path,
    *,
    filters: Annotated[int, About("channels shown of each stage, with the picture each looks for", 1, 24)] = 6,
    filter_steps: Annotated[int, About("steps of the ascent for each filter's picture", 1, 10000)] = 64,
    class_steps: Annotated[int, About("steps of the ascent for the class's picture", 1, 10000)] = 96,
    seed: Annotated[int, About("of all that is random", 0, MOST_SEED)] = 0,
    fit: Annotated[Fit, About("how the picture is brought to the network's size")] = "crop",
    watch: Watch = unwatched,
) -> Page:
    """One self-contained page on one photograph and one network: what it sees, where, how, and what it looks for.

    out: a folder, where `report.html` is written, or a file that ends in .html. The page is written anew after each
    part, so that Ctrl-C leaves what is done (Stopped, with the result).

    Returns a Page with the figures of the report; its facts hold the file's path and the seconds of each part.
    """
    options = {
        "filters": filters,
        "filter_steps": filter_steps,
        "class_steps": class_steps,
        "seed": seed,
        "fit": fit,
    }
    check_given(report, options)
    path = _page_path(Path(out))
    findings = Findings(net, net.photograph(image, fit=fit), seed, filters)
    maker = _Maker(findings, path, options, watch)
    chosen = parts.stage_layers(net)
    maker.total = 4 + len(chosen) * filter_steps + class_steps
    with keeping(
        lambda: f"stopped after {maker.done} of {maker.total} steps",
        lambda: maker.write(finished=False) if findings.page["photograph"] else None,
    ):
        maker.part("predictions", lambda _: parts.predictions(findings))
        maker.part("heatmaps", lambda _: parts.evidence(findings))
        maker.part("layers", lambda _: parts.depth(findings))
        for layer in chosen:
            made = partial(filters_of, findings, layer, filter_steps)
            maker.part(f"filters of {layer.name}", made, filter_steps)
        maker.part("first weights", lambda _: parts.first_weights(findings))
        maker.part("class picture", partial(parts.class_picture, findings, class_steps), class_steps)
    return maker.write(finished=True)


def _page_path(out: Path) -> Path:
    """Where the page goes. Raises ResultError, before any work, where it cannot go."""
    if out.suffix.lower() in (".html", ".htm"):
        check_place(out)
        return out
    if os.path.isfile(out) or out.suffix.lower() in (".pdf", ".png", ".jpg", ".jpeg", ".npz"):
        raise ResultError(f"a report is written to a folder or an .html file; given {str(out)!r}")
    check_place(out / FILE)
    return out / FILE


class _Maker:
    """Runs the parts one after the other, with one clock and one count of steps, and writes the page after each."""

    def __init__(self, findings: Findings, path: Path, options: dict[str, Any], watch: Watch) -> None:
        self.findings, self.path, self.options, self.watch = findings, path, options, watch
        self.seconds: dict[str, float] = {}
        self.done = 0
        self.total = 0

    def part(self, name: str, work: Callable[[Watch], None], steps: int = 1) -> None:
        """Do one part that counts `steps`."""
        start, before = time.perf_counter(), self.done
        self.watch(Progress(name, self.done, self.total))

        def inner(news: Progress) -> None:
            self.done = before + round(steps * news.done / news.total)
            self.watch(Progress(name, self.done, self.total, news.note))

        work(inner)
        self.seconds[name] = time.perf_counter() - start
        self.done = before + steps
        self.watch(Progress(name, self.done, self.total))
        if steps > 1 or name == "layers":
            self.write(finished=False)

    def write(self, *, finished: bool) -> Page:
        """Write the page as far as it is, whole or not at all."""
        findings, net = self.findings, self.findings.net
        recipe = recipe_of("report", net, self.options, {"image": findings.photograph})
        height, width = net.spec.hw
        text = page(
            "report.html",
            network=net.name,
            note=net.note,
            size=f"{height}×{width}",
            finished=finished,
            notes=list(recipe.notes),
            seconds={name: f"{value:.1f}" for name, value in self.seconds.items()},
            total=f"{sum(self.seconds.values()):.0f}",
            recipe=recipe.to_dict(),
            part=findings.page,
        )
        write_whole(self.path, text.encode())
        maps = parts.maps_of(findings)
        return Page(
            {
                "probabilities": np.array([guess.probability for guess in findings.guesses], dtype=np.float32),
                "maps": maps,
                "image": findings.rgb,
            },
            {"probabilities": ("k",), "maps": ("k", "h", "w"), "image": ("h", "w", "c")},
            recipe,
            {
                "path": str(self.path),
                "network": net.name,
                "guesses": [vars(guess) for guess in findings.guesses],
                "seconds": self.seconds,
                "finished": finished,
            },
        )
