"""Style transfer: its losses by hand, tiles that share one Gram matrix, where and in whose colours, and replay."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import convscope as cs
from convscope.images.filters import luma
from convscope.models.usual_layers import content_layers_of, style_layers_of
from convscope.models.vgg import VGG16Trunk
from convscope.objectives.expression import Objective, Sum
from convscope.objectives.style import Content, Style, mean_gram
from convscope.synthesis.ascent import SideInputs, value_and_gradient
from convscope.synthesis.images import Raw
from convscope.synthesis.keep_colours import KeepColours
from convscope.synthesis.style_losses import NATURAL_SD, unit_of
from convscope.synthesis.tiles import Tiles
from convscope.synthesis.transforms import Plain
from tests.networks import network, seeded, shared

RANDOM = np.random.default_rng(0)
CONTENT = (RANDOM.random((40, 60, 3)) * 0.5 + 0.25).astype(np.float32)
STRIPES = np.repeat(np.tile([[[0.9, 0.2, 0.1]], [[0.1, 0.3, 0.9]]], (24, 1, 1)), 60, axis=1).astype(np.float32)


def styled(styles: object = STRIPES, **options: object) -> cs.Result:
    return cs.stylize(shared("plain"), CONTENT, styles, **({"steps": 4, "schedule": "single"} | options))  # type: ignore[arg-type]


def tensor(picture: np.ndarray) -> Tensor:
    return torch.from_numpy(picture.transpose(2, 0, 1).copy())[None]


def test_the_layers_of_vgg_are_those_of_the_paper() -> None:
    with torch.random.fork_rng():
        net = cs.load_model(VGG16Trunk(), input=cs.InputSpec(size=64, range=(0, 255), mean=120, std=1))
    assert style_layers_of(net.layers()) == [f"block{i}_relu1" for i in range(1, 6)]
    assert content_layers_of(net.layers(), 1) == ["block4_relu2"]
    assert content_layers_of(net.layers(), 2) == ["block4_relu2", "block5_relu2"]
    assert unit_of(net.spec) == pytest.approx(255 * NATURAL_SD)


def test_the_losses_of_the_paper_by_hand() -> None:
    """Equations 3 (as a mean) to 5 of Gerretsen et al. on the finished picture, the style at the picture's size."""
    net = shared("plain")
    style = STRIPES[:40, :60]
    result = styled(
        style,
        losses="gatys",
        content_layers="relu2",
        style_layers="relu1,relu2",
        decay=0.7,
        content_weight=2.0,
        style_weight=3.0,
        tv_weight=5.0,
    )
    x, c, s = (cs.record(net, tensor(p), ["relu1", "relu2"]) for p in (result.arrays["images"][0], CONTENT, style))
    unit = NATURAL_SD / 0.25
    content = 0.5 * float((x["relu2"] - c["relu2"]).square().mean()) / unit**2
    by_layer = []
    for name in ("relu1", "relu2"):
        a, b = x[name][0].flatten(1), s[name][0].flatten(1)
        n, m = a.shape
        by_layer.append(float((a @ a.T - b @ b.T).square().sum()) / (4 * n**2 * m**2) / unit**4)
    image = result.arrays["images"][0]
    down, across = (np.abs(np.diff(image, axis=axis)).mean() for axis in (0, 1))
    found = result.facts["losses"]
    assert found["content"] == pytest.approx(2 * content, rel=1e-4)
    assert found["style"] == pytest.approx(3 * (by_layer[0] + 0.7 * by_layer[1]), rel=1e-3)
    assert found["total variation"] == pytest.approx(5 * (down + across) / NATURAL_SD, rel=1e-4)
    assert result.arrays["values"][0] == pytest.approx(-sum(found.values()), rel=1e-5)


def test_relative_losses_do_not_depend_on_the_size_of_activations() -> None:
    net, louder = network("plain"), network("plain")
    with torch.no_grad():
        for conv, factor in ((louder.adapter.root.conv1, 100.0), (louder.adapter.root.conv2, 1.0)):
            conv.weight.mul_(factor)
            conv.bias.mul_(100.0)
    louder.adapter.changed()
    options = {"steps": 3, "schedule": "single", "style_layers": "relu1,relu2", "content_layers": "relu2"}
    one, other = (cs.stylize(n, CONTENT, STRIPES, **options) for n in (net, louder))  # type: ignore[arg-type]
    assert np.allclose(one.arrays["images"], other.arrays["images"], atol=1e-3)


