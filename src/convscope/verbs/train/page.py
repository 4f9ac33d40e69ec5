"""The page of a training: how well it went, where it fails, and what it looked at there."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from convscope.datasets.labelled import relative
from convscope.errors import ConvscopeError
from convscope.progress import Progress, Watch
from convscope.render.page import data_uri, page, pixels_uri
from convscope.results.training import Training
from convscope.verbs.explain import explain
from convscope.verbs.train.judging import Judged

SIDE = 224
"""Pixels of a picture on the page."""
PAIRS, SHOWN = 6, 6
"""Pairs of classes that are confused, and pictures of each, that are shown."""
METHOD = "grad_cam"


def page_of(result: Training, judged: Judged, data: Path, watch: Watch) -> str:
    """The page, which stands alone."""
    worst = []
    for i, row in enumerate(result.facts.worst):
        watch(Progress("heatmaps of the worst", i, len(result.facts.worst)))
        worst.append(_shown(judged, dict(row), data))
    facts = result.facts
    return page(
        "training.html",
        network=judged.net.name,
        note=judged.net.note,
        accuracy=100 * facts.accuracy,
        chance=100 * facts.chance,
        facts=facts,
        frozen={"all": "the last layer alone", "none": "all layers"}.get(
            facts.frozen, f"what comes after {facts.frozen}"
        ),
        notes=list(result.notes),
        curve=data_uri(result.curve()) if len(result.arrays["history"]) else "",
        confusion=data_uri(result.confusion()),
        worst=worst,
        pairs=_pairs(result, judged, data),
        broken=[(relative(path, data), why) for path, why in facts.broken.items()],
        recipe=result.recipe.to_dict(),
    )


def _shown(judged: Judged, row: dict[str, Any], data: Path) -> dict[str, Any]:
    """A picture with what spoke for the class that it was taken for."""
    net = judged.net
    picture = judged.pictures.photograph(row["path"])
    label = net.labels.names.index(row["predicted"])
    shown = {**row, "path": relative(row["path"], data), "image": pixels_uri(_bytes(picture.pixels), quality=88)}
    try:
        shown["heat"] = pixels_uri(explain(net, picture, f"class:{label}", METHOD).shown(), quality=88)
    except ConvscopeError:
        shown["heat"] = ""
    return shown


def _bytes(pixels: np.ndarray) -> np.ndarray:
    colours = pixels if pixels.shape[2] >= 3 else pixels[..., :1].repeat(3, 2)
    bytes_: np.ndarray = (colours[..., :3] * 255).round().astype(np.uint8)
    return bytes_


def _pairs(result: Training, judged: Judged, data: Path) -> list[dict[str, Any]]:
    """The pairs of classes that are confused most, each with some of its pictures."""
    confusion = result.arrays["confusion"].copy()
    np.fill_diagonal(confusion, 0)
    names = judged.net.labels.names
    held = judged.rows()[-judged.held :]
    order = sorted(np.argwhere(confusion > 0).tolist(), key=lambda cell: (-confusion[cell[0], cell[1]], cell))
    pairs = []
    for true, named in order[:PAIRS]:
        rows = [row for row in held if row["label"] == names[true] and row["predicted"] == names[named]]
        pairs.append(
            {
                "label": names[true],
                "predicted": names[named],
                "count": int(confusion[true, named]),
                "pictures": [
                    {"path": relative(row["path"], data), "image": _thumbnail(judged, row["path"])}
                    for row in rows[:SHOWN]
                ],
            }
        )
    return pairs


def _thumbnail(judged: Judged, path: str) -> str:
    picture = Image.fromarray(_bytes(judged.pictures.photograph(path).pixels))
    picture.thumbnail((SIDE // 2, SIDE // 2))
    return data_uri(picture, quality=85)
