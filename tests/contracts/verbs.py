"""Every verb and every method as one call on any network: what the contracts run over.

Verbs and methods come from their tables; a verb that is not in CALLS, or has nothing in WRONG, fails here.
"""

import atexit
import shutil
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image

import convscope as cs
from convscope.attribution.table import METHODS
from convscope.results.result import Result
from convscope.verbs.table import VERBS as NAMED
from tests.networks import deep, noise


def _activations(net: cs.Network, kind: str, folder: Path, **options: Any) -> Result:
    return cs.activations(net, options.pop("image", noise()), **options)


def _predict(net: cs.Network, kind: str, folder: Path, **options: Any) -> Result:
    return cs.predict(net, options.pop("image", noise()), **options)


def _weights(net: cs.Network, kind: str, folder: Path, **options: Any) -> Result:
    return cs.weights(net, options.get("layer", deep(kind)))


def _visualize(net: cs.Network, kind: str, folder: Path, **options: Any) -> Result:
    target = options.pop("target", [f"{deep(kind)}:2", "class:bee"])
    return cs.visualize(net, target, steps=3, **options)


def _dream(net: cs.Network, kind: str, folder: Path, **options: Any) -> Result:
    picture = options.pop("image", noise())
    target = options.pop("target", "class:bee")
    return cs.dream(net, picture, target, steps=2, schedule="octaves(2,1.3)", **options)


def _stylize(net: cs.Network, kind: str, folder: Path, **options: Any) -> Result:
    picture = options.pop("image", noise())
    return cs.stylize(net, picture, options.pop("styles", picture), steps=2, schedule="octaves(2,1.3)", **options)


def _compare(net: cs.Network, kind: str, folder: Path, **options: Any) -> Result:
    picture = options.pop("image", noise())
    return cs.compare(net, picture, guesses=2, **{"methods": ["grad_cam", "saliency"]} | options)


def _hybrid(net: cs.Network, kind: str, folder: Path, **options: Any) -> Result:
    picture = options.pop("image", noise())
    return cs.hybrid(net, picture, vary={"top": [2, 4]}, lines=2, **options)


def _assess(net: cs.Network, kind: str, folder: Path, **options: Any) -> Result:
    picture = options.pop("image", noise())
    return cs.assess(net, picture, cs.explain(net, picture), points=4, stages=2, **options)


def _by(method: str, **more: Any) -> Callable[..., Result]:
    def explained(net: cs.Network, kind: str, folder: Path, **options: Any) -> Result:
        return cs.explain(net, options.pop("image", noise()), method=method, **more, **options)  # type: ignore[arg-type]

    return explained


def _invert(net: cs.Network, kind: str, folder: Path, **options: Any) -> Result:
    picture = options.pop("image", noise())
    return cs.invert(net, picture, options.pop("layers", deep(kind)), steps=3, **options)


def _report(net: cs.Network, kind: str, folder: Path, **options: Any) -> Result:
    picture = options.pop("image", noise())
    return cs.report(net, picture, folder / "report.html", filters=2, filter_steps=2, class_steps=2, **options)


@cache
def drawings() -> Path:
    """A folder of two kinds of small pictures, five of each."""
    folder = Path(tempfile.mkdtemp(prefix="convscope-drawings-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for number, name in enumerate(("dark", "light")):
        (folder / name).mkdir()
        for i in range(5):
            values = (noise(seed=10 * number + i)[0].permute(1, 2, 0).numpy() * 100 + 100 * number).astype("uint8")
            Image.fromarray(values).save(folder / name / f"{i}.png")
    return folder


def _diff(net: cs.Network, kind: str, folder: Path, **options: Any) -> Result:
    pictures = options.pop("image", None)
    return cs.diff(net, net, noise() if pictures is None else pictures, pictures=1, steps=2, **options)


def _train(net: cs.Network, kind: str, folder: Path, **options: Any) -> Result:
    options.pop("image", None)  # it takes many, with their classes
    return cs.train(
        net,
        options.pop("data", drawings()),
        folder / f"out{len(list(folder.iterdir()))}",
        epochs=2,
        frozen="all",
        **options,
    )


SMALLER: Mapping[str, dict[str, Any]] = {
    "smooth_grad": {"samples": 3},
    "integrated_gradients": {"steps": 4},
    "occlusion": {"patch": 8},
    "rise": {"samples": 5, "grid": 3},
}
"""Options that make a method quick; the others are quick by themselves."""

CALLS: dict[str, Callable[..., Result]] = {
    "predict": _predict,
    "activations": _activations,
    "weights": _weights,
    "visualize": _visualize,
    "dream": _dream,
    "stylize": _stylize,
    "assess": _assess,
    "explain": _by("grad_cam"),
    "compare": _compare,
    "hybrid": _hybrid,
    "invert": _invert,
    "report": _report,
    "train": _train,
    "diff": _diff,
}
"""A small call of each verb."""

VERBS: dict[str, Callable[..., Result]] = {
    **{name: CALLS[name] for name in NAMED if name != "replay"},
    **{f"explain by {method}": _by(method, **SMALLER.get(method, {})) for method in METHODS},
}

WRONG: dict[str, dict[str, Any]] = {
    "predict": {"top": 0},
    "activations": {"layers": ["no such layer"]},
    "weights": {"layer": "no such layer"},
    "visualize": {"target": "no-such-layer:3"},
    "dream": {"target": "class:no such class"},
    "stylize": {"styles": "no such file.jpg"},
    "assess": {"box": [1, 2, 3]},
    "explain": {"target": "class:no such class"},
    "compare": {"methods": "melt"},
    "hybrid": {"effect": "swap"},
    "invert": {"layers": "no such layer"},
    "report": {"image": "no such file.jpg"},
    "train": {"data": "no such folder"},
    "diff": {"layers": ["no such layer"]},
    **{f"explain by {method}": {"no_such_option": 3} for method in METHODS},
}
"""Options with which each verb must fail by a ConvscopeError."""