def test_style_and_content_weights_pull_where_they_should() -> None:
    kept, painted = (
        styled(steps=60, picture="pixels", style_weight=weight).arrays["images"][0] for weight in (0.0, 1000.0)
    )
    net = shared("plain")
    wanted = mean_gram(cs.record(net, tensor(STRIPES), ["relu1"])["relu1"])

    def off(picture: np.ndarray) -> float:
        return float((mean_gram(cs.record(net, tensor(picture), ["relu1"])["relu1"]) - wanted).norm() / wanted.norm())

    assert off(painted) < 0.4 * off(CONTENT)
    assert np.abs(kept - CONTENT).mean() < 0.3 * np.abs(painted - CONTENT).mean()


def pointwise() -> cs.Network:
    """A network of single pixels, for which tiles have no edges."""
    module = seeded(lambda: nn.Sequential(nn.Conv2d(3, 6, 1), nn.Tanh(), nn.Conv2d(6, 4, 1), nn.Tanh()))
    return cs.load_model(module, input=cs.InputSpec(size=32, range=(0, 1), mean=0.5, std=0.25))


def test_tiles_share_the_gram_matrix_of_the_whole() -> None:
    net = pointwise()
    generator = torch.Generator().manual_seed(1)
    pictures, companion = torch.rand(1, 3, 90, 70, generator=generator), torch.rand(1, 3, 90, 70, generator=generator)
    guides = torch.rand(1, 3, 90, 70, generator=generator)
    given = torch.rand(4, 4, generator=generator)
    objective: list[Objective] = [
        Sum((Style("3", given, 2.0), Style("1", torch.eye(6), 1.5, 0, 0.5), Content("3", None, 3.0)))
    ]
    side = SideInputs(companion, guides)
    whole = value_and_gradient(net, objective, pictures, Plain(), torch.Generator(), side=side)
    tiled = value_and_gradient(net, objective, pictures, Tiles(32), torch.Generator().manual_seed(5), side=side)
    assert torch.allclose(whole[0], tiled[0], rtol=1e-4)
    assert torch.allclose(whole[1], tiled[1], rtol=1e-3, atol=1e-8)
    assert whole[1].abs().max() > 1e-5


def test_what_is_made_in_tiles_is_nearly_what_is_made_whole() -> None:
    net = pointwise()
    one, other = (
        cs.stylize(
            net, CONTENT, STRIPES, size=96, steps=5, schedule="single", style_layers="1", content_layers="3", tile=tile
        ).arrays["images"]
        for tile in (64, 128)
    )
    assert np.allclose(one, other, atol=2e-3)


def test_two_styles_alike_are_one_and_shares_decide() -> None:
    grey = np.full((48, 48, 3), 0.5, np.float32)
    one = styled().arrays["images"]
    assert np.allclose(styled([STRIPES, STRIPES]).arrays["images"], one, atol=1e-4)
    assert np.allclose(styled([STRIPES, grey], shares=[7, 0]).arrays["images"], one, atol=1e-6)
    assert np.abs(styled([STRIPES, grey], shares=[1, 1]).arrays["images"] - one).mean() > 1e-3


def test_where_the_mask_is_black_the_photograph_stays() -> None:
    mask = np.zeros((40, 60), np.float32)
    mask[:, 30:] = 1
    image = styled(mask=mask, steps=15).arrays["images"][0]
    assert np.allclose(image[:, :30], CONTENT[:, :30], atol=2e-3)
    assert np.abs(image[:, 30:] - CONTENT[:, 30:]).mean() > 0.02


