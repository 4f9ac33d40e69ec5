"""The verbs by name, read without loading torch: front ends list them here and open one when it is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass

from convscope.attribution.table import METHODS as METHODS


@dataclass(frozen=True)
class Verb:
    """A verb: where its function lives (`module:name`), what it does in a line, and whether its results replay."""

    home: str
    summary: str
    replayed: bool = True


VERBS: Mapping[str, Verb] = {
    "activations": Verb("convscope.verbs.activations:activations", "What each layer answers to a photograph."),
    "weights": Verb("convscope.verbs.weights:weights", "What a layer has learned, as a mosaic."),
    "visualize": Verb("convscope.verbs.visualize:visualize", "What a filter, neuron, layer or class looks for."),
    "dream": Verb("convscope.verbs.dream:dream", "What a network sees in a photograph, painted into it."),
    "invert": Verb("convscope.verbs.invert:invert", "What a layer still knows of a photograph."),
    "stylize": Verb("convscope.verbs.stylize:stylize", "A photograph in the style of other pictures."),
    "explain": Verb("convscope.verbs.explain:explain", "Which parts of a photograph speak for an answer."),
    "assess": Verb("convscope.verbs.assess:assess", "Whether a heatmap can be believed."),
    "compare": Verb("convscope.verbs.compare:compare", "Heatmaps of several methods, targets and networks."),
    "hybrid": Verb("convscope.verbs.hybrid:hybrid", "A photograph altered only where a heatmap is hot."),
    "report": Verb("convscope.verbs.report:report", "One page on one photograph and one network.", replayed=False),
    "replay": Verb("convscope.verbs.replay:replay", "Make a picture again from the recipe inside it.", replayed=False),
}
