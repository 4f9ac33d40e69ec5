"""What the followed pass must not get wrong: where maps lie after odd operations, pictures that are mixed, numbers that
leave torch, and what a pass keeps."""

import threading
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import convscope as cs
from convscope.attribution.cam import enlarge
from tests.networks import SPEC, noise, seeded


class Does(nn.Module):
    """A convolution behind (or before) something done to a picture."""

    def __init__(self, what: Callable[["Does", Tensor], Tensor]) -> None:
        super().__init__()
        self.what = what
        self.first, self.shown = nn.Conv2d(3, 4, 3, padding=1), nn.Identity()
        self.cells, self.keys = nn.Conv2d(4, 4, 4, 4), nn.Conv2d(4, 4, 2, 2)
        self.embed, self.wide = nn.Linear(48, 6), nn.Conv2d(4, 8, 1)
        self.register_buffer("one", torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        y = self.shown(self.what(self, x))
        return torch.cat([y.flatten(1)[:, :2], y.flatten(1).mean(1, keepdim=True)], 1)


def patches(s: Does, x: Tensor) -> Tensor:
    b = len(x)
    return s.embed(x.reshape(b, 3, 8, 4, 8, 4).permute(0, 2, 4, 3, 5, 1).reshape(b, 64, 48))  # type: ignore[no-any-return]


def patches_by_unfold(s: Does, x: Tensor) -> Tensor:
    parts = x.unfold(2, 4, 4).unfold(3, 4, 4)
    return s.embed(parts.permute(0, 2, 3, 1, 4, 5).reshape(len(x), 64, 48))  # type: ignore[no-any-return]


def reduced_attention(s: Does, x: Tensor) -> Tensor:
    m = s.cells(s.first(x))
    t = m.flatten(2).transpose(1, 2)
    for _ in range(4):
        kv = s.keys(m).flatten(2).transpose(1, 2)
        t = t + 0.05 * (t @ kv.transpose(1, 2)).softmax(-1) @ kv
    return t


def dynamic_kernels(s: Does, x: Tensor) -> Tensor:
    y = s.first(x)
    kernels = s.first.weight[:, :1].repeat(len(x), 4, 1, 1)
    return F.conv2d(y.reshape(1, -1, 32, 32), kernels, padding=1, groups=len(x)).view(len(x), 4, 32, 32)


RIGHT: dict[str, Callable[[Does, Tensor], Tensor]] = {
    "patches": patches,
    "patches by unfold": patches_by_unfold,
    "reduced attention": reduced_attention,
    "kernels for each picture": dynamic_kernels,
    "hardswish": lambda s, x: F.hardswish(s.cells(s.first(x))),
    "prelu": lambda s, x: F.prelu(s.cells(s.first(x)), s.one.view(1) * 0.2),
    "padding, channels last": lambda s, x: F.pad(s.first(x).permute(0, 2, 3, 1), (0, 0, 8, 0, 8, 0)),
    "blue first, padded": lambda s, x: s.first(F.pad(x[:, [2, 1, 0]], (8, 0, 8, 0))),
    "channels turned": lambda s, x: s.cells(s.first(x)).flip(1),
    "channels shuffled": lambda s, x: F.channel_shuffle(s.cells(s.first(x)), 2),
    "glu": lambda s, x: F.glu(s.wide(s.cells(s.first(x))), 1),
    "local response norm": lambda s, x: F.local_response_norm(s.cells(s.first(x)), 2),
    "enlarged": lambda s, x: F.interpolate(s.cells(s.first(x)), scale_factor=2, mode="bilinear"),
}


@pytest.mark.parametrize("what", RIGHT)
def test_what_is_planted_is_drawn_there(what: str) -> None:
    net = cs.load_model(seeded(lambda: Does(RIGHT[what])), input=SPEC)
    layer = net.layer("shown")
    assert layer.is_map
    at = torch.arange(32.0)
    for top, left in ((4, 20), (20, 8)):
        plain = torch.full((1, 3, 32, 32), 0.3)
        planted = plain.clone()
        planted[:, :, top : top + 4, left : left + 4] = 0.9
        with torch.no_grad():
            change = [cs.record(net, picture, ["shown"])["shown"] for picture in (plain, planted)]
        drawn = enlarge((change[1] - change[0]).abs().sum(1).square(), (32, 32), layer)[0]
        assert float((drawn.sum(1) * at).sum() / drawn.sum()) == pytest.approx(top + 1.5, abs=2.1)
        assert float((drawn.sum(0) * at).sum() / drawn.sum()) == pytest.approx(left + 1.5, abs=2.1)


MOVED: dict[str, Callable[[Does, Tensor], Tensor]] = {
    "mirrored": lambda s, x: s.first(x.flip(3)),
    "rolled": lambda s, x: s.first(x.roll((8, 8), (2, 3))),
    "turned": lambda s, x: s.first(torch.rot90(x, 1, (2, 3))),
    "picked": lambda s, x: s.first(x[:, :, :, torch.arange(31, -1, -1)]),
    "sampled": lambda s, x: s.first(F.grid_sample(x, torch.zeros(len(x), 32, 32, 2), align_corners=False)),
    "halves below each other": lambda s, x: s.first(torch.cat(x.chunk(2, 3), 2)),
}


@pytest.mark.parametrize("what", MOVED)
def test_positions_that_were_put_elsewhere_are_said_to_be_unknown(what: str) -> None:
    net = cs.load_model(seeded(lambda: Does(MOVED[what])), input=SPEC)
    assert net.layer("first").centre is None
    assert any("not known exactly" in note for note in cs.explain(net, noise()[0], 2, layer="first").notes)


def test_a_gather_along_positions_loses_them() -> None:
    def what(s: Does, x: Tensor) -> Tensor:
        t = s.cells(s.first(x)).flatten(2).transpose(1, 2)
        return t.gather(1, t.mean(2, keepdim=True).argsort(1).expand_as(t))

    assert not cs.load_model(seeded(lambda: Does(what)), input=SPEC).layer("shown").is_map


MIXING: dict[str, Callable[[Does, Tensor], Tensor]] = {
    "standardised": lambda s, x: s.first((x - x.mean()) / x.std()),
    "batch norm": lambda s, x: F.batch_norm(s.first(x), None, None, training=True),
    "softmax": lambda s, x: s.first(x).softmax(0),
}


@pytest.mark.parametrize("what", MIXING)
def test_pictures_that_are_mixed_are_looked_at_alone(what: str) -> None:
    net = cs.load_model(seeded(lambda: Does(MIXING[what])), input=SPEC)
    assert any("depends on the others of its batch" in note for note in net.notes)
    alone, both = net.predict(noise(1)[0]), net.predict([noise(1)[0], noise(2)[0]])
    assert alone[0] == both[0]
    grey = torch.full((3, 32, 32), 0.5)
    if what != "standardised":
        assert np.abs(cs.explain(net, grey, 0, method="occlusion", value="grey").arrays["map"]).max() < 1e-5


def test_instance_norms_mix_nothing() -> None:
    net = cs.load_model(seeded(lambda: Does(lambda s, x: F.instance_norm(s.first(x)))), input=SPEC)
    assert net.notes == ()


def test_a_number_that_leaves_torch_is_told() -> None:
    def what(s: Does, x: Tensor) -> Tensor:
        return s.cells(s.first(x)) * (float(x.mean()) * 10)

    net = cs.load_model(seeded(lambda: Does(what)), input=SPEC)
    assert "leaves torch" in net.recommendation().note
    assert any("leaves torch" in note for note in cs.explain(net, noise()[0], 1).notes)


def test_a_position_sees_what_it_sees_however_large() -> None:
    module = nn.Sequential(*(nn.Conv2d(3, 3, 9, padding=4) for _ in range(6)), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    layer = cs.load_model(seeded(lambda: module), input=SPEC).layer("5")
    assert layer.receptive_field == (32, 32)
    assert layer.sees(0, 0, (32, 32)) == (0, 0, 25, 25)
    assert layer.sees(16, 16, (32, 32)) == (0, 0, 32, 32)


class Cached(nn.Module):
    """Makes its positions when the size is a new one, as detectors and relative position tables do."""

    def __init__(self, key: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.conv, self.head, self.key = nn.Conv2d(3, 4, 3), nn.Linear(4, 3), key
        self.size: object = None
        self.places: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        if self.size != self.key(y):
            self.places, self.size = torch.linspace(0, 1, y.shape[-1]), self.key(y)
        return self.head((y + self.places).mean((2, 3)))  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "key", [lambda y: y.shape[-2:], lambda y: str(y.shape), lambda y: (y.device, y.dtype), lambda y: True]
)
def test_a_cache_of_the_networks_own_goes_on_working(key: Callable[[Tensor], object]) -> None:
    module = seeded(lambda: Cached(key)).eval()
    net = cs.load_model(module, input=SPEC)
    assert (module.size, module.places) == (None, None)
    for _ in range(2):
        assert np.isfinite(cs.explain(net, noise()[0], 1).arrays["map"]).all()
    with torch.no_grad():
        assert torch.isfinite(module(noise())).all()


class Odd(nn.Module):
    """Writes its buffers in ways that are easily missed."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.conv, self.how = nn.Conv2d(3, 3, 3), how
        self.register_buffer("stats", torch.zeros(2, 3))
        self.register_buffer("mean", self.stats[0])

    def forward(self, x: Tensor) -> Tensor:
        match self.how:
            case "shared":
                self.stats.add_(1)
            case "listed":
                torch._foreach_add_([self.stats], 1.0)
            case "out":
                torch.add(self.stats, 1, out=self.stats)
        return self.conv(x).mean((2, 3)) + self.stats[0]


@pytest.mark.parametrize("how", ["shared", "listed", "out"])
def test_buffers_written_in_other_ways_are_put_back(how: str) -> None:
    module = seeded(lambda: Odd(how))
    net = cs.load_model(module, input=SPEC)
    for _ in range(2):
        net.predict(noise()[0])
        assert not module.stats.any()  # type: ignore[union-attr, operator]
        assert not module.mean.any()  # type: ignore[union-attr, operator]


def test_handles_on_a_network_and_on_a_part_of_it_take_turns() -> None:
    whole = nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    part = whole[0]
    nets = [cs.load_model(whole.train(), input=SPEC), cs.load_model(part, input=SPEC)]
    before = part[1].running_mean.clone()  # type: ignore[index, union-attr, operator]

    def work(net: cs.Network) -> None:
        for _ in range(60):
            cs.record(net, noise(), [net.layers()[1].name])

    threads = [threading.Thread(target=work, args=(net,)) for net in nets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(module.training for module in whole.modules())
    assert torch.equal(part[1].running_mean, before)  # type: ignore[index, union-attr, arg-type]


def test_a_users_inference_mode_changes_nothing() -> None:
    def what(s: Does, x: Tensor) -> Tensor:
        return s.cells(s.first(x.movedim(1, -1).movedim(-1, 1)))

    plain = cs.load_model(seeded(lambda: Does(what)), input=SPEC).layers()
    with torch.inference_mode():
        net = cs.load_model(seeded(lambda: Does(what)), input=SPEC)
        assert [layer.shape for layer in net.layers()] == [layer.shape for layer in plain]
        assert net.recommended_layer().is_map
        assert cs.explain(net, noise()[0], 1, method="occlusion").arrays["map"].any()
