"""Networks in which the rows of the batch are not the pictures: joined inputs, frames, pictures cut into rows."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import convscope as cs
from convscope.taps.tap import Tap
from tests.networks import SPEC, noise, seeded

SIX = cs.InputSpec(size=32, channels=6, range=(0, 1), mean=0.5, std=0.25)


class Siamese(nn.Module):
    """The same trunk on two halves of the channels, joined in the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 6, 3, padding=1))
        self.head = nn.Linear(12, 4)

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.trunk(torch.cat([x[:, :3], x[:, 3:]])).mean((2, 3)).chunk(2)
        return self.head(torch.cat([first, second], 1))  # type: ignore[no-any-return]


class Frames(nn.Module):
    """Two frames a picture, side by side in the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.head = (
            nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 6, 3)),
            nn.Linear(12, 4),
        )

    def forward(self, x: Tensor) -> Tensor:
        frames = self.trunk(x.view(2 * len(x), 3, 32, 32))
        return self.head(frames.mean((2, 3)).view(len(x), 12))  # type: ignore[no-any-return]


class CutUp(nn.Module):
    """Made for 16 pixels; of 32 it makes four rows of scores."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.Linear(512, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.conv(x).view(-1, 512))  # type: ignore[no-any-return]


@pytest.mark.parametrize("kind", [Siamese, Frames])
def test_each_row_can_be_asked_for(kind: type[nn.Module]) -> None:
    module = seeded(kind)
    net = cs.load_model(module, input=SIX)
    names = [layer.name for layer in net.layers()]
    assert "trunk.2@0" in names
    assert "trunk.2@1" in names
    pictures = noise(channels=6, n=3)
    parts = net.spec.preprocess(pictures).chunk(2, 1)
    with torch.no_grad():
        wanted = [module.eval().trunk(part) for part in parts]
    found = cs.record(net, pictures, ["trunk.2@0", "trunk.2@1"])
    for row in (0, 1):
        assert torch.allclose(found[f"trunk.2@{row}"], wanted[row], atol=1e-5)
    assert cs.visualize(net, "trunk.2@1:3", steps=1).recipe.options["target"] == ['"trunk.2@1":3']
    with pytest.raises(cs.ConvscopeError, match=r"more than one output: say which, one of trunk.2@0, trunk.2@1"):
        cs.explain(net, pictures[0], 1, layer="trunk.2")


@pytest.mark.parametrize("kind", [Siamese, Frames])
def test_each_row_can_be_replaced(kind: type[nn.Module]) -> None:
    net = cs.load_model(seeded(kind), input=SIX)
    one, two = noise(0, 6, n=2), noise(1, 6, n=2)
    with torch.no_grad():
        first = cs.record(net, one, ["trunk.2@0", "trunk.2@1", "scores"])
        half = {Tap("trunk.2@1"): first["trunk.2@1"]}
        both = half | {Tap("trunk.2@0"): first["trunk.2@0"]}
        assert torch.allclose(cs.record(net, two, ["scores"], replaced=both).scores, first.scores, atol=1e-5)
        mixed = cs.record(net, torch.cat([two[:, :3], one[:, 3:]], 1), ["scores"]).scores
        assert torch.allclose(cs.record(net, two, ["scores"], replaced=half).scores, mixed, atol=1e-5)


@pytest.mark.parametrize("kind", [Siamese, Frames])
def test_heatmaps_of_them_say_that_they_show_one_row(kind: type[nn.Module]) -> None:
    net = cs.load_model(seeded(kind), input=SIX)
    found = cs.explain(net, noise(channels=6)[0], 1)
    assert found.facts["layer"].endswith("@0")
    assert any("first of 2 rows" in note for note in found.notes)


@pytest.mark.parametrize("kind", [Siamese, Frames])
def test_occlusion_of_them_is_that_of_whole_pictures(kind: type[nn.Module]) -> None:
    net = cs.load_model(seeded(kind), input=SIX)
    picture = noise(channels=6)
    found = cs.explain(net, picture[0], 1, method="occlusion", patch=8, stride=8, value=0.5).arrays["coarse"]
    with torch.no_grad():
        clean = float(cs.record(net, picture, ["scores"]).scores[0, 1])
        for row, column in np.ndindex(4, 4):
            covered = picture.clone()
            covered[:, :, row * 8 : row * 8 + 8, column * 8 : column * 8 + 8] = 0.5
            drop = clean - float(cs.record(net, covered, ["scores"]).scores[0, 1])
            assert found[row, column] == pytest.approx(drop, abs=1e-5)


def test_rows_of_scores_that_are_no_pictures_are_refused_in_one_line(tmp_path: Path) -> None:
    net = cs.load_model(seeded(CutUp), input=SPEC)
    photo = noise()[0]
    for ask in (
        lambda: net.predict(photo),
        lambda: cs.explain(net, photo),
        lambda: cs.explain(net, photo, 1, method="occlusion"),
        lambda: cs.visualize(net, "class:1", steps=1),
        lambda: cs.record(net, photo[None], ["scores"]),
        lambda: cs.report(net, photo, tmp_path),
    ):
        with pytest.raises(cs.ConvscopeError, match="4 rows of scores for each picture of 32x32"):
            ask()
    right = cs.load_model(seeded(CutUp), input=cs.InputSpec(size=16, range=(0, 1), mean=0.5, std=0.25))
    assert len(right.predict(noise(size=16)[0])) == 1


class OnlyOne(nn.Module):
    """Takes one picture alone."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 4, 4), nn.Linear(256, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.conv(x).view(1, 256))  # type: ignore[no-any-return]


def test_a_network_that_takes_one_picture_is_given_one_at_a_time() -> None:
    net = cs.load_model(seeded(OnlyOne), input=SPEC)
    assert net.layer("conv").shape == (4, 8, 8)
    assert len(net.predict([noise(1)[0], noise(2)[0]])) == 2
    assert cs.explain(net, noise()[0], 1).arrays["coarse"].shape == (8, 8)
    for method, more in (
        ("occlusion", {}),
        ("rise", {"samples": 8}),
        ("smooth_grad", {"samples": 3}),
        ("score_cam", {}),
    ):
        assert np.isfinite(cs.explain(net, noise()[0], 1, method=method, **more).arrays["map"]).all()  # type: ignore[arg-type]
    assert np.isfinite(cs.visualize(net, ["conv:0", "conv:1"], steps=2).arrays["values"]).all()


class Fixed(nn.Module):
    """Keeps its batch where there is one picture, and fails on a folded pass of several (fixed numbers in a view)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.conv(x.view(2 * len(x), 3, 32, 32)))
        return self.head(y.mean((2, 3)).view(len(x), 16))  # type: ignore[no-any-return]


def test_folding_is_believed_after_several_pictures_alone() -> None:
    net = cs.load_model(seeded(Fixed), input=SIX)
    pictures = noise(channels=6, n=4)
    with torch.no_grad():
        wanted = net.scores(net.run(pictures))
        found = net.scores(net.run(pictures, folding=net.folding()))
    assert torch.allclose(found, wanted, atol=1e-4)
