"""The parts of a report: each works out one part and says it in the words and pictures of the page's template."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from convscope.attribution.cam import Cams, enlarge, gradient_cam
from convscope.errors import Stopped
from convscope.inspection.kernels import layers_with_kernels
from convscope.inspection.strongest import strongest_channels
from convscope.models.layers import Layer, map_layers
from convscope.models.network import Network, Prediction
from convscope.models.photograph import Photograph
from convscope.models.usual_layers import evenly, stages
from convscope.objectives.units import Logit
from convscope.progress import Progress, Watch
from convscope.render.colour import as_rgb, colourise, own_scale
from convscope.render.overlay import overlay
from convscope.render.page import data_uri, pixels_uri
from convscope.render.text import figure
from convscope.results.pictures import Pictures
from convscope.taps.record import record
from convscope.verbs.visualize import visualize
from convscope.verbs.weights import weights

PARTS = ("photograph", "predictions", "evidence", "depth", "filters", "weights", "dream")
TOP = 5
CAMS = 3
CARDS, CARD_CHANNELS = 12, 4
STAGES = 3
LONGER = 3
"""How many times the steps a picture is given that reached less than the photograph."""


@dataclass
class Findings:
    """What the parts have found so far; each part reads what those before it wrote."""

    net: Network
    photograph: Photograph
    seed: int
    filters: int
    guesses: list[Prediction] = field(default_factory=list)
    cam: Cams | None = None
    layer: Layer | None = None
    page: dict[str, Any] = field(default_factory=lambda: dict.fromkeys(PARTS))

    @property
    def picture(self) -> Tensor:
        return self.photograph.tensor(self.net.device)

    @property
    def rgb(self) -> np.ndarray:
        return as_rgb(self.photograph.pixels)


def predictions(findings: Findings) -> None:
    """The first guesses with their probabilities; the photograph alone where the network tells no classes apart."""
    findings.page["photograph"] = pixels_uri(findings.rgb, quality=92)
    if not findings.net.has_classes:
        return
    findings.guesses = findings.net.predict(findings.photograph, top=TOP)[0]
    findings.page["predictions"] = [
        {"label": guess.label, "index": guess.index, "percent": 100 * guess.probability, "score": figure(guess.score)}
        for guess in findings.guesses
    ]


def evidence(findings: Findings) -> None:
    """Grad-CAM of the first guesses, side by side on one scale."""
    if not findings.guesses or not map_layers(findings.net.layers()):
        return
    chosen = findings.net.recommendation()
    layer = chosen.layer
    classes = [Logit(guess.index) for guess in findings.guesses[:CAMS]]
    findings.cam = gradient_cam(findings.net, findings.picture, classes, layer.name)
    findings.layer = layer
    heats = maps_of(findings)
    top = float(heats.max())
    ramp = colourise(np.linspace(0, 1, 160)[None].repeat(10, 0), 0, 1, "inferno")
    findings.page["evidence"] = {
        "layer": layer.name,
        "note": chosen.note,
        "shape": shape_of(layer),
        "high": figure(top),
        "ramp": pixels_uri(ramp),
        "maps": [
            {
                "label": guess.label,
                "percent": 100 * guess.probability,
                "peak": figure(float(heat.max())),
                "picture": pixels_uri(overlay(findings.rgb, heat, 0.0, top), quality=90),
            }
            for guess, heat in zip(findings.guesses, heats, strict=False)
        ],
    }


def maps_of(findings: Findings) -> np.ndarray:
    """The maps of the first guesses at the picture's size, `k h w`."""
    if findings.cam is None:
        return np.zeros((1, *findings.rgb.shape[:2]), dtype=np.float32)
    heats: np.ndarray
    size = findings.rgb.shape[0], findings.rgb.shape[1]
    heats = enlarge(findings.cam.maps, size, findings.layer).float().cpu().numpy()
    return heats


