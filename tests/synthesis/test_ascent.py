"""The loop climbs, stops, and gives each picture its own objective."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import convscope as cs
from convscope.objectives.text import parse_target
from convscope.synthesis.ascent import ascend, evaluate
from convscope.synthesis.images import Fourier, Pixels
from convscope.synthesis.transforms import Crops, Plain
from convscope.taps.batching import BUDGET, MOST, pictures_at_once
from convscope.taps.tap import SCORES_TAP, Tap
from tests.networks import DEEP, MODULES, SPEC, noise, seeded, shared


@pytest.mark.parametrize("kind", MODULES)
def test_every_target_rises(kind: str) -> None:
    net = shared(kind)
    deep = DEEP[kind]
    grey = cs.record(net, torch.full((1, 3, 32, 32), 0.5), [deep])[deep][0, :, 3, 4]
    for text in (
        f"{deep}:2",
        f"{deep}:{int(grey.argmax())}@3,4",
        deep,
        "class:bee",
        "p:bee",
        "class:bee - 0.1*tv() - 0.1*lp(6)",
    ):
        start, end = (_reached(net, text, steps) for steps in (1, 12))
        assert end > start, text


def _reached(net: cs.Network, text: str, steps: int) -> float:
    return float(cs.visualize(net, text, steps=steps, views="plain", rate=0.02).arrays["values"][0])


def test_one_plain_step_is_adam_on_the_gradient() -> None:
    """The first step of Adam moves each parameter by the rate along the sign of its gradient."""
    net = shared("plain")
    objective = parse_target("conv1:1").bind(net)
    image = Pixels(1, 3, (32, 32))
    image.encode(0.1 + 0.8 * noise())
    before = image.values.detach().clone()
    pictures = image().detach().requires_grad_()
    gradient = torch.autograd.grad(cs.record(net, pictures, ["conv1"])["conv1"][:, 1].mean(), pictures)[0]
    optimiser = torch.optim.Adam(image.parameters(), lr=0.05)
    step = next(ascend(net, [objective], image, optimiser, transform=Plain(), steps=1, generator=torch.Generator()))
    moved = image.values.detach() - before
    steep = gradient.abs() > 1e-4
    assert steep.float().mean() > 0.9
    assert torch.allclose(moved[steep], 0.05 * gradient.sign()[steep], atol=1e-3)
    assert bool(step.moved.all())


def test_value_over_looks_is_their_mean() -> None:
    net = shared("plain")
    objectives = [parse_target("conv2:1").bind(net), parse_target("class:2 - 2*tv()").bind(net)]
    crops = Crops(views=3, size=(24, 24))
    pictures = noise(n=2)
    got = evaluate(net, objectives, pictures, crops, torch.Generator().manual_seed(0))
    views = crops(pictures, torch.Generator().manual_seed(0))
    recorded = cs.record(net, views, ["conv2", "scores"])
    first = recorded["conv2"][:3, 1].mean()
    tv = (pictures[1:].diff(dim=2).abs().mean() + pictures[1:].diff(dim=3).abs().mean()) * 2
    second = recorded.scores[3:, 2].mean() - tv
    assert torch.allclose(got, torch.stack([first, second]), atol=1e-5)


class Blocked(nn.Module):
    """A unit that is silent whatever it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.act = nn.Conv2d(3, 2, 1), nn.ReLU()
        nn.init.constant_(self.conv.bias, -100.0)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.conv(x)).mean((2, 3))


def test_a_silent_unit_is_told() -> None:
    net = cs.load_model(seeded(Blocked), input=SPEC)
    result = cs.visualize(net, ["act:0", "conv:1"], steps=2)
    assert [note for note in result.notes if "act:0: silent at the start" in note and "redirected" in note]
    assert not [note for note in result.notes if "conv:1" in note]