def test_regions_hold_each_style_to_its_place() -> None:
    net = pointwise()
    left, right = np.zeros((40, 60), np.float32), np.zeros((40, 60), np.float32)
    left[:, :30], right[:, 30:] = 1, 1
    red, blue = (np.tile(np.array(colour, np.float32), (32, 32, 1)) for colour in ([0.8, 0.2, 0.2], [0.2, 0.2, 0.8]))
    image = cs.stylize(
        net,
        CONTENT,
        [red, blue],
        regions=[left, right],
        steps=80,
        schedule="single",
        content_weight=0.0,
        style_layers="1,3",
        style_weight=100.0,
    ).arrays["images"][0]
    halves = image[:, :28].mean((0, 1)), image[:, 32:].mean((0, 1))
    assert halves[0][0] - halves[0][2] > 0.2
    assert halves[1][2] - halves[1][0] > 0.2


def test_the_contents_colours_are_kept() -> None:
    image = styled(colours="content", steps=12).arrays["images"][0]
    inside = (image > 0.001).all(-1) & (image < 0.999).all(-1)
    weights = np.array([0.299, 0.587, 0.114])
    chroma = [picture - (picture @ weights)[..., None] for picture in (image, CONTENT)]
    assert inside.mean() > 0.9
    assert np.allclose(chroma[0][inside], chroma[1][inside], atol=1e-3)
    assert np.abs(image - CONTENT).mean() > 0.01


def test_recoloured_by_hand() -> None:
    photograph, inner = torch.rand(1, 3, 4, 5), Raw(1, 3, (4, 5))
    inner.encode(torch.full((1, 3, 4, 5), 0.5))
    made = KeepColours(inner, photograph)()
    free = photograph - luma(photograph) + 0.5
    assert torch.allclose(made, free.clamp(0, 1), atol=1e-6)


@pytest.mark.parametrize("options", [{"optimiser": "lbfgs", "steps": 6}, {"preset": "gerretsen"}, {"start": "noise"}])
def test_the_loss_goes_down(options: dict[str, object]) -> None:
    few, many = (styled(**(options | {"steps": n})).arrays["values"][0] for n in (1, 25))
    assert many > few


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"styles": []}, "no style was given"),
        ({"styles": "no such file.jpg"}, "no such file"),
        ({"shares": [1, 2]}, "shares is .* for 1 style"),
        ({"shares": [0]}, "not all 0"),
        ({"regions": [CONTENT, CONTENT]}, "regions has 2 pictures for 1 styles"),
        ({"style_layers": "conv9"}, "conv9"),
        ({"preset": "mine"}, "mine"),
        ({"tv_weight": -1.0}, "tv_weight is -1"),
        ({"scale": 9.0}, "scale is 9"),
        ({"steps": 0}, "steps is 0"),
    ],
)
def test_what_cannot_be_is_said(options: dict[str, object], told: str) -> None:
    given = {"styles": STRIPES} | options
    with pytest.raises(cs.ConvscopeError, match=told):
        styled(**given)


def test_ctrl_c_keeps_what_is_done() -> None:
    def stop(news: cs.Progress) -> None:
        assert news.now is not None
        assert news.now().shape[0] == 1
        if news.done == 3:
            raise KeyboardInterrupt

    with pytest.raises(cs.Stopped, match="stopped after 3 of 8 steps") as stopped:
        styled(schedule="octaves(2,2)", watch=stop)
    assert stopped.value.result.arrays["images"].shape == (1, 40, 60, 3) or stopped.value.result.arrays["images"].size


def test_a_style_transfer_of_files_replays(tmp_path: Path, photograph: str) -> None:
    net = shared("plain")
    files = {}
    for name, picture in (("one", STRIPES), ("two", CONTENT), ("region", CONTENT[..., :1]), ("mask", STRIPES[..., :1])):
        files[name] = str(tmp_path / f"{name}.png")
        whole = Image.fromarray((picture.squeeze() * 255).astype(np.uint8))
        (whole.resize((60, 40)) if name in ("region", "mask") else whole).save(files[name])
    made = cs.stylize(
        net,
        photograph,
        [files["one"], files["two"]],
        shares=[2, 1],
        regions=[files["region"]] * 2,
        mask=files["mask"],
        size=80,
        steps=2,
        seed=3,
        colours="content",
    )
    path = made.save(tmp_path / "s.png")
    again = cs.replay(path, net=net, image=photograph)
    assert np.array_equal(again.arrays["images"], made.arrays["images"])
    assert again.save(tmp_path / "t.png").read_bytes() == path.read_bytes()
    Image.fromarray((CONTENT * 255).astype(np.uint8)).save(files["one"])
    with pytest.raises(cs.ConvscopeError, match="not that of the recipe"):
        cs.replay(path, net=net, image=photograph)


