"""Presets of the verbs that make pictures: a preset fills in the options that a call leaves open."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from convscope.errors import UnknownNameError

DEFAULT_LR: dict[str, float] = {"adam": 0.05, "nadam": 0.05, "rmsprop": 0.02, "sgd": 1.0, "lbfgs": 1.0}
"""The learning rate where an optimiser is chosen and none is given."""


@dataclass(frozen=True)
class Preset:
    """options: what the preset says, by name. about: what it is for. cost: how long it takes, in words. plain: what it
    says instead where no gradient of residual branches is damped, as the network has none."""

    options: Mapping[str, Any]
    about: str
    cost: str
    plain: Mapping[str, Any] = field(default_factory=dict)


_VISUALIZE: dict[str, Any] = {
    "start": "noise", "steps": 72, "lr": 0.1, "views": "auto(2,192)", "parameterisation": "fourier",
    "optimiser": "adam",
    "gradient": "plain", "branches": 0.5, "schedule": "single", "penalty": "",
}  # fmt: skip

VISUALIZE: Mapping[str, Preset] = {
    "draft": Preset(
        _VISUALIZE | {"steps": 24},
        "a first look",
        "a third of the default",
        {"steps": 32, "lr": 0.08},
    ),
    "default": Preset(
        _VISUALIZE,
        "what other networks recognise best for the time",
        "144 crops of 192 pixels for a class (some 4 s on two cores), 72 steps at 128 pixels for a filter",
        {"steps": 96, "lr": 0.05},
    ),
    "fine": Preset(
        _VISUALIZE | {"steps": 240},
        "for a wall",
        "three times the default",
        {"steps": 320, "lr": 0.05},
    ),
    "strika": Preset(
        _VISUALIZE
        | {"branches": 1.0, "start": "uniform", "steps": 15, "lr": 1 / 255, "views": "plain", "parameterisation": "raw",
           "optimiser": "sgd",
           "gradient": "rms", "schedule": "grow(80,1.2)"},
        "Strika 2019: plain steps on pixels from noise about 128, enlarged by a fifth again and again",
        "15 steps at each of a handful of sizes",
    ),
    "gerretsen": Preset(
        _VISUALIZE
        | {"branches": 1.0, "start": "random", "steps": 300, "lr": 0.02, "views": "plain", "parameterisation": "raw",
           "optimiser": "rmsprop",
           "penalty": "1000*tv() + 10*lp(6)"},
        "Gerretsen and others 2019: RMSprop on pixels from random ones, total variation and L6 norm against noise",
        "300 steps at the network's size",
    ),
    "holbrook": Preset(
        _VISUALIZE
        | {"branches": 1.0, "start": "random", "steps": 192, "lr": 0.05,
           "views": "jitter(8) scale(0.9,1.1) rotate(10) jitter(4)", "gradient": "clip(1)"},
        "Holbrook 2020: Fourier space, decorrelated colours, random affine transforms, clipped gradients",
        "192 steps, one view each",
    ),
    "calvino": Preset(
        _VISUALIZE
        | {"branches": 1.0, "start": "grey", "steps": 40, "lr": 1 / 255, "views": "plain", "parameterisation": "raw",
           "optimiser": "sgd",
           "gradient": "rms"},
        "Calvino 2020: plain steps on the pixels of a photograph (give it as start) or of a blank picture",
        "40 steps at the network's size",
    ),
}  # fmt: skip


_DREAM: dict[str, Any] = {
    "schedule": "octaves(4,1.4)", "steps": 12, "lr": 0.012, "parameterisation": "raw", "optimiser": "sgd",
    "gradient": "rms", "branches": 1.0, "keep": 0.0,
}  # fmt: skip

DREAM: Mapping[str, Preset] = {
    "draft": Preset(_DREAM | {"schedule": "octaves(3,1.5)", "steps": 8, "lr": 0.015}, "a first look", "a third"),
    "default": Preset(_DREAM, "four octaves of plain, normalised steps", "48 steps, most on small pictures"),
    "fine": Preset(
        _DREAM | {"schedule": "octaves(6,1.3)", "steps": 20, "lr": 0.01}, "for a wall", "three times the default"
    ),
    "gerretsen": Preset(
        _DREAM | {"schedule": "zoom(3,1.2)", "steps": 10},
        "Gerretsen and others 2019: plain steps on squared norms, jitter, cycles of zooming in and out",
        "70 steps at the full size",
    ),
}

_LUCID: dict[str, Any] = {
    "schedule": "single", "steps": 96, "lr": 0.05, "parameterisation": "fourier", "optimiser": "adam",
    "gradient": "plain", "branches": 0.5, "keep": 0.5,
}  # fmt: skip

LUCID: Mapping[str, Preset] = {
    "draft": Preset(
        _LUCID | {"steps": 32, "lr": 0.08}, "a first look", "a third of the default", {"lr": 0.05, "keep": 1.0}
    ),
    "default": Preset(
        _LUCID, "a class pulled out of the photograph", "384 crops of 160 pixels", {"lr": 0.03, "keep": 1.0}
    ),
    "fine": Preset(
        _LUCID | {"steps": 256, "lr": 0.03}, "for a wall", "three times the default", {"lr": 0.02, "keep": 1.0}
    ),
    "gerretsen": Preset(
        _LUCID | {"branches": 1.0, "schedule": "zoom(3,1.2)", "steps": 26, "parameterisation": "raw",
                  "optimiser": "sgd", "gradient": "rms",
                  "lr": 0.01, "keep": 0.0},
        "Gerretsen and others 2019: a class by plain steps, jitter and zooming; 182 steps, as in the paper's frames",
        "182 steps of four crops",
    ),
}  # fmt: skip


_STYLE: dict[str, Any] = {
    "start": "content", "schedule": "octaves(3,2)", "steps": 50, "lr": 1.0, "parameterisation": "pyramid",
    "optimiser": "lbfgs", "losses": "relative", "content_weight": 1.0, "style_weight": 20.0, "tv_weight": 0.2,
    "decay": 1.0,
}  # fmt: skip

STYLE: Mapping[str, Preset] = {
    "draft": Preset(_STYLE | {"schedule": "octaves(2,2)", "steps": 30}, "a first look", "a third of the default"),
    "default": Preset(_STYLE, "coarse to fine, by losses that suit any network", "50 steps at each of three sizes"),
    "fine": Preset(_STYLE | {"steps": 150}, "for a wall", "three times the default"),
    "gerretsen": Preset(
        _STYLE | {"schedule": "single", "steps": 500, "optimiser": "adam", "lr": 0.02, "parameterisation": "raw",
                  "losses": "gatys", "style_weight": 3e3, "tv_weight": 10.0, "decay": 0.7},
        "Gerretsen and others 2019: the losses of Gatys, style 3000 and total variation 10 against content 1, each "
        "further layer of style 0.7 of the one before",
        "500 steps at the full size",
    ),
}  # fmt: skip


PRESETS = tuple(dict.fromkeys([*DREAM, *LUCID]))
"""The names of the presets of dream, for a layer or for a class."""


def filled(
    presets: Mapping[str, Preset], preset: str, given: Mapping[str, Any], *, residual: bool = True
) -> dict[str, Any]:
    """The options of a call: those that are None are the preset's; another optimiser has an lr of its own. residual:
    whether the network has residual branches.

    Raises UnknownNameError for the preset.
    """
    if preset not in presets:
        raise UnknownNameError("preset", preset, presets)
    chosen = presets[preset].options
    branches = given.get("branches")
    if not residual or (branches is not None and float(branches) == 1.0):
        chosen = {**chosen, **presets[preset].plain}
    options = {name: chosen[name] if value is None else value for name, value in given.items()}
    other = options["optimiser"] != chosen["optimiser"]
    if other and given["lr"] is None:
        options["lr"] = DEFAULT_LR.get(options["optimiser"], chosen["lr"])
    return options