def depth(findings: Findings) -> None:
    """The network from first to last layer, each with the channels that answer most."""
    shown = evenly(_stages(findings.net), CARDS)
    if not shown:
        return
    answers, blanks = answers_of(findings, shown)
    cards = []
    for layer in shown:
        maps, blank = answers[layer.name], blanks[layer.name]
        best = strongest_channels(maps, blank, CARD_CHANNELS)
        signed = bool((maps < 0).any())
        cards.append(
            {
                "name": layer.name,
                "shape": shape_of(layer),
                "field": layer.receptive_field[0] if layer.receptive_field else None,
                "tiles": [{"channel": channel, "picture": _tile(maps[channel], signed)} for channel in best],
            }
        )
    findings.page["depth"] = {"cards": cards, "total": len(_stages(findings.net))}


def stage_layers(net: Network) -> list[Layer]:
    """A stage in each third of the network."""
    return evenly(_stages(net), STAGES)


def _stages(net: Network) -> list[Layer]:
    return stages(net.layers(), set(layers_with_kernels(net)))


def first_weights(findings: Findings) -> None:
    """The kernels of the first layer."""
    first = layers_with_kernels(findings.net)[:1]
    if first:
        findings.page["weights"] = {"layer": first[0], "picture": data_uri(weights(findings.net, first[0]).image())}


def class_picture(findings: Findings, steps: int, watch: Watch) -> None:
    """What the network looks for in the class it guessed first; the PNG in the page carries its recipe.

    A picture that scores less than the photograph is made again with more steps.
    """
    if not findings.guesses:
        return
    guess = findings.guesses[0]
    try:
        made = visualize(findings.net, Logit(guess.index), steps=steps, seed=findings.seed, watch=watch)
    except Stopped as stopped:
        if isinstance(stopped.result, Pictures):
            show_class_picture(findings, stopped.result)
        raise
    show_class_picture(findings, made)
    if made.arrays["values"][0] < guess.score:
        again = visualize(
            findings.net, Logit(guess.index), steps=LONGER * steps, seed=findings.seed, watch=beyond(watch, guess.label)
        )
        show_class_picture(findings, again)


def beyond(watch: Watch, what: str) -> Watch:
    """A watch of steps beyond those that were counted: the count stands still, the note goes on."""
    return lambda news: watch(Progress(news.what, 1, 1, f"{what} again: {news.note}"))


def show_class_picture(findings: Findings, made: Pictures) -> None:
    """Put a class picture, finished or not, on the page; of two the one that scores more."""
    guess, value = findings.guesses[0], float(made.arrays["values"][0])
    if findings.page["dream"] and findings.page["dream"]["value"] >= value:
        return
    share = made.facts.probabilities[0]
    findings.page["dream"] = {
        "label": guess.label,
        "picture": data_uri(made.png()),
        "probability": None if share is None else 100 * share,
        "value": value,
        "score": figure(value),
        "photo_score": figure(guess.score),
        "steps": made.recipe.options["steps"],
    }


def answers_of(findings: Findings, layers: list[Layer]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The maps of layers on the photograph, and on a blank (mid grey) picture."""
    both = findings.picture, torch.full_like(findings.picture, 0.5)
    with torch.no_grad():
        first, second = (record(findings.net, picture, [layer.name for layer in layers]) for picture in both)
    answers, blanks = ({layer.name: r[layer.name][0].float().cpu() for layer in layers} for r in (first, second))
    return answers, blanks


def _tile(channel: Tensor, signed: bool) -> str:
    """A channel on its own scale, in the colours of its layer."""
    values = channel.numpy()
    return pixels_uri(colourise(values, *own_scale(values, signed=signed), "signed" if signed else "inferno"))


def spotlight(findings: Findings, layer: Layer, channel: Tensor) -> str:
    """The photograph, lit where a channel answers above zero; on the channel's own scale."""
    heat = enlarge(channel[None].relu(), (findings.rgb.shape[0], findings.rgb.shape[1]), layer)[0].numpy()
    return pixels_uri(overlay(findings.rgb, heat, 0.0, float(heat.max()), strength=0.85), quality=90)


def shape_of(layer: Layer) -> str:
    """A layer's output in words."""
    channels, height, width = layer.shape
    return f"{channels} channels of {height}×{width}"
