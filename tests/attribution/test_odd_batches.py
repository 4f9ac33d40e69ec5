"""Networks that hold something of the batch they were taken down with, or mix its pictures: occlusion is right for all
of them, or says why it goes the long way."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import convscope as cs
from tests.networks import LABELS, SPEC, noise, seeded


class Normed(nn.Module):
    """A convolution, a norm, a convolution."""

    def __init__(self, norm: nn.Module | None = None) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = norm or nn.Identity()
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.first(x)))
        return self.head(F.relu(self.second(x)).mean((2, 3)))


class Coordinates(Normed):
    """Maps of where each position is, made as large as the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.second = nn.Conv2d(9, 8, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.first(x))
        at = torch.linspace(-1, 1, x.shape[3]).expand(x.shape[0], 1, *x.shape[2:])
        return self.head(F.relu(self.second(torch.cat([x, at], 1))).mean((2, 3)))


class Picked(Normed):
    """The largest of a few features, by an index as long as the batch."""

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.second(F.relu(self.first(x)))).mean((2, 3))
        best = x[:, :4].argmax(1)
        return self.head(x) + x[torch.arange(len(x)), best][:, None]


class Token(Normed):
    """A learned token beside the positions, once for each picture; attention over all."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 8, stride=8)
        self.token = nn.Parameter(torch.randn(1, 1, 8))

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.repeat(len(x), 1, 1), x], 1)
        return self.head((torch.softmax(x @ x.transpose(1, 2), -1) @ x)[:, 0])


class Unpooled(Normed):
    """Max pooling whose places are needed again."""

    def forward(self, x: Tensor) -> Tensor:
        small, at = F.max_pool2d(F.relu(self.first(x)), 2, return_indices=True)
        return self.head(F.relu(self.second(F.max_unpool2d(small, at, 2))).mean((2, 3)))


class Views(Normed):
    """Other names of a tensor that is needed later."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        left, right = x.split(4, 1)
        y = x.unsqueeze(1)
        x = torch.cat([left.sigmoid(), right.relu()], 1) + y.relu().squeeze(1)
        return self.head(F.relu(self.second(x)).mean((2, 3)))


ODD = {
    "group norm": lambda: Normed(nn.GroupNorm(4, 8)),
    "instance norm": lambda: Normed(nn.InstanceNorm2d(8)),
    "batch norm of the batch": lambda: Normed(nn.BatchNorm2d(8, track_running_stats=False)),
    "coordinates": Coordinates,
    "picked": Picked,
    "token": Token,
    "unpooled": Unpooled,
    "views": Views,
}
LONG_WAY = {"instance norm", "batch norm of the batch", "coordinates", "picked", "token"}


@pytest.mark.parametrize("patch", [1, 2, 5, 9])
@pytest.mark.parametrize("kind", ODD)
def test_occlusion_equals_one_picture_at_a_time(kind: str, patch: int) -> None:
    net = cs.load_model(seeded(ODD[kind]), input=SPEC, labels=LABELS)
    picture = noise(1)
    found = cs.explain(net, picture, 1, method="occlusion", patch=patch, stride=4, value="black")
    coarse = found.arrays["coarse"]
    with torch.no_grad():
        clean = net.scores(net.run(picture))[0, 1]
        wanted = np.zeros_like(coarse)
        for row, column in np.ndindex(coarse.shape):
            covered = picture.clone()
            covered[:, :, 4 * row : 4 * row + patch, 4 * column : 4 * column + patch] = 0
            wanted[row, column] = clean - net.scores(net.run(covered))[0, 1]
    assert np.abs(coarse - wanted).max() <= 1e-3 * np.ptp(wanted) + 2e-7 * abs(float(clean))
    told = any("computed on the whole picture" in note for note in found.notes)
    assert told == (kind in LONG_WAY), found.notes


@pytest.mark.parametrize("method", ["rise", "smooth_grad", "integrated_gradients", "score_cam"])
def test_pictures_that_would_mix_are_looked_at_alone(method: str, batch_sizes: list[int]) -> None:
    net = cs.load_model(seeded(ODD["batch norm of the batch"]), input=SPEC, labels=LABELS)
    batch_sizes.clear()  # of the passes that loading it took
    more = {"samples": 6} if method in ("rise", "smooth_grad") else {}
    found = cs.explain(net, noise(1), 1, method=method, **more)  # type: ignore[arg-type]
    assert set(batch_sizes) == {1}
    assert any("keep no statistics" in note for note in found.notes)


def test_a_stride_wider_than_the_window_is_told() -> None:
    net = cs.load_model(seeded(Normed), input=SPEC, labels=LABELS)
    found = cs.explain(net, noise(1), 1, method="occlusion", patch=1, stride=7)
    assert found.arrays["coarse"].shape == (5, 5), "no position lies outside the picture"
    assert any("never covered" in note for note in found.notes)
    whole = cs.explain(net, noise(1), 1, method="occlusion", patch=8, stride=8)
    assert not whole.notes
