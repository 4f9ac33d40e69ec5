"""convscope: look inside convolutional neural networks.

    import convscope as cs
    net = cs.load_model("efficientnet_lite0")
    cs.explain(net, "cat.jpg").save("cam.png")

Everything here is loaded when it is first used: importing the package loads no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from convscope.attribution.table import METHODS
from convscope.verbs.table import VERBS

__version__ = "0.1.0"

if TYPE_CHECKING:
    from convscope.attribution.cam import GradCAM as GradCAM
    from convscope.attribution.cam import GradCAMPlusPlus as GradCAMPlusPlus
    from convscope.attribution.cam import HiResCAM as HiResCAM
    from convscope.attribution.cam import LayerCAM as LayerCAM
    from convscope.attribution.eigen_cam import EigenCAM as EigenCAM
    from convscope.attribution.gradients import Deconvnet as Deconvnet
    from convscope.attribution.gradients import GuidedBackprop as GuidedBackprop
    from convscope.attribution.gradients import InputXGradient as InputXGradient
    from convscope.attribution.gradients import Saliency as Saliency
    from convscope.attribution.guided_grad_cam import GuidedGradCAM as GuidedGradCAM
    from convscope.attribution.integrated import IntegratedGradients as IntegratedGradients
    from convscope.attribution.method import Attribution as Attribution
    from convscope.attribution.method import Job as Job
    from convscope.attribution.method import Method as Method
    from convscope.attribution.occlusion import Occlusion as Occlusion
    from convscope.attribution.rise import RISE as RISE
    from convscope.attribution.score_cam import ScoreCAM as ScoreCAM
    from convscope.attribution.smooth_grad import SmoothGrad as SmoothGrad
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
    from convscope.options import About as About
    from convscope.progress import Cancel as Cancel
    from convscope.progress import Progress as Progress
    from convscope.results.result import Result as Result
    from convscope.results.store import load_result as load_result
    from convscope.taps.activation_model import activation_model as activation_model
    from convscope.taps.record import record as record
    from convscope.verbs.activations import activations as activations
    from convscope.verbs.assess import assess as assess
    from convscope.verbs.compare import compare as compare
    from convscope.verbs.diff import diff as diff
    from convscope.verbs.dream import dream as dream
    from convscope.verbs.each import each as each
    from convscope.verbs.explain import explain as explain
    from convscope.verbs.hybrid import hybrid as hybrid
    from convscope.verbs.invert import invert as invert
    from convscope.verbs.predict import predict as predict
    from convscope.verbs.replay import replay as replay
    from convscope.verbs.report import report as report
    from convscope.verbs.stylize import stylize as stylize
    from convscope.verbs.train import train as train
    from convscope.verbs.visualize import visualize as visualize
    from convscope.verbs.weights import weights as weights

_HOME: dict[str, str] = {
    "About": "options",
    "Attribution": "attribution.method",
    "Cancel": "progress",
    "ConvscopeError": "errors",
    "InputSpec": "models.spec",
    "Job": "attribution.method",
    "Method": "attribution.method",
    "Network": "models.network",
    "Objective": "objectives.expression",
    "Progress": "progress",
    "Result": "results.result",
    "Stopped": "errors",
    "activation_model": "taps.activation_model",
    "channel": "objectives.units",
    "direction": "objectives.units",
    "each": "verbs.each",
    "layer": "objectives.units",
    "load_model": "models.load",
    "load_result": "results.store",
    "logit": "objectives.units",
    "lp": "objectives.penalties",
    "neuron": "objectives.units",
    "parse_target": "objectives.text",
    "probability": "objectives.units",
    "record": "taps.record",
    "squared_l2": "objectives.penalties",
    "total_variation": "objectives.penalties",
    **{name: verb.home.partition(":")[0].removeprefix("convscope.") for name, verb in VERBS.items()},
    **{home.partition(":")[2]: f"attribution.{home.partition(':')[0]}" for home in METHODS.values()},
}
"""Where each name lies, below convscope; verbs and methods come from their tables."""

__all__ = sorted([*_HOME, "__version__"])


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'convscope' has no attribute {name!r}")
    value = getattr(import_module(f"convscope.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
