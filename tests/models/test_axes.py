"""Which axis is which: layers of every layout are read as the maps that they hold, told apart by a planted patch."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import convscope as cs
from convscope.taps.tap import SCORES_TAP, Tap
from tests.networks import SPEC, seeded

WIDE = cs.InputSpec(size=(32, 48), range=(0, 1), mean=0.45, std=0.25)


class Reshaped(nn.Module):
    """A convolution to cells of four pixels, something done to its axes, and classes. `shaped` gives what was done."""

    channels = 6

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.Conv2d(3, self.channels, 4, 4)
        self.shaped = nn.Identity()
        self.head = nn.LazyLinear(3)
        with torch.no_grad():
            self(torch.zeros(2, 3, 32, 48))

    def arranged(self, x: Tensor) -> Tensor:
        return x

    def forward(self, x: Tensor) -> Tensor:
        found = self.shaped(self.arranged(self.cells(x)) * 1.0)
        return self.head(found.reshape(len(x), -1))


class Last(Reshaped):
    def arranged(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1)


class Sideways(Reshaped):
    def arranged(self, x: Tensor) -> Tensor:
        return x.transpose(2, 3)


class ChannelsBetween(Reshaped):
    def arranged(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 1, 3)


class Listed(Reshaped):
    def arranged(self, x: Tensor) -> Tensor:
        return x.flatten(2).transpose(1, 2)


class ChannelsFirstList(Reshaped):
    def arranged(self, x: Tensor) -> Tensor:
        return x.flatten(2)


class ListedFirst(Reshaped):
    """Tokens first, then pictures, as sequences often are."""

    def arranged(self, x: Tensor) -> Tensor:
        return x.flatten(2).permute(2, 0, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.shaped(self.arranged(self.cells(x))).transpose(0, 1).flatten(1))


class Windows(Reshaped):
    """Windows of 2 by 4 cells in the batch, as shifted-window networks have them."""

    def arranged(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        x = x.permute(0, 2, 3, 1).reshape(b, h // 2, 2, w // 4, 4, c).permute(0, 1, 3, 2, 4, 5)
        return x.reshape(-1, 8, c)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.shaped(self.arranged(self.cells(x))).reshape(len(x), -1))


class Grouped(Reshaped):
    """Channels in two groups, as grouped convolutions and heads split them."""

    def arranged(self, x: Tensor) -> Tensor:
        return x.unflatten(1, (2, 3)).transpose(1, 2).flatten(1, 2).chunk(2, 1)[0].contiguous().repeat(1, 2, 1, 1)


class Shuffled(Reshaped):
    channels = 8

    def arranged(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(x, 2)


class ShuffledByHand(Reshaped):
    channels = 8

    def arranged(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        return x.view(b, c // 4, 2, 2, h, w).permute(0, 1, 4, 2, 5, 3).reshape(b, c // 4, h * 2, w * 2)


class Merged(Reshaped):
    """Every other row and column into channels, channels last, as patch merging does."""

    def arranged(self, x: Tensor) -> Tensor:
        x = x.permute(0, 2, 3, 1)
        return torch.cat([x[:, i::2, j::2] for i in (0, 1) for j in (0, 1)], -1)


class ToDepth(Reshaped):
    def arranged(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        x = x.view(b, c, h // 2, 2, w // 2, 2).permute(0, 3, 5, 1, 2, 4)
        return x.reshape(b, c * 4, h // 2, w // 2)


class Rolled(Reshaped):
    def arranged(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1).roll((1, 1), (1, 2)).roll((-1, -1), (1, 2))


class Written(Reshaped):
    """Channels written into a tensor that was empty before."""

    def arranged(self, x: Tensor) -> Tensor:
        found = x.new_zeros(len(x), x.shape[2], x.shape[3], 8)
        found[..., :6] = x.permute(0, 2, 3, 1)
        return found


class Normed(Reshaped):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(6)

    def arranged(self, x: Tensor) -> Tensor:
        return self.norm(x.permute(0, 2, 3, 1)) if "norm" in self._modules else x.permute(0, 2, 3, 1)


class MixedByAMatrix(Reshaped):
    """Tokens mixed by a matrix and added to themselves, as MLP mixers do."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(96, 96)
        nn.init.eye_(self.mix.weight)

    def arranged(self, x: Tensor) -> Tensor:
        x = x.flatten(2).transpose(1, 2)
        return x + self.mix(x.transpose(1, 2)).transpose(1, 2) if "mix" in self._modules else x


