"""Recipes of format 1, which convscope 0.1 wrote until November 2026, as recipes of today. Nothing here grows."""

from collections.abc import Callable, Mapping
from typing import Any

_PHOTOGRAPH = "photograph"
_OF_EXPLAIN = ("target", "fit")
"""The options of explain that are not the method's."""
_OF_A_MAP = ("layer", "channels", "top", "ranking")
"""The options of hybrid that are its method's."""
_SEEDED = ("smooth_grad", "integrated_gradients", "occlusion", "rise")
"""The methods of then that took hybrid's seed."""


def from_format_1(values: Mapping[str, Any]) -> Any:
    """A recipe of today from one of format 1; what is no recipe comes back as it is, to be refused."""
    parts = ("network", "options", "inputs", "machine")
    if not isinstance(values.get("method"), str) or not all(isinstance(values.get(part), dict) for part in parts):
        return None
    verb, options, inputs = values["method"], dict(values["options"]), dict(values["inputs"])
    beside = options.pop("beside", []) if verb == "compare" else []
    if verb in _CONVERTED:
        options, inputs = _CONVERTED[verb](options, inputs)
    notes = values.get("notes", [])
    stopped = isinstance(notes, list) and any(isinstance(note, str) and "stopped after" in note for note in notes)
    return {
        "verb": verb,
        "networks": [values["network"], *(beside if isinstance(beside, list) else [beside])],
        "options": options,
        "inputs": inputs,
        "machine": values["machine"],
        "notes": notes,
        "stopped": stopped,
    }


KIND_OF: Mapping[str, str] = {
    "activations": "activations",
    "assess": "assessment",
    "compare": "board",
    "dream": "pictures",
    "explain": "heatmap",
    "hybrid": "variations",
    "invert": "inversion",
    "report": "page",
    "stylize": "pictures",
    "visualize": "pictures",
    "weights": "weights",
}
"""The kind of result of each verb of then, which files did not say."""
Parts = tuple[dict[str, Any], dict[str, Any]]


def _explain(options: dict[str, Any], inputs: dict[str, Any]) -> Parts:
    own = {name: options[name] for name in _OF_EXPLAIN if name in options}
    method = {name: value for name, value in options.items() if name not in own and name != "method"}
    own["method"] = {"name": options.get("method"), **method}
    if "baseline" in inputs:
        inputs = {("method.baseline" if name == "baseline" else name): _one(value) for name, value in inputs.items()}
    return own, inputs


def _assess(options: dict[str, Any], inputs: dict[str, Any]) -> Parts:
    heatmap = options.pop("heatmap", None)
    if not isinstance(heatmap, dict):
        return options | {"heatmap": heatmap}, inputs
    return options | _explain(heatmap, {})[0], inputs


def _hybrid(options: dict[str, Any], inputs: dict[str, Any]) -> Parts:
    method = {name: options.pop(name) for name in _OF_A_MAP if name in options}
    method = {name: value for name, value in method.items() if value is not None}
    name = options.get("method")
    seed = options.pop("seed", None)
    if name in _SEEDED and seed is not None:
        method["seed"] = seed
    options["method"] = {"name": name, **method}
    return options, {name: _one(value) if name == "other" else value for name, value in inputs.items()}


def _visualize(options: dict[str, Any], inputs: dict[str, Any]) -> Parts:
    if options.get("start") == _PHOTOGRAPH:
        options = {name: value for name, value in options.items() if name != "start"}
    return options, {("start" if name == "image" else name): value for name, value in inputs.items()}


def _stylize(options: dict[str, Any], inputs: dict[str, Any]) -> Parts:
    named = {("content" if name == "image" else name): value for name, value in inputs.items()}
    return options, {name: _one(value) if name == "mask" else value for name, value in named.items()}


def _dream(options: dict[str, Any], inputs: dict[str, Any]) -> Parts:
    return options, {name: _one(value) if name == "mask" else value for name, value in inputs.items()}


def _one(value: Any) -> Any:
    """The picture of a list of one."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


_CONVERTED: Mapping[str, Callable[[dict[str, Any], dict[str, Any]], Parts]] = {
    "explain": _explain,
    "assess": _assess,
    "hybrid": _hybrid,
    "visualize": _visualize,
    "stylize": _stylize,
    "dream": _dream,
}
