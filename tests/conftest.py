"""What several tests share: the embedded network, and a photograph."""

from pathlib import Path

import pytest
import torch

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
