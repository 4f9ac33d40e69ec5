"""The image classifiers of torchvision, by name: with the transforms, labels and weights of its own registry."""

from pathlib import Path
from typing import Any

import torch

from convscope.errors import MissingExtraError, NetworkError, NotFetchedError, UnknownNameError
from convscope.models.labels import Labels
from convscope.models.network import Network
from convscope.models.sources.architecture import RANDOM, Architecture, assembled
from convscope.models.sources.wanted import Wanted
from convscope.models.spec import IMAGENET_MEAN, IMAGENET_STD, InputSpec
from convscope.models.state_files import read_state
from convscope.models.vgg import BLOCKS, DEEPER, relu_names

OF_FILE = "pictures are transformed as for its published weights (transform_input)"
"""What weights of googlenet and inception_v3 from a file were most probably trained with: a file does not tell."""
SIZE = 224
"""Of a network without published weights, as the papers have it."""
ONLY_WITH_INITIAL = {"googlenet", "inception_v3"}
"""Whose first weights take a minute to draw unless that is switched off; random ones are drawn by the layers anyway."""


def load(name: str, wanted: Wanted) -> Network:
    """A network of torchvision.models, with its default weights."""
    models = _torchvision()
    known = models.list_models(module=models)
    if name not in known:
        raise UnknownNameError("torchvision classifier", name, known)
    published = models.get_model_weights(name)
    default = published.DEFAULT if len(published) else None
    more: dict[str, Any] = {"init_weights": False} if name in ONLY_WITH_INITIAL else {}

    if name in ONLY_WITH_INITIAL and wanted.weights not in (None, RANDOM):
        keys = read_state(Path(str(wanted.weights))).keys()
        more |= {"transform_input": True, "aux_logits": any("aux" in key.lower() for key in keys)}

    def build(classes: int | None) -> torch.nn.Module:
        chosen = more | ({} if classes is None else {"num_classes": classes})
        module: torch.nn.Module = models.get_model(name, weights=None, **chosen)
        return module

    meta = default.meta if default else {}
    return assembled(
        name,
        f"torchvision:{name}",
        wanted,
        Architecture(
            build=build,
            trained=(lambda: _trained(name, default, wanted.download)) if default else None,
            spec=_spec(default),
            labels=Labels(tuple(meta.get("categories", ()))),
            of_file=OF_FILE if name in ONLY_WITH_INITIAL else "",
            about="ImageNet weights as torchvision publishes them" if default else "random weights",
            package="torchvision",
            aliases=_aliases(name),
        ),
    )


def _torchvision() -> Any:
    try:
        import torchvision
    except ImportError:
        raise MissingExtraError("a network of torchvision", "torchvision", "zoo") from None
    except (RuntimeError, OSError) as error:
        raise NetworkError(
            f"torchvision does not go with this torch {torch.__version__} ({' '.join(str(error).split())[:150]}): "
            "install the two of one release"
        ) from None
    return torchvision.models


def _spec(weights: Any) -> InputSpec:
    """What the transforms of published weights do to a picture."""
    if weights is None:
        return InputSpec(size=SIZE, range=(0.0, 1.0), mean=IMAGENET_MEAN, std=IMAGENET_STD)
    transforms = weights.transforms()
    size = transforms.crop_size
    smallest = weights.meta.get("min_size", (1, 1))
    fixed = tuple(smallest) == (size[0], size[0])  # of vision transformers, which run at one size alone
    return InputSpec(
        size=size[0], range=(0.0, 1.0), mean=tuple(transforms.mean), std=tuple(transforms.std), fixed_size=fixed
    )


def _aliases(name: str) -> dict[str, str]:
    """Of VGG16 and VGG19 the names of the rectifiers in papers, relu4_2, which torchvision numbers through."""
    blocks = {"vgg16": BLOCKS, "vgg19": DEEPER}.get(name.removesuffix("_bn"))
    if blocks is None:
        return {}
    each = 3 if name.endswith("_bn") else 2  # modules for a convolution
    starts = [sum(len(block) * each + 1 for block in blocks[:number]) for number in range(len(blocks))]
    return relu_names(blocks, lambda block, position: f"features.{starts[block - 1] + position * each - 1}")


def _trained(name: str, weights: Any, download: bool) -> torch.nn.Module:
    """The network with published weights, from torch's cache or downloaded, where that is allowed; torchvision checks
    their hash."""
    file = str(weights.url).rsplit("/", 1)[-1]
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    if not download and not (folder / file).is_file():
        raise NotFetchedError(f"the weights of torchvision:{name} are not here ({file}) and would be downloaded")
    try:
        module: torch.nn.Module = _torchvision().get_model(name, weights=weights, progress=False)
    except (OSError, RuntimeError) as error:
        raise NetworkError(
            f"the weights of torchvision:{name} could not be fetched ({' '.join(str(error).split())[:100]}): put "
            f"{file} into {folder}, or ask for random ones with --weights none (weights='none')"
        ) from None
    return module