class TwoSizes(nn.Module):
    """A network that needs even sides, as those do that scale down and up again."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Conv2d(3, 6, 3, padding=1)
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        small = nn.functional.avg_pool2d(x, 2)
        return self.act(self.inner(x)) + nn.functional.interpolate(small, scale_factor=2).mean(1, keepdim=True)


def test_a_network_that_does_not_run_at_every_size_is_shown_its_own() -> None:
    net = cs.load_model(seeded(TwoSizes), input=cs.InputSpec(size=32, range=(0, 1), mean=0.5, std=0.25))
    result = cs.stylize(net, CONTENT, STRIPES, size=75, steps=2, schedule="octaves(2,2)")
    assert result.arrays["images"].shape == (1, 50, 75, 3)
    fixed = cs.load_model(
        seeded(TwoSizes), input=cs.InputSpec(size=96, range=(0, 1), mean=0.5, std=0.25, fixed_size=True)
    )
    made = cs.stylize(fixed, CONTENT, STRIPES, steps=2, tile=64)
    assert any("saw all at 96x96" in note for note in made.notes)


def test_large_pictures_are_never_shown_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    net = pointwise()
    seen: list[int] = []
    run = cs.Network.run

    def noted(self: cs.Network, images: Tensor, *given: object, **options: object) -> object:
        seen.append(max(images.shape[-2:]))
        return run(self, images, *given, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(cs.Network, "run", noted)
    cs.stylize(net, CONTENT, STRIPES, size=200, steps=1, tile=64, style_layers="1", content_layers="3")
    assert max(seen) == 64


def test_half_of_the_strength_stays_half_over_all_sizes() -> None:
    options = {
        "style_weight": 0.0,
        "content_weight": 0.0,
        "tv_weight": 0.0,
        "steps": 1,
        "start": "style",
        "strength": 0.5,
    }
    grey = np.full((48, 48, 3), 0.5, np.float32)
    for schedule in ("single", "octaves(3,2)"):
        image = styled(grey, schedule=schedule, **options).arrays["images"][0]
        assert np.allclose(image, 0.5 * CONTENT + 0.25, atol=0.01), schedule


def test_it_works_where_no_gradients_are_wanted() -> None:
    with torch.inference_mode():
        inside = styled(regions=[np.ones((40, 60), np.float32)], mask=np.ones((40, 60), np.float32)).arrays["images"]
        cs.dream(shared("plain"), CONTENT, "conv2", steps=1, strength=0.5)
    assert np.allclose(inside, styled(regions=np.ones((40, 60), np.float32)).arrays["images"], atol=1e-4)


def test_a_black_region_is_told() -> None:
    white, black = np.ones((40, 60), np.float32), np.zeros((40, 60), np.float32)
    assert any(
        "region of style 2 is black" in note for note in styled([STRIPES, STRIPES], regions=[white, black]).notes
    )


def test_a_picture_made_ready_is_refused() -> None:
    with pytest.raises(cs.ConvscopeError, match="made ready for a network"):
        cs.dream(shared("plain"), shared("plain").photograph(CONTENT), "conv2")


def test_fused_activations_have_the_layers_of_the_paper_too() -> None:
    import keras

    layers = keras.layers
    start = x = layers.Input((64, 64, 3))
    for block in range(1, 6):
        for conv in range(1, 4 if block > 2 else 3):
            x = layers.Conv2D(4, 3, padding="same", activation="relu", name=f"block{block}_conv{conv}")(x)
        x = layers.MaxPooling2D(name=f"block{block}_pool")(x)
    net = cs.load_model(keras.Model(start, x), input=cs.InputSpec(size=64, range=(0, 255), mean=120, std=1))
    assert style_layers_of(net.layers()) == [f"block{i}_conv1" for i in range(1, 6)]
    assert content_layers_of(net.layers(), 1) == ["block4_conv2"]