class Cut(nn.Module):
    """A unit that no gradient can reach by any rule."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.dead = nn.Conv2d(3, 2, 1), nn.Hardshrink(1e6)

    def forward(self, x: Tensor) -> Tensor:
        return self.dead(self.conv(x)).mean((2, 3))


def test_a_unit_that_stays_silent_is_told() -> None:
    net = cs.load_model(seeded(Cut), input=SPEC)
    result = cs.visualize(net, "dead:0", steps=2)
    assert [note for note in result.notes if "no gradient ever reached the picture of dead:0" in note]


class Asleep(nn.Module):
    """Channel 0 wakes where red is above .8; a grey picture gives its rectifier nothing."""

    def __init__(self, act: nn.Module) -> None:
        super().__init__()
        self.conv, self.act = nn.Conv2d(3, 2, 1), act
        with torch.no_grad():
            self.conv.weight.zero_()
            self.conv.weight[0, 0] = 1
            self.conv.bias.copy_(torch.tensor([-0.8, 0.0]))

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.conv(x)).mean((2, 3))


@pytest.mark.parametrize("act", [nn.ReLU(), nn.ReLU(inplace=True), nn.ReLU6(), nn.Hardtanh(0, 9)])
def test_a_unit_that_is_silent_at_the_start_wakes_up(act: nn.Module) -> None:
    spec = cs.InputSpec(size=(32, 32), range=(0, 1), mean=0, std=1)
    net = cs.load_model(Asleep(act), input=spec)
    result = cs.visualize(net, "act:0", steps=40, rate=0.2, start="grey", image="pixels", views="plain")
    assert float(result.arrays["values"][0]) > 0.01
    red, green = result.arrays["images"][0, ..., 0].mean(), result.arrays["images"][0, ..., 1].mean()
    assert red > 0.8 > green


def test_a_value_that_is_not_finite_ends_it() -> None:
    class Exploding(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 2, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(x).mean((2, 3)) / 0

    net = cs.load_model(seeded(Exploding), input=SPEC)
    with pytest.raises(cs.ConvscopeError, match=r"not finite"):
        cs.visualize(net, "class:0", steps=2)


def test_ctrl_c_keeps_what_is_done_and_it_replays() -> None:
    net = shared("plain")

    def impatient(news: cs.Progress) -> None:
        if news.done == 5:
            raise KeyboardInterrupt

    with pytest.raises(cs.Stopped, match="stopped after step 5 of 40") as caught:
        cs.visualize(net, "conv2:1", steps=40, watch=impatient)
    kept = caught.value.result
    assert kept.recipe.options["steps"] == 5
    assert np.array_equal(kept.arrays["images"], cs.visualize(net, "conv2:1", steps=5).arrays["images"])


def test_ctrl_c_before_anything_is_done() -> None:
    def at_once(news: cs.Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(cs.Stopped) as caught:
        cs.visualize(shared("plain"), "conv2:1", steps=4, watch=at_once)
    assert caught.value.result.recipe.options["steps"] == 1


def test_the_loop_is_an_iterator_that_can_be_left_and_taken_up() -> None:
    net = shared("plain")
    objective = parse_target("conv2:1").bind(net)

    def fresh() -> tuple[Fourier, torch.optim.Optimizer, torch.Generator]:
        generator = torch.Generator().manual_seed(0)
        image = Fourier(1, 3, (32, 32))
        image.add_noise(0.01, generator)
        return image, torch.optim.Adam(image.parameters(), lr=0.05), generator

    def run(image: Fourier, optimiser: torch.optim.Optimizer, generator: torch.Generator, steps: int) -> None:
        crops = Crops(views=2, size=(24, 24))
        for _ in ascend(net, [objective], image, optimiser, transform=crops, steps=steps, generator=generator):
            pass

    whole, parts = fresh(), fresh()
    run(*whole, 6)
    run(*parts, 2)
    run(*parts, 4)
    assert torch.equal(whole[0]().detach(), parts[0]().detach())


def test_batches_are_bounded_by_memory() -> None:
    net = shared("plain")
    assert pictures_at_once(net, [Tap("conv1")], 1, (32, 32)) == MOST
    huge = pictures_at_once(net, [SCORES_TAP], 4, (2048, 2048))
    assert huge == 1
    shallow = pictures_at_once(net, [Tap("conv1")], 1, (1024, 1024))
    deep = pictures_at_once(net, [SCORES_TAP], 1, (1024, 1024))
    assert shallow > deep >= 1
    numbers = 3 * 32 * 32 + 8 * 32 * 32
    assert shallow == int(BUDGET / (numbers * 1024 * 4 * 1.5))


def test_many_pictures_are_made_in_several_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    net = shared("plain")
    whole = cs.visualize(net, "conv1:0-6", steps=2)
    monkeypatch.setattr("convscope.synthesis.batches.pictures_at_once", lambda *_: 3)
    news: list[cs.Progress] = []
    parts = cs.visualize(net, "conv1:0-6", steps=2, watch=news.append)
    assert np.allclose(whole.arrays["images"], parts.arrays["images"], atol=1e-4)
    assert [(one.done, one.total) for one in news] == [(i, 6) for i in range(1, 7)]


def test_starts(photograph: str) -> None:
    net = shared("plain")
    grey = cs.visualize(net, "conv1:0", start="grey", steps=1, rate=1e-6).arrays["images"]
    assert np.allclose(grey, 0.5, atol=1e-3)
    seen = cs.visualize(net, "conv1:0", start=photograph, steps=1, rate=1e-6, size=32)
    expected = net.photograph(photograph).pixels.clip(1e-3, 1 - 1e-3)
    assert np.allclose(seen.arrays["images"][0], expected, atol=2e-3)
    assert "start" in seen.recipe.inputs
    assert "start" not in seen.recipe.options
    with pytest.raises(cs.ConvscopeError, match="start is 'nosie'; expected one of noise, grey"):
        cs.visualize(net, "conv1:0", start="nosie")


@pytest.mark.parametrize("views", ["auto", "crops", "plain"])
def test_the_last_neuron_of_a_map_can_be_asked_for(views: str) -> None:
    """Its place exists only at the network's own size, however the picture is looked at."""
    net = cs.load_model(seeded(MODULES["residual"]), input=cs.InputSpec(size=150, range=(0, 1), mean=0.5, std=0.25))
    rows, columns = net.layer("conv").shape[1:]
    made = cs.visualize(net, f"2*conv:1@{rows - 1},{columns - 1} - 0.1*tv()", steps=3, views=views)  # type: ignore[arg-type]
    assert made.arrays["images"].shape == (1, 150, 150, 3)


def test_numbers_that_cannot_be() -> None:
    net = shared("plain")
    for options, text in (
        ({"steps": 0}, "steps is 0; expected 1 to 100000"),
        ({"rate": -1.0}, "lr is -1.0; expected 1e-06 to 1000"),
        ({"size": 4}, "size is 4; expected 16 to 4096"),
    ):
        with pytest.raises(cs.ConvscopeError, match=text):
            cs.visualize(net, "conv1:0", **options)  # type: ignore[arg-type]
    with pytest.raises(cs.ConvscopeError, match="no target was given"):
        cs.visualize(net, [])


@pytest.mark.parametrize("channels", [1, 4])
def test_grey_and_four_channel_networks(channels: int) -> None:
    module = seeded(lambda: nn.Sequential(nn.Conv2d(channels, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    net = cs.load_model(module, input=cs.InputSpec(size=32, channels=channels, range=(0, 1), mean=0.5, std=0.5))
    result = cs.visualize(net, ["0:1", "class:3"], steps=2)
    assert result.arrays["images"].shape[-1] == channels
    assert result.image().mode == "RGB"
    cs.explain(net, noise(channels=channels)).image()
