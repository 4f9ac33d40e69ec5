"""What visualize offers beyond a picture: starts, images, optimisers, schedules, variants, frames, presets."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import nn

import convscope as cs
from convscope.synthesis.stages import PARAMETERISATIONS
from convscope.synthesis.starts import STARTS
from convscope.verbs.presets import VISUALIZE
from tests.networks import network, noise, seeded, shared


def made(**options: object) -> cs.Result:
    return cs.visualize(shared("plain"), "conv2:1", **({"steps": 8, "views": "plain"} | options))  # type: ignore[arg-type]


@pytest.mark.parametrize("image", PARAMETERISATIONS)
def test_every_kind_of_image_climbs(image: str) -> None:
    rate = 0.005 if image == "raw" else 0.05
    first = made(image=image, rate=rate, steps=1).arrays["values"][0]
    assert made(image=image, rate=rate, steps=15).arrays["values"][0] > first


@pytest.mark.parametrize("optimiser", ["adam", "nadam", "rmsprop", "sgd", "lbfgs"])
def test_every_optimiser_climbs(optimiser: str) -> None:
    options = {"image": "pixels", "optimiser": optimiser, "rate": 50.0 if optimiser == "sgd" else 0.05}
    if optimiser == "lbfgs":
        options["rate"] = 1.0
    assert made(**options, steps=15).arrays["values"][0] > made(**options, steps=1).arrays["values"][0]


def test_lbfgs_makes_each_picture_as_if_alone() -> None:
    options = {"optimiser": "lbfgs", "rate": 0.5, "steps": 5, "views": "plain", "image": "pixels"}
    both = cs.visualize(shared("plain"), "conv2:1-2", **options)  # type: ignore[arg-type]
    alone = cs.visualize(shared("plain"), "conv2:2", **options)  # type: ignore[arg-type]
    assert np.array_equal(both.arrays["images"][1], alone.arrays["images"][0])


@pytest.mark.parametrize("start", STARTS)
def test_every_start_is_what_it_says(start: str) -> None:
    image = made(start=start, steps=1, rate=1e-6, image="raw", optimiser="sgd", frames="0").arrays["frames"][0, 0] / 255
    mean, sd = {
        "noise": (0.5, 0.02),
        "grey": (0.5, 0),
        "blank": (1, 0),
        "black": (0, 0),
        "uniform": (0.5, 20 / 255 / 12**0.5),
        "normal": (0.5, 0.1),
        "random": (0.5, 12**-0.5),
        "gradient": (0.5, 0.2),
    }[start]
    assert image.mean() == pytest.approx(mean, abs=0.02)
    assert image.std() == pytest.approx(sd, abs=0.02)


def test_frames_are_the_pictures_after_those_steps() -> None:
    result = made(frames="0,3,8", image="raw", rate=0.01)
    assert result.facts["frames"] == [0, 3, 8]
    assert result.axes["frames"] == ("f", "n", "h", "w", "c")
    assert result.arrays["frames"].dtype == np.uint8
    last = np.round(result.arrays["images"] * 255).astype(np.uint8)
    assert np.array_equal(result.arrays["frames"][-1], last)
    third = made(steps=3, image="raw", rate=0.01).arrays["images"]
    assert np.array_equal(result.arrays["frames"][1], np.round(third * 255).astype(np.uint8))
    assert made(frames="every 3", image="raw").facts["frames"] == [0, 3, 6, 8]
    assert len(made(frames="all", image="raw").facts["frames"]) == 9


@pytest.mark.parametrize("frames", ["9", "a", "every 0", "-1", ""])
def test_frames_that_cannot_be(frames: str) -> None:
    with pytest.raises(cs.ConvscopeError, match="frames"):
        made(frames=frames)


def test_frames_of_several_stages_have_the_final_size() -> None:
    result = made(schedule="octaves(2,1.5)", steps=2, frames="all")
    assert result.arrays["frames"].shape == (5, 1, 32, 32, 3)


def test_a_penalty_is_pursued_and_not_counted() -> None:
    free = made(steps=20, image="pixels")
    calm = made(steps=20, image="pixels", penalty="100*tv()")

    def variation(result: cs.Result) -> float:
        return float(np.abs(np.diff(result.arrays["images"][0], axis=0)).mean())

    assert variation(calm) < 0.5 * variation(free)
    assert calm.recipe.options["target"] == ["conv2:1"]


def test_variants_differ_and_each_drives_the_target() -> None:
    net = shared("plain")
    result = cs.visualize(net, "conv2:1", variants=3, steps=20, views="plain")
    images = result.arrays["images"]
    assert images.shape[0] == 3
    assert result.facts["captions"] == ["conv2:1 · 1", "conv2:1 · 2", "conv2:1 · 3"]
    for i in range(3):
        assert np.abs(images[i] - images[i - 1]).mean() > 0.02
    start = cs.visualize(net, "conv2:1", steps=1, views="plain").arrays["values"][0]
    assert (result.arrays["values"] > start).all()


@pytest.mark.parametrize("kind", ["plain", "residual"])
@pytest.mark.parametrize("preset", VISUALIZE)
def test_every_preset_runs_and_its_recipe_says_all(preset: str, kind: str) -> None:
    result = cs.visualize(shared(kind), "class:bee", preset=preset, steps=2)
    plain = VISUALIZE[preset].plain if kind == "plain" else {}
    said = {**VISUALIZE[preset].options, **plain, "steps": 2, "preset": preset}
    said["views"] = "crops(2,192)" if said["views"] == "auto(2,192)" else said["views"]
    assert {name: result.recipe.options[name] for name in said} == said


def test_a_wrong_preset_has_near_matches() -> None:
    with pytest.raises(cs.ConvscopeError, match="near matches: gerretsen"):
        made(preset="gerrets")


def test_raw_pixels_with_plain_steps_are_gradient_ascent() -> None:
    """One step by hand: the start plus the rate times the gradient over its root mean square, cut to [0,1]."""
    import torch

    net = network("plain")
    start = np.linspace(0.2, 0.8, 32 * 32 * 3, dtype=np.float32).reshape(32, 32, 3)
    result = cs.visualize(
        net, "conv2:1", start=start, image="raw", optimiser="sgd", gradient="rms", rate=0.01, steps=1, views="plain"
    )
    x = torch.from_numpy(start.transpose(2, 0, 1))[None].requires_grad_()
    (gradient,) = torch.autograd.grad(cs.record(net, x, ["conv2"])["conv2"][:, 1].mean(), x)
    wanted = (x + 0.01 * gradient / gradient.square().mean().sqrt()).clamp(0, 1).detach()[0].permute(1, 2, 0).numpy()
    assert np.allclose(result.arrays["images"][0], wanted, atol=1e-5)


def test_the_magnitude_of_photographs_replays(tmp_path: Path, photograph: str) -> None:
    net = shared("plain")
    made = cs.visualize(net, "conv2:1", image="phase", magnitude=[photograph], steps=3, size=24)
    path = made.save(tmp_path / "f.png")
    assert np.array_equal(cs.replay(path, net=net, files=True).arrays["images"], made.arrays["images"])
    plain = cs.visualize(net, "conv2:1", image="phase", steps=3, size=24)
    assert not np.allclose(plain.arrays["images"], made.arrays["images"], atol=0.02)
    with pytest.raises(cs.ConvscopeError, match="magnitude is of parameterisation='phase'"):
        cs.visualize(net, "conv2:1", magnitude=[photograph])


def test_values_stand_beside_those_of_photographs(tmp_path: Path, photograph: str) -> None:
    net = shared("plain")
    pictures = [np.random.default_rng(i).random((32, 32, 3)).astype(np.float32) for i in range(20)]
    targets = ["conv2:1", "class:bee"]
    facts = cs.visualize(net, targets, steps=3, real=pictures).facts
    for index, target in enumerate(targets):
        objective = cs.parse_target(target).bind(net)
        seen = [float(objective.value(cs.record(net, net.photograph(p).tensor(), objective.taps()))) for p in pictures]
        assert facts["real"] == 20
        assert facts["real_most"][index] == pytest.approx(max(seen), rel=1e-5)
        assert facts["real_middle"][index] == pytest.approx(np.median(seen), rel=1e-5)
    folder = tmp_path / "some"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(Path(photograph).read_bytes())
    (folder / "notes.txt").write_text("no picture")
    made = cs.visualize(net, "conv2:1", steps=2, real=str(folder))
    assert made.facts["real"] == 1
    path = made.save(tmp_path / "f.png")
    assert cs.replay(path, net=net).save(tmp_path / "g.png").read_bytes() == path.read_bytes()
    (folder / "a.jpg").unlink()
    with pytest.raises(cs.ConvscopeError, match="has no picture"):
        cs.visualize(net, "conv2:1", real=str(folder))


def test_targets_of_several_depths_are_each_looked_at_as_suits_them() -> None:
    net = shared("plain")
    together = cs.visualize(net, ["conv1:3", "class:bee", "class:ant"], steps=3)
    assert [transform["kind"] for transform in together.facts["transform"]] == ["wobble", "crops"]
    for index, target in enumerate(["conv1:3", "class:bee", "class:ant"]):
        alone = cs.visualize(net, target, steps=3, size=32)
        assert np.allclose(alone.arrays["images"][0], together.arrays["images"][index], atol=1e-4), target


def test_what_is_left_of_a_mixed_call_replays(tmp_path: Path) -> None:
    net = cs.load_model(network("plain").adapter.root, input=cs.InputSpec(size=150, range=(0, 1), mean=0.5, std=0.25))

    def stop(news: cs.Progress) -> None:
        told.append((news.done, news.total))
        if news.done == 5:
            raise KeyboardInterrupt

    told: list[tuple[int, int]] = []
    with pytest.raises(cs.Stopped) as stopped:
        cs.visualize(net, ["conv1:3", "class:2"], steps=3, watch=stop)
    left = stopped.value.result
    path = left.save(tmp_path / "f.npz")
    assert left.arrays["images"].shape == (1, 150, 150, 3)
    assert [done for done, _ in told] == [1, 2, 3, 4, 5]
    assert np.array_equal(cs.replay(path, net=net).arrays["images"], left.arrays["images"])


@pytest.mark.parametrize("start", ["grey", "random"])
def test_variants_differ_whatever_the_start(start: str) -> None:
    images = cs.visualize(shared("plain"), "conv2:1", variants=2, start=start, steps=4).arrays["images"]
    assert np.abs(images[0] - images[1]).mean() > 1e-3


def test_a_channel_of_a_dense_layer_in_a_network_of_one_size() -> None:
    module = seeded(lambda: nn.Sequential(nn.Conv2d(3, 4, 5, 2), nn.Flatten(), nn.Linear(4 * 126 * 126, 8), nn.ReLU()))
    net = cs.load_model(module, input=cs.InputSpec(size=256, range=(0, 1), mean=0.5, std=0.25))
    assert np.isfinite(cs.visualize(net, "2:3", steps=2).arrays["values"]).all()


def test_what_was_chosen_for_the_target_is_in_the_recipe() -> None:
    net = shared("plain")
    for target in ("class:bee", "conv1:2", ["class:bee", "class:ant"]):
        made = cs.visualize(net, target, steps=1)
        assert made.recipe.options["views"] in ("crops(2,192)", "wobble")
        assert made.recipe.options["size"] == min(made.arrays["images"].shape[1:3])
        again = cs.visualize(net, target, steps=1, views=made.recipe.options["views"], size=made.recipe.options["size"])
        assert np.array_equal(made.arrays["images"], again.arrays["images"])
        assert again.recipe == made.recipe


def test_photographs_to_compare_with_may_be_a_folder_a_pattern_or_a_list_of_these(tmp_path: Path) -> None:
    net = shared("plain")
    for i in range(3):
        Image.fromarray((noise(i)[0].permute(1, 2, 0).numpy() * 255).astype("uint8")).save(tmp_path / f"{i}.png")
    found = [
        cs.visualize(net, "conv2:1", steps=1, size=32, real=real).facts["real_most"]
        for real in (tmp_path, [str(tmp_path)], f"{tmp_path}/*.png", [tmp_path / f"{i}.png" for i in range(3)])
    ]
    assert all(one == found[0] for one in found)


def test_without_damped_branches_the_rates_are_those_of_plain_networks() -> None:
    residual = shared("residual")
    for options in ({"branches": 1.0}, {}):
        made = cs.visualize(residual, "class:bee", steps=1, **options)  # type: ignore[arg-type]
        assert made.recipe.options["lr"] == (0.05 if options else 0.1)
    assert cs.visualize(residual, "class:bee", steps=1, lr=0.02).recipe.options["lr"] == 0.02


def test_crops_by_number_and_size() -> None:
    made = cs.visualize(shared("plain"), "class:bee", steps=1, views="crops(3,16)")
    assert list(made.facts.transform["size"]) == [16, 16]
    assert (made.facts.transform["looks"], made.recipe.options["views"]) == (3, "crops(3,16)")
