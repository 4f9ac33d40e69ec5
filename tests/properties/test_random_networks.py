"""Laws of the followed pass over networks put together at random: branches, sums, concatenations, axes moved about."""

import random

import pytest
import torch
import torch.nn.functional as F
from tests.networks import noise, seeded
from torch import Tensor, nn

import convscope as cs
from convscope.taps.tap import Tap

SPEC = cs.InputSpec(size=(24, 32), range=(0, 1), mean=0.5, std=0.25)
WIDTH = 6


class Step(nn.Module):
    """One step on maps of WIDTH channels, of a kind drawn at random."""

    KINDS = ("plain", "pooled", "residual", "branches", "gated", "last", "listed", "windows", "sideways", "in place")

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.one, self.two = kind, nn.Conv2d(WIDTH, WIDTH, 3, padding=1), nn.Conv2d(WIDTH, WIDTH, 1)
        self.three, self.linear = nn.Conv2d(2 * WIDTH, WIDTH, 1), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        match self.kind:
            case "pooled" if min(h, w) >= 8:
                return F.avg_pool2d(self.one(x), 2)
            case "residual":
                return x + self.one(x).relu()
            case "branches":
                return self.three(torch.cat([self.one(x), self.two(x).relu()], 1))  # type: ignore[no-any-return]
            case "gated":
                return x * self.linear(x.mean((2, 3))).sigmoid()[:, :, None, None]
            case "last":
                return self.linear(self.one(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)  # type: ignore[no-any-return]
            case "listed":
                return self.linear(self.one(x).flatten(2).transpose(1, 2)).transpose(1, 2).reshape(b, c, h, w)  # type: ignore[no-any-return]
            case "windows" if h % 2 == 0 and w % 2 == 0:
                parts = self.one(x).view(b, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 3, 5, 1).reshape(-1, 4, c)
                parts = self.linear(parts).view(b, h // 2, w // 2, 2, 2, c)
                return parts.permute(0, 5, 1, 3, 2, 4).reshape(b, c, h, w)  # type: ignore[no-any-return]
            case "sideways":
                return self.one(x.transpose(2, 3)).transpose(2, 3)  # type: ignore[no-any-return]
            case "in place":
                y = self.one(x)
                y += self.two(x)
                return y.relu_()  # type: ignore[no-any-return]
        return self.one(x).relu()  # type: ignore[no-any-return]


class Random(nn.Module):
    """Steps in a row, some of them gone round by a sum, some within a module and some in this forward's own code."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        draw = random.Random(seed)
        self.stem, self.head = nn.Conv2d(3, WIDTH, 3, draw.choice([1, 2]), 1), nn.Linear(WIDTH, 4)
        self.steps = nn.ModuleList(Step(draw.choice(Step.KINDS)) for _ in range(draw.randint(2, 6)))
        self.round = [draw.random() < 0.4 for _ in self.steps]

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for step, gone_round in zip(self.steps, self.round, strict=True):
            y = step(x)
            x = x + y if gone_round and y.shape == x.shape else y
        return self.head(x.mean((2, 3)))  # type: ignore[no-any-return]


@pytest.mark.parametrize("seed", range(40))
def test_laws_of_layers(seed: int) -> None:
    """What a layer of maps gives can be put back where it was read; what the recommended layer gives for one picture
    gives that picture's scores in a pass of another; every map has the picture's proportions."""
    net = cs.load_model(seeded(lambda: Random(seed)), input=SPEC)
    one, two = (noise(number, size=32)[:, :, :24] for number in (1, 2))
    maps = [layer for layer in net.layers() if layer.is_map]
    with torch.no_grad():
        first = cs.record(net, one, [*(layer.name for layer in maps), "scores"])
        for layer in maps:
            assert layer.shape[1] * 4 == layer.shape[2] * 3, layer
            again = cs.record(net, one, ["scores"], replaced={Tap(layer.name): first[layer.name]}).scores
            assert torch.allclose(again, first.scores, atol=1e-5), layer
        best = net.recommendation()
        mixed = cs.record(net, two, ["scores"], replaced={Tap(best.layer.name): first[best.layer.name]}).scores
    assert torch.allclose(mixed, first.scores, atol=1e-5), best
    assert len(maps) >= len(net.adapter.root.steps) + 1  # type: ignore[arg-type]
    assert all(layer.layout is not None for layer in net.layers())
