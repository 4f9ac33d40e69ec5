"""On a graphics card every verb and every method gives what it gives on the processor: `make test-gpu`."""

from pathlib import Path

import numpy as np
import pytest
import torch

import convscope as cs
from tests.contracts.as_found import assert_as_found, snapshot
from tests.contracts.verbs import VERBS
from tests.networks import MODULES, network, noise

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no graphics card here"),
]
CLOSE = 2e-3
"""Of the largest value; convolutions add up in another order there."""


@pytest.mark.parametrize("kind", MODULES)
@pytest.mark.parametrize("verb", VERBS)
def test_the_same_as_on_the_processor(verb: str, kind: str, tmp_path: Path) -> None:
    here, there = network(kind), network(kind)
    there.adapter.root.to("cuda")
    before = snapshot(there)
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    expected = VERBS[verb](here, kind, tmp_path / "here")
    result = VERBS[verb](there, kind, tmp_path / "there")
    assert_as_found(before, snapshot(there))
    assert result.recipe.machine["device"].startswith("cuda")
    result.image()
    assert set(result.arrays) == set(expected.arrays)
    for name, value in expected.arrays.items():
        if np.issubdtype(value.dtype, np.floating):
            scale = CLOSE * max(1e-3, float(np.nanmax(np.abs(value), initial=0)))
            np.testing.assert_allclose(result.arrays[name], value, atol=scale, rtol=0, err_msg=name)
        else:
            np.testing.assert_array_equal(result.arrays[name], value, err_msg=name)


@pytest.mark.parametrize("verb", VERBS)
def test_made_again_to_the_same_pixels(verb: str, tmp_path: Path) -> None:
    results = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        net = network("residual")
        net.adapter.root.to("cuda")
        results.append(VERBS[verb](net, "residual", tmp_path / name))
    for name, value in results[0].arrays.items():
        np.testing.assert_array_equal(results[1].arrays[name], value, err_msg=name)


def test_torch_is_left_as_found() -> None:
    torch.backends.cudnn.allow_tf32 = True
    net = network("residual")
    net.adapter.root.to("cuda")
    list(cs.each(cs.explain, net, noise(n=3)))
    with pytest.raises(cs.ConvscopeError):
        cs.explain(net, noise(), "class:no such class")
    assert torch.backends.cudnn.allow_tf32
    assert not torch.backends.cudnn.deterministic
    assert not torch.are_deterministic_algorithms_enabled()


def test_loaded_there_by_name() -> None:
    net = cs.load_model(network("plain").adapter.root, input=network("plain").spec, device="cuda")
    assert net.device.type == "cuda"
    assert np.isfinite(cs.explain(net, noise()).arrays["map"]).all()
