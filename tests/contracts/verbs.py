"""Every verb as one call on any network: what the contracts run over. A new verb is one entry here."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import convscope as cs
from convscope.results.result import Result
from tests.networks import DEEP, noise


def _activations(net: cs.Network, kind: str, folder: Path, **options: Any) -> Result:
    return cs.activations(net, noise(), **options)


def _weights(net: cs.Network, kind: str, folder: Path, **options: Any) -> Result:
    return cs.weights(net, options.get("layer", DEEP[kind]))


def _visualize(net: cs.Network, kind: str, folder: Path, **options: Any) -> Result:
    target = options.pop("target", [f"{DEEP[kind]}:2", "class:bee"])
    return cs.visualize(net, target, steps=3, **options)


def _dream(net: cs.Network, kind: str, folder: Path, **options: Any) -> Result:
    picture = options.pop("image", noise())
    target = options.pop("target", "class:bee")
    return cs.dream(net, picture, target, steps=2, schedule="octaves(2,1.3)", **options)


def _stylize(net: cs.Network, kind: str, folder: Path, **options: Any) -> Result:
    picture = options.pop("image", noise())
    return cs.stylize(net, picture, options.pop("styles", picture), steps=2, schedule="octaves(2,1.3)", **options)


def _explain(net: cs.Network, kind: str, folder: Path, **options: Any) -> Result:
    return cs.explain(net, noise(), **options)


def _invert(net: cs.Network, kind: str, folder: Path, **options: Any) -> Result:
    picture = options.pop("image", noise())
    return cs.invert(net, picture, options.pop("layers", DEEP[kind]), steps=3, **options)


def _report(net: cs.Network, kind: str, folder: Path, **options: Any) -> Result:
    picture = options.pop("image", noise())
    return cs.report(net, picture, folder / "report.html", filters=2, filter_steps=2, class_steps=2, **options)


VERBS: dict[str, Callable[..., Result]] = {
    "activations": _activations,
    "weights": _weights,
    "visualize": _visualize,
    "dream": _dream,
    "stylize": _stylize,
    "explain": _explain,
    "invert": _invert,
    "report": _report,
}

WRONG: dict[str, dict[str, Any]] = {
    "activations": {"layers": ["no such layer"]},
    "weights": {"layer": "no such layer"},
    "visualize": {"target": "no-such-layer:3"},
    "dream": {"target": "class:no such class"},
    "stylize": {"styles": "no such file.jpg"},
    "explain": {"target": "class:no such class"},
    "invert": {"layers": "no such layer"},
    "report": {"image": "no such file.jpg"},
}
"""Options with which each verb must fail by a ConvscopeError."""
