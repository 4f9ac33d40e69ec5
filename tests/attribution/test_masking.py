"""Methods that work in batches, where memory runs out."""

import numpy as np
import pytest
from torch import Tensor

import convscope as cs
from tests.networks import network, noise


@pytest.mark.parametrize("method", ["integrated_gradients", "score_cam", "rise", "smooth_grad"])
def test_out_of_memory_comes_to_the_same_result(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net, picture = network("plain"), noise(1)
    more = {"samples": 40} if method in ("rise", "smooth_grad") else {}
    wanted = cs.explain(net, picture, 1, method=method, **more).arrays["map"]
    run = cs.Network.run
    refused = []

    def scarce(self: cs.Network, images: Tensor, *args: object, **kwargs: object) -> object:
        if len(images) > 5:
            refused.append(len(images))
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return run(self, images, *args, **kwargs)

    monkeypatch.setattr(cs.Network, "run", scarce)
    found = cs.explain(net, picture, 1, method=method, **more).arrays["map"]
    assert refused
    assert np.abs(found - wanted).max() <= 1e-5 * np.abs(wanted).max()
