"""When memory runs out, batches are halved and the result is the same; where that does not help, one line says so."""

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import convscope as cs
from convscope.memory import memory_watched
from tests.networks import LABELS, SPEC, shared


class Small(nn.Module):
    """A network on a machine where at most `most` pictures fit. It says so as torch does on the processor."""

    def __init__(self, inner: nn.Module, most: int) -> None:
        super().__init__()
        self.inner, self.most = inner, most
        self.batches: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.batches.append(len(x))
        if len(x) > self.most:
            raise RuntimeError(
                "[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory: you tried"
            )
        result: Tensor = self.inner(x)
        return result


def small(most: int) -> tuple[cs.Network, Small]:
    module = Small(copy.deepcopy(shared("plain").adapter.root), most)
    return cs.load_model(module, input=SPEC, labels=LABELS), module


def test_visualize_halves_the_batch_and_goes_on_to_the_same_pictures() -> None:
    roomy, _ = small(64)
    narrow, module = small(2)
    targets = "inner.conv2:0-4"
    wanted = cs.visualize(roomy, targets, steps=6, views="plain")
    found = cs.visualize(narrow, targets, steps=6, views="plain")
    assert max(module.batches) == 5
    assert module.batches.count(2) >= 2 * 6
    assert found.recipe.options["target"] == wanted.recipe.options["target"]
    assert np.allclose(found.arrays["images"], wanted.arrays["images"], atol=0.02)
    assert np.abs(found.arrays["images"] - wanted.arrays["images"]).mean() < 1e-3
    assert np.allclose(found.arrays["values"], wanted.arrays["values"], rtol=1e-2)
    assert any("memory ran out" in note for note in found.recipe.notes)


def test_where_one_picture_is_too_many_one_line_says_so() -> None:
    net, module = small(64)
    net.layers()
    module.most = 0
    with pytest.raises(cs.ConvscopeError, match=r"memory ran out .*take a smaller size"):
        cs.visualize(net, "inner.conv2:1", steps=2, size=64)


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory")])
def test_each_way_of_running_out_is_known(error: Exception) -> None:
    with pytest.raises(cs.ConvscopeError, match="memory ran out"), memory_watched("a trial"):
        raise error


def test_another_failure_is_passed_on() -> None:
    with pytest.raises(RuntimeError, match="shapes do not fit"), memory_watched("a trial"):
        raise RuntimeError("shapes do not fit")
