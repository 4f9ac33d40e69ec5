"""The receptive field read off the operations, against the one that perturbing pixels shows."""

import pytest
import torch
from torch import Tensor, nn

import convscope as cs
from convscope.attribution.cam import enlarge
from convscope.models.efficientnet_lite import SameConv2d
from convscope.taps.record import record
from tests.networks import MODULES, SPEC, shared


def measured(net: cs.Network, layer: str) -> tuple[tuple[int, int], tuple[float, float]]:
    """The extent of the pixels whose change moves the middle position of a layer, in float64, and its centre, from
    which the strides to that position are taken off: the centre of the first position."""
    height, width = net.spec.hw
    generator = torch.Generator().manual_seed(0)
    picture = torch.rand((1, 3, height, width), generator=generator, dtype=torch.float64)
    base = record(net, picture, [layer])[layer]
    y, x = base.shape[2] // 2, base.shape[3] // 2
    moved = torch.zeros(height, width, dtype=torch.bool)
    for _ in range(3):  # a max pooling may hide a pixel once, hardly three times
        other = torch.rand((1, 3, height, width), generator=generator, dtype=torch.float64) * 8 - 4
        for axis in (0, 1):
            for i in range((height, width)[axis]):
                changed = picture.clone()
                index = (..., i, slice(None)) if axis == 0 else (..., slice(None), i)
                changed[index] = other[index]
                now = record(net, changed, [layer])[layer][0, :, y, x]
                if not torch.equal(now, base[0, :, y, x]):
                    moved[(i, slice(None)) if axis == 0 else (slice(None), i)] |= True
    rows, columns = moved.all(1).nonzero(), moved.all(0).nonzero()
    stride = net.layer(layer).stride or (0, 0)
    start = (int(rows.max() + rows.min()) / 2 - y * stride[0], int(columns.max() + columns.min()) / 2 - x * stride[1])
    return (int(rows.max() - rows.min() + 1), int(columns.max() - columns.min() + 1)), start


class Shapes(nn.Module):
    """Kernels longer one way, strides, dilation, same padding, a shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.long = nn.Conv2d(3, 4, (3, 5), padding=(1, 2))
        self.stride = SameConv2d(4, 4, 3, 2, bias=False)
        self.dilated = nn.Conv2d(4, 4, 3, padding=2, dilation=2)
        self.pool = nn.AvgPool2d(2)
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stride(self.long(x))
        x = self.pool(x + self.dilated(x))
        return self.head(x.mean((2, 3)))


def test_by_hand_and_by_perturbation() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = Shapes().double()
    net = cs.load_model(module, input=cs.InputSpec(size=36, range=(0, 1), mean=0.5, std=1.0))
    assert {layer.name: (layer.receptive_field, layer.stride) for layer in net.layers()} == {
        "input": ((1, 1), (1, 1)),
        "long": ((3, 5), (1, 1)),
        "stride": ((5, 7), (2, 2)),
        "dilated": ((13, 15), (2, 2)),
        "sum": ((13, 15), (2, 2)),
        "pool": ((15, 17), (4, 4)),
        "head": (None, None),
    }
    for name in ("long", "stride", "dilated", "sum", "pool"):
        assert measured(net, name) == (net.layer(name).receptive_field, net.layer(name).start)


class Shifted(nn.Module):
    """Padding on one side, a slice from the second column on, every other row, branches that look to other sides."""

    def __init__(self) -> None:
        super().__init__()
        self.pad, self.conv = nn.ZeroPad2d((0, 3, 2, 0)), nn.Conv2d(3, 4, 3, stride=2)
        self.left, self.right = nn.Conv2d(4, 4, (1, 3)), nn.Conv2d(4, 4, (1, 3))
        self.both, self.last, self.head = nn.Identity(), nn.Conv2d(4, 4, 3, 2, 1), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(self.pad(x))[:, :, ::2, 1:]
        x = self.both(self.left(nn.functional.pad(x, (2, 0))) + self.right(nn.functional.pad(x, (0, 2))))
        return self.head(self.last(x).mean((2, 3)))


@pytest.mark.parametrize("spec", [SPEC, cs.InputSpec(size=(41, 38), range=(0, 1), mean=0.5, std=1.0)])
def test_where_a_field_lies_with_padding_on_one_side_and_branches(spec: cs.InputSpec) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = Shifted().double()
    net = cs.load_model(module, input=spec)
    for name in ("conv", "left", "right", "both"):
        assert measured(net, name) == (net.layer(name).receptive_field, net.layer(name).start)


@pytest.mark.parametrize("kind", [kind for kind in MODULES if kind != "keras"])
def test_where_the_fields_of_networks_of_every_kind_lie(kind: str) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = MODULES[kind]().double()
    net = cs.load_model(module, input=SPEC)
    layer = net.recommended_layer()
    assert layer.receptive_field is not None
    if max(layer.receptive_field) < 20:  # so that the picture's edge does not cut it
        assert measured(net, layer.name) == (layer.receptive_field, layer.start)


def test_a_map_is_drawn_where_its_cells_see() -> None:
    """One cell on: the middle of what is hot is the centre of what that cell sees, to half a pixel."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = cs.load_model(Shifted(), input=cs.InputSpec(size=64, range=(0, 1), mean=0.5, std=1.0))
    layer = net.layer("last")
    assert layer.centre is not None
    assert layer.stride is not None
    rows, columns = layer.shape[1:]
    for y, x in ((2, 3), (rows - 3, columns - 4)):
        cell = torch.zeros(1, rows, columns)
        cell[0, y, x] = 1
        drawn = enlarge(cell, (64, 64), layer)[0]
        at = torch.arange(64.0)
        assert float((drawn.sum(1) * at).sum() / drawn.sum()) == pytest.approx(
            layer.centre[0] + y * layer.stride[0], abs=0.5
        )
        assert float((drawn.sum(0) * at).sum() / drawn.sum()) == pytest.approx(
            layer.centre[1] + x * layer.stride[1], abs=0.5
        )
        top, left, bottom, right = layer.sees(y, x, (64, 64)) or (0, 0, 0, 0)
        assert top <= layer.centre[0] + y * layer.stride[0] < bottom
        assert left <= layer.centre[1] + x * layer.stride[1] < right