KINDS: list[Callable[[], Reshaped]] = [
    Reshaped, Last, Sideways, ChannelsBetween, Listed, ChannelsFirstList, ListedFirst, Windows, Grouped, Shuffled,
    ShuffledByHand, Merged, ToDepth, Rolled, Written, Normed, MixedByAMatrix,
]  # fmt: skip


def load(kind: Callable[[], nn.Module], spec: cs.InputSpec = WIDE) -> cs.Network:
    return cs.load_model(seeded(kind).eval(), input=spec)


def changed_at(net: cs.Network, layer: str, top: int, left: int) -> tuple[float, float]:
    """Where a layer changes most when eight by eight pixels change, in parts of the map's height and width."""
    plain = torch.full((1, 3, *net.spec.hw), 0.3)
    planted = plain.clone()
    planted[:, :, top : top + 8, left : left + 8] = 0.9
    with torch.no_grad():
        maps = [cs.record(net, picture, [layer])[layer] for picture in (plain, planted)]
    change = (maps[1] - maps[0]).abs().sum(1)[0]
    ys, xs = torch.meshgrid(*(torch.arange(side) + 0.5 for side in change.shape), indexing="ij")
    return float((change * ys).sum() / change.sum() / len(change)), float(
        (change * xs).sum() / change.sum() / change.shape[1]
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_planted_patch_is_found_where_it_was_planted(kind: Callable[[], Reshaped]) -> None:
    net = load(kind)
    layer = net.layer("shaped")
    assert layer.is_map
    height, width = layer.shape[1:]
    assert (height / width) == pytest.approx(32 / 48)
    for top, left in ((0, 0), (8, 32), (24, 16)):
        y, x = changed_at(net, "shaped", top, left)
        assert y == pytest.approx((top + 4) / 32, abs=0.02)
        assert x == pytest.approx((left + 4) / 48, abs=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_read_can_be_put_back(kind: Callable[[], Reshaped]) -> None:
    """The layer's maps of picture A, put into a pass of picture B, give A's scores."""
    net = load(kind)
    one, two = (torch.rand((2, 3, 32, 48), generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    with torch.no_grad():
        first = cs.record(net, one, ["shaped", "scores"])
        mixed = cs.record(net, two, ["shaped", "scores"], replaced={Tap("shaped"): first["shaped"]})
    assert torch.allclose(mixed.scores, first.scores, atol=1e-5)
    assert not torch.allclose(first.scores, cs.record(net, two, ["scores"]).scores, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_come_back_in_the_same_axes(kind: Callable[[], Reshaped]) -> None:
    net = load(kind)
    picture = torch.rand((1, 3, 32, 48), generator=torch.Generator().manual_seed(2))
    recording = cs.record(net, picture, ["shaped", "scores"], gradients=True)
    gradient = recording.gradients(recording.scores[:, 1], ["shaped"])[Tap("shaped")]
    maps = recording["shaped"].detach()
    step = 0.5 * torch.sign(gradient)
    with torch.no_grad():
        moved = cs.record(net, picture, ["shaped", "scores"], replaced={Tap("shaped"): maps + step})[SCORES_TAP][:, 1]
    assert float(moved - recording.scores[0, 1].detach()) == pytest.approx(float((gradient * step).sum()), rel=1e-3)


@pytest.mark.parametrize("kind", [Last, Normed, Windows, Merged, Listed])
def test_channels_and_maps_of_every_verb_are_those(kind: Callable[[], Reshaped]) -> None:
    net = load(kind)
    layer = net.layer("shaped")
    photo = np.full((32, 48, 3), 0.4, np.float32)
    photo[8:16, 32:40] = 0.9
    assert cs.activations(net, photo, ["shaped"]).arrays["shaped"].shape == layer.shape
    heat = cs.explain(net, photo, 1, method="layer_cam", layer="shaped")
    assert heat.arrays["coarse"].shape == layer.shape[1:]
    with pytest.raises(cs.ConvscopeError, match=f"channels are 0 to {layer.channels - 1}"):
        cs.explain(net, photo, f"shaped:{layer.channels}")
    made = cs.visualize(net, f"shaped:{layer.channels - 1}", steps=2, size=32, image="pixels")
    assert np.isfinite(made.arrays["values"]).all()


def test_rows_that_follow_the_picture_at_other_sizes() -> None:
    """A list of cells is read by the picture's own height and width, not by those that it was looked at with first."""
    net = load(Listed)
    wide = torch.rand(1, 3, 16, 96)
    module = net.adapter.root
    with torch.no_grad():
        wanted = module.cells(net.spec.preprocess(wide))  # type: ignore[operator]
        found = cs.record(net, wide, ["shaped"])["shaped"]
    assert torch.allclose(found, wanted, atol=1e-6)


class OneDimension(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cells, self.conv = nn.Conv2d(3, 6, 4, 4), nn.Conv1d(6, 24, 3, padding=1)
        self.norm, self.head = nn.BatchNorm1d(24), nn.Linear(24, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.conv(self.cells(x).flatten(2))).relu().mean(2))  # type: ignore[no-any-return]


def test_a_convolution_in_one_dimension_has_channels_and_a_list() -> None:
    net = load(OneDimension)
    for name in ("conv", "norm"):
        assert (net.layer(name).shape, net.layer(name).tokens) == ((24, 96, 1), True)
    picture = torch.rand(2, 3, 32, 48)
    module = net.adapter.root
    with torch.no_grad():
        wanted = module.conv(module.cells(net.spec.preprocess(picture)).flatten(2))  # type: ignore[operator]
        found = cs.record(net, picture, ["conv"])["conv"]
    assert torch.allclose(found[..., 0], wanted, atol=1e-5)


class FromFaults(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 5, 3),
            nn.ReLU(),
            nn.Unflatten(1, (5, 1)),
            nn.Flatten(1, 2),
            _Permute(),
            nn.LayerNorm(5),
            nn.Flatten(),
            nn.Linear(980, 2),
        )


class _Permute(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1)


def test_a_norm_over_the_last_axis_after_permuting_is_a_map_of_its_positions() -> None:
    net = cs.load_model(seeded(FromFaults), input=cs.InputSpec(size=16, range=(0, 1), mean=0.0, std=1.0))
    assert net.recommended_layer().name == "5"
    assert cs.explain(net, torch.rand(3, 16, 16), 1).arrays["coarse"].shape == (14, 14)


class NoAxes(nn.Module):
    """Activations put in an order that depends on their values: where they were is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.odd, self.head = nn.Conv2d(3, 4, 4, 4), nn.Identity(), nn.Linear(256, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x).flatten(1).sort(1).values.view(-1, 4, 8, 8)
        return self.head(self.odd(y * 1.0).flatten(1))  # type: ignore[no-any-return]


def test_what_cannot_be_known_gives_no_map() -> None:
    net = cs.load_model(seeded(NoAxes), input=SPEC)
    odd = net.layer("odd")
    assert (odd.layout, odd.is_map) == (None, False)
    assert net.recommended_layer().name == "conv"
    photo = torch.rand(3, 32, 32)
    assert "odd" not in cs.activations(net, photo).arrays
    for ask in (
        lambda: cs.activations(net, photo, ["odd"]),
        lambda: cs.explain(net, photo, 1, layer="odd"),
        lambda: cs.explain(net, photo, "odd:1"),
        lambda: cs.visualize(net, "odd:1", steps=1),
        lambda: cs.record(net, photo[None], ["odd"]),
    ):
        with pytest.raises(cs.ConvscopeError, match=r"axes|no positions"):
            ask()
