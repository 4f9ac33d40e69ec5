"""What holds for every verb on every kind of network."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import convscope as cs
from convscope.attribution.table import METHODS
from convscope.verbs.table import VERBS as NAMED
from tests.contracts.as_found import assert_as_found, snapshot
from tests.contracts.verbs import VERBS, WRONG
from tests.networks import DEEP, LABELS, MODULES, SPEC, network, noise, seeded, shared

every_verb = pytest.mark.parametrize("verb", VERBS)
every_kind = pytest.mark.parametrize("kind", MODULES)


def test_the_contracts_cover_every_verb_and_every_method() -> None:
    assert {name.split()[0] for name in VERBS} | {"replay"} == set(NAMED)
    assert {name.split()[-1] for name in VERBS if " by " in name} == set(METHODS)
    assert set(WRONG) == set(VERBS)


@every_kind
@every_verb
def test_network_is_left_as_found(verb: str, kind: str, tmp_path: Path) -> None:
    net = network(kind)
    before = snapshot(net)
    VERBS[verb](net, kind, tmp_path)
    assert_as_found(before, snapshot(net))


@every_kind
@every_verb
def test_network_is_left_as_found_after_a_wrong_argument(verb: str, kind: str, tmp_path: Path) -> None:
    net = network(kind)
    before = snapshot(net)
    with pytest.raises(cs.ConvscopeError) as caught:
        VERBS[verb](net, kind, tmp_path, **WRONG[verb])
    assert "\n" not in str(caught.value)
    assert_as_found(before, snapshot(net))
    assert not list(tmp_path.iterdir())


class _Failing(nn.Module):
    """Works until it is told to fail."""

    def __init__(self) -> None:
        super().__init__()
        self.fails = False

    def forward(self, x: Tensor) -> Tensor:
        if self.fails:
            raise RuntimeError("the network broke")
        return x


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "weights"])
def test_network_is_left_as_found_when_a_layer_raises(verb: str, tmp_path: Path) -> None:
    module = seeded(MODULES["plain"]).train()
    module.head = nn.Sequential(_Failing(), module.head)  # type: ignore[arg-type]
    net = cs.load_model(module, input=SPEC, labels=LABELS)
    net.layers()
    module.head[0].fails = True  # type: ignore[index, union-attr]
    before = snapshot(net)
    with pytest.raises(cs.ConvscopeError, match="the network broke"):
        VERBS[verb](net, "plain", tmp_path)
    assert_as_found(before, snapshot(net))


def test_the_snapshot_sees_what_is_left_behind() -> None:
    """The harness can fail: each thing that could be left behind is noticed."""
    net = network("plain")
    module = net.adapter.modules()["conv1"]
    for change in (
        lambda: module.register_forward_hook(lambda *_: None),
        lambda: module.eval(),
        lambda: next(module.parameters()).requires_grad_(False),
        lambda: torch.rand(1),
        lambda: next(module.parameters()).data.add_(1),
    ):
        before = snapshot(net)
        change()
        with pytest.raises(AssertionError):
            assert_as_found(before, snapshot(net))


@every_kind
@every_verb
def test_same_call_same_bytes(verb: str, kind: str, tmp_path: Path) -> None:
    net = shared(kind)
    first, second = (VERBS[verb](net, kind, tmp_path) for _ in range(2))
    assert first.recipe == second.recipe
    for name in first.arrays:
        assert first.arrays[name].tobytes() == second.arrays[name].tobytes()
    assert first.image().tobytes() == second.image().tobytes()


@every_kind
@every_verb
def test_arrays_are_finite_and_named(verb: str, kind: str, tmp_path: Path) -> None:
    result = VERBS[verb](shared(kind), kind, tmp_path)
    assert result.recipe.verb == verb.split()[0]
    for name, array in result.arrays.items():
        assert len(result.axes[name]) == array.ndim
        assert array.dtype in (np.float32, np.uint8)
        assert np.isfinite(array).all()


@every_kind
@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "report"])
def test_save_and_load_give_the_same(verb: str, kind: str, tmp_path: Path) -> None:
    result = VERBS[verb](shared(kind), kind, tmp_path)
    loaded = cs.load_result(result.save(tmp_path / "result.npz"))
    assert type(loaded) is type(result)
    assert loaded.recipe == result.recipe
    assert loaded.axes == result.axes
    assert set(loaded.arrays) == set(result.arrays)
    for name, array in result.arrays.items():
        assert loaded.arrays[name].dtype == array.dtype
        assert loaded.arrays[name].tobytes() == array.tobytes()
    assert loaded.image().tobytes() == result.image().tobytes()
    picture = cs.load_result(result.save(tmp_path / "result.png"))
    assert picture.image().tobytes() == result.image().tobytes()
    assert picture.recipe == result.recipe


@every_verb
def test_float64_agrees_with_float32(verb: str, tmp_path: Path) -> None:
    module = seeded(MODULES["residual"])
    wide = cs.load_model(copy.deepcopy(module).double(), input=SPEC, labels=LABELS)
    narrow = cs.load_model(module, input=SPEC, labels=LABELS)
    a, b = (VERBS[verb](net, "residual", tmp_path) for net in (wide, narrow))
    for name in a.arrays:
        assert np.allclose(a.arrays[name], b.arrays[name], atol=2e-3 if verb in ("visualize", "report") else 1e-4), name


@every_kind
def test_the_callers_tensor_is_untouched(kind: str) -> None:
    picture = noise().requires_grad_()
    before = picture.detach().clone()
    cs.explain(shared(kind), picture)
    cs.activations(shared(kind), picture)
    assert torch.equal(picture.detach(), before)
    assert picture.requires_grad
    assert picture.grad is None


@every_kind
def test_a_picture_made_in_a_batch_is_the_picture_made_alone(kind: str) -> None:
    net = shared(kind)
    targets = [f"{DEEP[kind]}:{channel}" for channel in range(3)]
    together = cs.visualize(net, targets, steps=4)
    alone = cs.visualize(net, targets[1], steps=4)
    assert np.allclose(together.arrays["images"][1], alone.arrays["images"][0], atol=1e-3)
    assert not np.allclose(together.arrays["images"][0], alone.arrays["images"][0], atol=1e-2)


@every_kind
def test_works_inside_no_grad_and_inference_mode(kind: str) -> None:
    expected = cs.explain(shared(kind), noise()).arrays["map"]
    with torch.no_grad():
        assert np.array_equal(cs.explain(shared(kind), noise()).arrays["map"], expected)
    with torch.inference_mode():
        assert np.array_equal(cs.explain(shared(kind), noise()).arrays["map"], expected)


@every_verb
def test_computes_steadily(verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[cs.Network] = []

    @contextmanager
    def watched(*nets: cs.Network) -> Iterator[None]:
        held.extend(nets)
        yield

    monkeypatch.setattr("convscope.verbs.verb.steady", watched)
    net = shared("plain")
    VERBS[verb](net, "plain", tmp_path)
    assert net in held