@pytest.mark.parametrize(
    ("kind", "layer", "field"),
    [
        ("plain", "conv2", 3 + 1 + 2 * 2),
        ("functional", "conv2", 8),
        ("reused", "again#1", 1 + 2 + 2 + 1 + 4),
        ("residual", "bn2", 5 + 2 * 2),
        ("inception", "act", 3 + 4),
        ("inception", "last", 7 + 2),
        ("depthwise", "pointwise", 3 + 2 * 2 * 2),
        ("keras", "inner/deep", 3 + 1 + 2 * 2),
    ],
)
def test_networks_of_every_kind(kind: str, layer: str, field: int) -> None:
    assert shared(kind).layer(layer).receptive_field == (field, field)


def test_every_kind_of_network_has_a_field_everywhere() -> None:
    for kind in MODULES:
        assert all(layer.receptive_field for layer in shared(kind).layers() if layer.is_map), kind


class Gate(nn.Module):
    """A map scaled by something that saw all of the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.act, self.up = nn.Conv2d(3, 4, 3), nn.Sigmoid(), nn.Upsample(scale_factor=2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        x = self.act(x * x.mean((2, 3), keepdim=True).sigmoid())
        return self.up(x).mean((2, 3))


def test_what_saw_everything_and_what_is_not_known() -> None:
    net = cs.load_model(Gate(), input=cs.InputSpec(size=20, range=(0, 1), mean=0.0, std=1.0))
    assert net.layer("act").receptive_field == (20, 20)
    assert net.layer("act").stride == (1, 1)
    assert net.layer("up").receptive_field == (20, 20)
    assert (net.layer("up").stride, net.layer("up").start) == ((0.5, 0.5), (0.75, 0.75))


class Strided(nn.Module):
    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.one, self.two = how, nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(16 if how == "depth" else 4, 4, 3)
        self.norm = nn.InstanceNorm2d(4) if how == "instance" else nn.BatchNorm2d(4, track_running_stats=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.one(x)
        if self.how == "slice":
            y = y[:, :, ::2, ::2]
        elif self.how == "depth":
            b, c, h, w = y.shape
            y = y.view(b, c, h // 2, 2, w // 2, 2).permute(0, 1, 3, 5, 2, 4).reshape(b, c * 4, h // 2, w // 2)
        else:
            y = self.norm(y)
        return self.two(y).mean((2, 3))  # type: ignore[no-any-return]


def test_every_nth_position_widens_the_stride() -> None:
    layer = cs.load_model(Strided("slice").eval(), input=SPEC).layer("two")
    assert layer.stride == (2, 2)
    assert layer.receptive_field == (7, 7)


def test_positions_that_are_put_elsewhere_have_no_field() -> None:
    assert cs.load_model(Strided("depth").eval(), input=SPEC).layer("two").receptive_field is None


@pytest.mark.parametrize("how", ["instance", "batch"])
def test_norms_over_the_whole_map_see_all_of_it(how: str) -> None:
    field = cs.load_model(Strided(how).eval(), input=SPEC).layer("two").receptive_field
    assert field in (None, (32, 32))


def test_the_centre_follows_what_kernels_have_learned() -> None:
    """A kernel with all its weight on one side looks there; with none learned, it looks to the middle of its window."""
    module = nn.Sequential(nn.Conv2d(3, 4, 5, 2, 1, bias=False), nn.ReLU(), nn.Conv2d(4, 4, (1, 3), bias=False))
    with torch.no_grad():
        module[0].weight.fill_(1.0)  # type: ignore[union-attr, operator]
        module[2].weight.zero_()  # type: ignore[union-attr, operator]
        module[2].weight[..., 2] = -1.0  # type: ignore[union-attr, index]
    net = cs.load_model(module, input=SPEC)
    assert net.layer("1").start == net.layer("1").centre == (1.0, 1.0)
    assert net.layer("2").start == (1.0, 3.0)
    assert net.layer("2").centre == (1.0, 5.0)
