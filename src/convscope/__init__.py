"""convscope: look inside convolutional neural networks.

    import convscope as cs
    net = cs.load_model("efficientnet_lite0")
    cs.explain(net, "cat.jpg").save("cam.png")

Everything here is loaded when it is first used: importing the package loads no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from convscope.errors import ConvscopeError as ConvscopeError
    from convscope.errors import Stopped as Stopped
    from convscope.models.load import load_model as load_model
    from convscope.models.network import Network as Network
    from convscope.models.spec import InputSpec as InputSpec
    from convscope.objectives.expression import Objective as Objective
    from convscope.objectives.penalties import lp as lp
    from convscope.objectives.penalties import squared_l2 as squared_l2
    from convscope.objectives.penalties import total_variation as total_variation
    from convscope.objectives.text import parse_target as parse_target
    from convscope.objectives.units import channel as channel
    from convscope.objectives.units import direction as direction
    from convscope.objectives.units import layer as layer
    from convscope.objectives.units import logit as logit
    from convscope.objectives.units import neuron as neuron
    from convscope.objectives.units import probability as probability
    from convscope.progress import Cancel as Cancel
    from convscope.progress import Progress as Progress
    from convscope.results.result import Result as Result
    from convscope.results.store import load_result as load_result
    from convscope.taps.activation_model import activation_model as activation_model
    from convscope.taps.record import record as record
    from convscope.verbs.activations import activations as activations
    from convscope.verbs.assess import assess as assess
    from convscope.verbs.compare import compare as compare
    from convscope.verbs.dream import dream as dream
    from convscope.verbs.explain import explain as explain
    from convscope.verbs.hybrid import hybrid as hybrid
    from convscope.verbs.invert import invert as invert
    from convscope.verbs.replay import replay as replay
    from convscope.verbs.report import report as report
    from convscope.verbs.stylize import stylize as stylize
    from convscope.verbs.visualize import visualize as visualize
    from convscope.verbs.weights import weights as weights

_HOME = {
    "Cancel": "progress",
    "ConvscopeError": "errors",
    "InputSpec": "models.spec",
    "Network": "models.network",
    "Objective": "objectives.expression",
    "Progress": "progress",
    "Result": "results.result",
    "Stopped": "errors",
    "activation_model": "taps.activation_model",
    "activations": "verbs.activations",
    "assess": "verbs.assess",
    "channel": "objectives.units",
    "direction": "objectives.units",
    "compare": "verbs.compare",
    "dream": "verbs.dream",
    "explain": "verbs.explain",
    "hybrid": "verbs.hybrid",
    "invert": "verbs.invert",
    "layer": "objectives.units",
    "load_model": "models.load",
    "load_result": "results.store",
    "logit": "objectives.units",
    "lp": "objectives.penalties",
    "neuron": "objectives.units",
    "parse_target": "objectives.text",
    "probability": "objectives.units",
    "record": "taps.record",
    "replay": "verbs.replay",
    "report": "verbs.report",
    "squared_l2": "objectives.penalties",
    "stylize": "verbs.stylize",
    "total_variation": "objectives.penalties",
    "visualize": "verbs.visualize",
    "weights": "verbs.weights",
}

__all__ = sorted([*_HOME, "__version__"])


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'convscope' has no attribute {name!r}")
    value = getattr(import_module(f"convscope.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
