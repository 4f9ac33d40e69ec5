"""hybrid: altered where the map is hot and nowhere else, whatever the fit; series; what goes wrong; replay."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import convscope as cs
from convscope.errors import Stopped
from convscope.progress import Progress
from tests.networks import PLANTED, Planted, network, noise


def planted(height: int, width: int, y: int, x: int) -> np.ndarray:
    """A faint picture with a square of blue about a place."""
    picture = 0.2 * np.random.default_rng(1).random((height, width, 3)).astype(np.float32)
    side = round(0.1 * min(height, width))
    picture[y - side : y + side, x - side : x + side, 2] = 0.9
    return picture


@pytest.mark.parametrize("fit", ["pad", "stretch", "crop"])
@pytest.mark.parametrize(("height", "width"), [(150, 240), (240, 151), (180, 180)])
def test_the_picture_is_altered_about_the_evidence_at_its_own_size(fit: str, height: int, width: int) -> None:
    torch.manual_seed(0)
    net = cs.load_model(Planted(), input=PLANTED)
    y, x = round(0.6 * height), round(0.4 * width)
    picture = planted(height, width, y, x)
    found = cs.hybrid(net, picture, 2, effect="invert", fit=fit)  # type: ignore[arg-type]
    made = found.arrays["images"][0]
    assert made.shape == picture.shape
    changed = np.abs(made - picture).sum(2)
    ys, xs = np.mgrid[:height, :width]
    middle = (changed * ys).sum() / changed.sum(), (changed * xs).sum() / changed.sum()
    assert middle == pytest.approx((y, x), abs=0.08 * max(height, width))
    assert (changed[:20, -20:] == 0).all(), "what is cold stays to the last bit"
    assert changed.max() > 0.5


def test_a_series_is_a_sheet_of_single_pictures() -> None:
    net = network("plain")
    series = cs.hybrid(net, noise(4), 1, vary={"top": [2, 5], "intensity": [0.5, 1.0, 2.0]}, effect="posterise")
    assert series.arrays["images"].shape[0] == 6
    assert series.facts["captions"][1] == "top 2\nintensity 1"
    assert series.facts["columns"] == 3
    for i, (top, intensity) in enumerate([(2, 0.5), (2, 1.0), (2, 2.0), (5, 0.5), (5, 1.0), (5, 2.0)]):
        alone = cs.hybrid(net, noise(4), 1, top=top, intensity=intensity, effect="posterise")
        assert np.array_equal(alone.arrays["images"][0], series.arrays["images"][i])
    text = cs.hybrid(net, noise(4), 1, vary="top: 2, 5; intensity: 0.5, 1, 2", effect="posterise")
    assert np.array_equal(text.arrays["images"], series.arrays["images"])
    assert text.recipe.options["vary"] == series.recipe.options["vary"]
    assert next(iter(series.pictures())) == "top 2, intensity 0.5"


def test_maps_that_several_share_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from convscope.verbs import variation_maker as home

    asked: list[object] = []
    plain = home.explain
    monkeypatch.setattr(home, "explain", lambda *given, **more: asked.append(more) or plain(*given, **more))
    cs.hybrid(network("plain"), noise(4), 1, vary={"effect": ["blur", "invert", "none"], "top": [2, 3]})
    assert len(asked) == 2


def test_a_mask_serves_dream(tmp_path: Path) -> None:
    net = network("plain")
    picture = noise(5)
    mask = cs.hybrid(net, picture, 1, effect="mask").save(tmp_path / "mask.png")
    dreamt = cs.dream(net, picture, "conv2", mask=str(mask), steps=2, schedule="single").arrays["images"][0]
    cold = np.asarray(Image.open(mask))[..., 0] == 0
    assert cold.any()
    assert np.allclose(dreamt[cold], picture[0].permute(1, 2, 0).numpy()[cold], atol=2e-6)


def test_another_picture_or_a_result_shows_through() -> None:
    net = network("plain")
    white = np.ones((64, 64, 3), dtype=np.float32)
    found = cs.hybrid(net, noise(4), 1, effect="swap", other=white, hot=0, soft=0).arrays["images"][0]
    assert (found == 1).all()
    dreamt = cs.dream(net, noise(4), "conv2", steps=1, schedule="single")
    cs.hybrid(net, noise(4), 1, effect="swap", other=dreamt)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"effect": "swap"}, "give other"), ({"other": noise(1)}, "other is for the effect swap"),
        ({"colours": "purple"}, "expected inferno"),
        ({"vary": "size: 3"}, "vary is of 'size'; expected one of target"), ({"vary": "top"}, "a whole number"),
        ({"vary": "top: 2; lines: 1; hot: 0"}, "one option or two"), ({"vary": {"top": []}}, "no values of top"),
        ({"vary": {"top": "23"}}, "no values of top"), ({"vary": "intensity: 99"}, "0 to 20"),
        ({"vary": "effect: melt"}, "expected one of colours"),
        ({"vary": {"intensity": list(range(65))}}, "at most 64"), ({"intensity": -1}, "0 to 20"),
        ({"top": 2, "method": "occlusion"}, "top is no option of occlusion"), ({"layer": "nope"}, "no layer named"),
        ({"vary": "effect: blur, invert", "other": noise(1)}, "other is for the effect swap"),
        ({"vary": "top: 2; top: 4"}, "names top twice"),
        ({"vary": "ranking: weight, activation"}, "ranking is for top"),
        ({"vary": "target: class:bee, class:nope"}, "no class named 'nope'"),
        ({"vary": {"intensity": list(range(20)), "hot": [0.1, 0.5]}, "size": 8192}, "give a smaller size"),
        ({"effect": "swap", "other": np.ones((30, 90, 3), dtype=np.float32)}, "the other picture is 90x30"),
        ({"image": "no such.jpg"}, "no file"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said(options: dict[str, object], told: str) -> None:
    with pytest.raises(cs.ConvscopeError, match=told):
        cs.hybrid(network("plain"), options.pop("image", noise(1)), 1, **options)  # type: ignore[arg-type]


def test_a_map_with_nothing_hot_is_told() -> None:
    net = network("plain")
    found = cs.hybrid(net, torch.zeros(1, 3, 32, 32), "conv1:0 - conv1:0", effect="invert", layer="conv1")
    assert any("nothing is hot in 1 of 1 maps" in note for note in found.notes)
    assert (found.arrays["images"] == 0).all()


def test_ctrl_c_keeps_the_pictures_that_are_done() -> None:
    def watch(at: Progress) -> None:
        if at.what == "variations" and at.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(Stopped, match="stopped after 2 of 5 pictures") as stopped:
        cs.hybrid(network("plain"), noise(4), 1, vary={"top": [1, 2, 3, 4, 5]}, watch=watch)
    kept = stopped.value.result
    assert kept.arrays["images"].shape[0] == 2
    assert len(kept.facts["captions"]) == 2
    assert any("replay makes all" in note for note in kept.notes)
    kept.image()


@pytest.mark.parametrize("channels", [1, 4])
def test_networks_of_other_channels_alter_the_colours_of_the_photograph(channels: int) -> None:
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(channels, 6, 3)
            self.head = nn.Linear(6, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.conv(x).relu().mean((2, 3)))

    net = cs.load_model(Net(), input=cs.InputSpec(size=24, channels=channels, range=(0, 1), mean=0.0, std=1.0))
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8))
    assert cs.hybrid(net, picture, 1, effect="drain").arrays["images"].shape == (1, 40, 30, 3)


def test_it_replays(tmp_path: Path, photograph: str, lite0: cs.Network) -> None:
    other = tmp_path / "other.png"
    Image.open(photograph).convert("RGB").rotate(180).save(other)
    made = cs.hybrid(
        lite0, photograph, "class:tabby", vary="effect: swap, blur; top: 5, 50", other=str(other), size=120
    )
    file = made.save(tmp_path / "h.png")
    again = cs.replay(file, image=photograph)
    assert np.array_equal(np.asarray(cs.load_result(file).image()), np.asarray(again.image()))
    assert json.dumps(again.recipe.to_dict()) == json.dumps(made.recipe.to_dict())
    back = cs.load_result(made.save(tmp_path / "h.npz"))
    assert np.array_equal(np.asarray(back.image()), np.asarray(made.image()))


@pytest.mark.parametrize("method", ["occlusion", "saliency", "rise", "guided_backprop", "eigen_cam"])
def test_other_methods_make_the_map(method: str) -> None:
    target = None if method == "eigen_cam" else 1
    found = cs.hybrid(network("plain"), noise(4), target, method=method, effect="invert")  # type: ignore[arg-type]
    heat = found.arrays["heat"][0]
    assert heat.max() == pytest.approx(1.0)
    assert heat.min() >= 0
    assert 0.1 < (heat < 0.35).mean() < 1, "some of it is cold, some hot"


@pytest.mark.parametrize("method", ["saliency", "guided_backprop"])
def test_a_target_that_sees_a_small_part_is_hot_there(method: str, lite0: cs.Network, photograph: str) -> None:
    found = cs.hybrid(lite0, photograph, "strongest(blocks.0)", method=method, effect="invert", size=400)
    assert not any("nothing is hot" in note for note in found.notes)
    share = (found.arrays["heat"] > 0.35).mean()
    assert 0.00005 < share < 0.05


def test_targets_by_number_and_a_caption_of_their_names() -> None:
    found = cs.hybrid(network("plain"), noise(1), vary={"target": [np.int64(0), 1], "top": [2]})
    assert found.facts["targets"] == ["class:0", "class:1"]
    assert found.facts["captions"] == ["ant\ntop 2", "bee\ntop 2"]


@pytest.mark.parametrize("shape", [(16, 1600, 3), (1, 40, 3), (40, 1, 3)])
def test_the_thinnest_pictures(shape: tuple[int, int, int]) -> None:
    picture = np.random.default_rng(0).random(shape).astype(np.float32)
    assert cs.hybrid(network("plain"), picture, 1, size=16, lines=3).arrays["images"].shape[3] == 3


# --- which class: that of explain, whatever view the map has -----------------------------------------------------


@pytest.fixture(scope="module")
def wide(photograph: str) -> Image.Image:
    """A cup of coffee in the middle of a wide picture, cats at its sides: the whole is seen as another class."""
    side = Image.open(photograph).convert("RGB").resize((448, 448))
    middle = Image.open(Path(photograph).with_name("coffee.jpg")).convert("RGB").resize((448, 448))
    picture = Image.new("RGB", (3 * 448, 448))
    for i, part in enumerate((side, middle, side)):
        picture.paste(part, (i * 448, 0))
    return picture


def test_every_verb_names_the_same_class(lite0: cs.Network, wide: Image.Image, tmp_path: Path) -> None:
    guess, whole = (lite0.predict(wide, top=1, **fit)[0][0] for fit in ({}, {"fit": "pad"}))  # type: ignore[arg-type]
    assert guess.label != whole.label, "or nothing is shown"
    page = cs.report(lite0, wide, tmp_path, filters=1, filter_steps=1, class_steps=1)
    named = {
        "explain": cs.explain(lite0, wide).facts["target"],
        "hybrid": cs.hybrid(lite0, wide, size=64).facts["targets"][0],
        "compare": cs.compare(lite0, wide, methods="grad_cam", guesses=1).facts["targets"][0],
        "report": f"class:{page.facts['guesses'][0]['index']}",
    }
    assert named == dict.fromkeys(named, f"class:{guess.index}")


def test_where_the_views_disagree_a_note_says_both(lite0: cs.Network, wide: Image.Image) -> None:
    guess, whole = lite0.predict(wide, top=1)[0][0], lite0.predict(wide, top=1, fit="pad")[0][0]
    made = cs.hybrid(lite0, wide, size=64)
    (note,) = [note for note in made.notes if "in the middle" in note]
    assert f"{guess.label} ({100 * guess.probability:.1f} %) in the middle" in note
    assert f"{whole.label} ({100 * whole.probability:.1f} %) in the whole" in note
    asked = cs.hybrid(lite0, wide, guess.index, size=64, fit="pad")
    assert np.array_equal(asked.arrays["images"], made.arrays["images"]), "the map is of the whole"
    assert made.facts["title"] == asked.facts["title"]
    for sure in (
        cs.hybrid(lite0, wide.crop((448, 0, 896, 448)), size=64),
        asked,
        cs.hybrid(lite0, wide, size=64, method="eigen_cam"),
    ):
        assert not any("in the middle" in note for note in sure.notes)


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_a_fit_that_is_given_is_that_of_the_guess(lite0: cs.Network, wide: Image.Image, fit: str) -> None:
    guess = lite0.predict(wide, top=1, fit=fit)[0][0]  # type: ignore[arg-type]
    made = cs.hybrid(lite0, wide, size=64, fit=fit)  # type: ignore[arg-type]
    assert made.facts["targets"] == [f"class:{guess.index}"]
    assert not any("in the middle" in note for note in made.notes)


def test_the_choice_of_the_class_replays(lite0: cs.Network, wide: Image.Image, tmp_path: Path) -> None:
    wide.save(tmp_path / "wide.png")
    for options in ({}, {"fit": "pad"}, {"vary": "method: grad_cam, eigen_cam"}):
        made = cs.hybrid(lite0, tmp_path / "wide.png", size=64, **options)  # type: ignore[arg-type]
        again = cs.replay(made.save(tmp_path / "made.png"))
        assert again.image().tobytes() == made.image().tobytes()
        assert again.facts["targets"] == made.facts["targets"]
        assert again.notes == made.notes
