"""The verbs by name, read without loading torch: front ends list them here and open one when it is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass

from convscope.attribution.table import METHODS as METHODS


@dataclass(frozen=True)
class Verb:
    """A verb: where its function lives (`module:name`), and what it does in a line.

    replayed: whether its results can be made again from their recipe. many: where the function lies that prepares it
    for batches of pictures, `(net, **options) -> (photographs) -> results`, or None for options with which they go one
    at a time; empty where they always do.
    examples: of its command, where that is made from the signature; a verb whose command needs more has a file of its
    own in cli/commands.
    """

    home: str
    summary: str
    replayed: bool = True
    many: str = ""
    examples: tuple[str, ...] = ()


VERBS: Mapping[str, Verb] = {
    "predict": Verb(
        "convscope.verbs.predict:predict",
        "Which classes a network sees in a photograph.",
        many="convscope.verbs.predict:predicting",
    ),
    "activations": Verb(
        "convscope.verbs.activations:activations",
        "What each layer answers to a photograph.",
        many="convscope.verbs.activations:recording_activations",
    ),
    "weights": Verb(
        "convscope.verbs.weights:weights",
        "What a layer has learned: its kernels as a labelled mosaic, all on one scale.",
        examples=("weights stem.conv", "weights blocks.4.depthwise --out kernels.png"),
    ),
    "visualize": Verb("convscope.verbs.visualize:visualize", "What a filter, neuron, layer or class looks for."),
    "dream": Verb("convscope.verbs.dream:dream", "What a network sees in a photograph, painted into it."),
    "invert": Verb("convscope.verbs.invert:invert", "What a layer still knows of a photograph."),
    "stylize": Verb("convscope.verbs.stylize:stylize", "A photograph in the style of other pictures."),
    "explain": Verb(
        "convscope.verbs.explain:explain",
        "Which parts of a photograph speak for an answer.",
        many="convscope.verbs.explain:explaining",
    ),
    "assess": Verb("convscope.verbs.assess:assess", "Whether a heatmap can be believed."),
    "compare": Verb("convscope.verbs.compare:compare", "Heatmaps of several methods, targets and networks."),
    "hybrid": Verb("convscope.verbs.hybrid:hybrid", "A photograph altered only where a heatmap is hot."),
    "diff": Verb("convscope.verbs.diff:diff", "How two networks see the same pictures, before and after training."),
    "train": Verb(
        "convscope.verbs.train:train", "A network that tells the pictures of several folders apart.", replayed=False
    ),
    "report": Verb("convscope.verbs.report:report", "One page on one photograph and one network.", replayed=False),
    "replay": Verb("convscope.verbs.replay:replay", "Make a picture again from the recipe inside it.", replayed=False),
}
