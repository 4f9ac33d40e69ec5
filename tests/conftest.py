"""What several tests share: the embedded network, and a photograph."""

import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")

import pytest
import torch
from torch import Tensor

import convscope as cs

ROOT = Path(__file__).parent.parent
torch.set_num_threads(1)  # what tests compare to the bit then rests on no order of threads


@pytest.fixture(scope="session")
def lite0() -> cs.Network:
    """The network that comes with convscope."""
    return cs.load_model("efficientnet_lite0")


@pytest.fixture(scope="session")
def photograph() -> str:
    """The photograph of a cat."""
    return str(ROOT / "examples" / "photographs" / "cat.jpg")


@pytest.fixture
def batch_sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pictures each pass of a network has had since."""
    sizes: list[int] = []
    run = cs.Network.run

    def counted(self: cs.Network, images: Tensor, *args: object, **kwargs: object) -> object:
        sizes.append(len(images))
        return run(self, images, *args, **kwargs)

    monkeypatch.setattr(cs.Network, "run", counted)
    return sizes
