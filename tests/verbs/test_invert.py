"""Inversion: what it matches, what it measures, and that it can be made again."""

from pathlib import Path

import numpy as np
import pytest
import torch

import convscope as cs
from convscope.verbs.invert import similarity
from tests.networks import shared

PHOTOGRAPH = np.random.default_rng(1).random((32, 32, 3)).astype(np.float32)


def test_similarity_is_one_for_the_same_and_none_for_the_opposite() -> None:
    x = np.random.default_rng(0).random((5, 6, 3))
    assert similarity(x, x) == 1
    assert similarity(x, 1 - x) == pytest.approx(0)
    assert similarity(np.full((2, 2, 3), 0.5), np.full((2, 2, 3), 0.5)) == 1
    grey = np.full_like(x, 0.5)
    assert similarity(x, grey) == pytest.approx(0)
    c = x + 0.1
    a, b = x - 0.5, c - 0.5
    assert similarity(x, c) == pytest.approx(
        1 - np.sqrt(((a - b) ** 2).sum()) / (np.linalg.norm(a) + np.linalg.norm(b))
    )


def test_the_value_is_the_distance_of_the_features() -> None:
    net = shared("plain")
    made = cs.invert(net, PHOTOGRAPH, ["conv1", "conv2"], steps=10, tv="without")
    target = torch.from_numpy(PHOTOGRAPH.transpose(2, 0, 1).copy())[None]
    for index, layer in enumerate(("conv1", "conv2")):
        picture = torch.from_numpy(made.arrays["images"][index].transpose(2, 0, 1).copy())[None]
        a, b = (cs.record(net, x, [layer])[layer] for x in (picture, target))
        assert made.arrays["values"][index] == pytest.approx(float((a - b).norm() ** 2 / b.norm() ** 2), rel=1e-3)
        assert made.arrays["similarity"][index] == pytest.approx(similarity(made.arrays["images"][index], PHOTOGRAPH))


def test_more_steps_come_nearer_and_the_input_itself_is_found() -> None:
    net = shared("plain")
    values = [cs.invert(net, PHOTOGRAPH, "conv1", steps=n, tv="without").arrays["values"][0] for n in (5, 60)]
    assert values[1] < 0.3 * values[0]
    found = cs.invert(net, PHOTOGRAPH, "input", steps=200, tv="without", rate=0.2)
    assert found.arrays["similarity"][0] > 0.95


def test_both_ways_stand_beside_each_other() -> None:
    made = cs.invert(shared("plain"), PHOTOGRAPH, ["conv1", "conv2"], steps=20, tv="both", tv_weight=3.0)
    assert made.facts["tv"] == [0, 0, 3, 3]
    assert made.facts["layers"] == ["conv1", "conv2"] * 2

    def restless(picture: np.ndarray) -> float:
        return float(np.abs(np.diff(picture, axis=0)).mean())

    images = made.arrays["images"]
    assert restless(images[3]) < restless(images[1])
    sheet = made.image()
    assert sheet.height > 2 * 32 + 240


def test_a_caricature_overdoes_what_the_layer_saw() -> None:
    net = shared("plain")
    made = cs.invert(net, PHOTOGRAPH, "conv2", caricature=True, steps=20, tv="without")
    assert made.arrays["values"][0] > 1.02


def test_layers_from_early_to_late_unless_named(lite0: cs.Network) -> None:
    from convscope.models.usual_layers import spread_layers

    names = spread_layers(lite0.layers())
    order = [layer.name for layer in lite0.layers()]
    assert len(names) == 5
    assert [order.index(name) for name in names] == sorted(order.index(name) for name in names)
    assert len({lite0.layer(name).shape[1] for name in names}) == 5


@pytest.mark.parametrize("suffix", [".png", ".npz"])
def test_it_replays(tmp_path: Path, photograph: str, suffix: str) -> None:
    net = shared("plain")
    made = cs.invert(net, photograph, "conv*", steps=3, tv="both", seed=2)
    path = made.save(tmp_path / f"a{suffix}")
    assert cs.load_result(path).recipe == made.recipe
    again = cs.replay(path, net=net, image=photograph)
    assert np.array_equal(again.arrays["images"], made.arrays["images"])
    assert again.save(tmp_path / f"b{suffix}").read_bytes() == path.read_bytes()


def test_ctrl_c_keeps_finished_pictures() -> None:
    def stop(news: cs.Progress) -> None:
        if news.done == 7:
            raise KeyboardInterrupt

    with pytest.raises(cs.Stopped, match="stopped after 1 of 2 pictures") as stopped:
        cs.invert(shared("plain"), PHOTOGRAPH, ["conv1", "conv2"], steps=5, watch=stop)
    assert stopped.value.result.facts["layers"] == ["conv1", "conv2"]
    assert "the last one is as far as it was" in stopped.value.result.notes[-1]
    assert stopped.value.result.image().width > 32


@pytest.mark.parametrize("options", [{"steps": 0}, {"rate": 0.0}, {"seed": -1}])
def test_options_that_cannot_be(options: dict[str, object]) -> None:
    with pytest.raises(cs.ConvscopeError, match="expected"):
        cs.invert(shared("plain"), PHOTOGRAPH, "conv1", **options)  # type: ignore[arg-type]
