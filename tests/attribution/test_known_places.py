"""Evidence planted at a known place is found there, by every method."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import convscope as cs
from convscope.attribution.table import METHODS
from tests.networks import PLANTED, Planted, planted

LOCALISING = [name for name in METHODS if name != "eigen_cam"]


@pytest.mark.parametrize("method", LOCALISING)
def test_evidence_at_a_known_place_is_found(method: str) -> None:
    torch.manual_seed(0)
    net = cs.load_model(Planted(), input=PLANTED)
    more = {"rise": {"samples": 300, "grid": 8}, "smooth_grad": {"samples": 8}}.get(method, {})
    more |= {"occlusion": {"patch": 6, "stride": 3, "value": "black"}, "score_cam": {"layer": "act"}}.get(method, {})
    hits = 0
    for seed in range(100):
        picture, (y, x) = planted(seed)
        heat = cs.explain(net, picture, 2, method=method, **more).arrays["map"]
        top = np.unravel_index(heat.argmax(), heat.shape)
        hits += abs(top[0] - y) <= 7 and abs(top[1] - x) <= 7
    assert hits >= 99


class Cells(nn.Module):
    """Means over 8x8 cells, one after another: whichever the picture's size, cell i of the map sees cell i alone."""

    def __init__(self, cell: int) -> None:
        super().__init__()
        self.mean = nn.Conv2d(3, 4, cell, stride=cell, bias=False)
        nn.init.constant_(self.mean.weight, 1.0)
        self.head = nn.Linear(4, 2)
        nn.init.constant_(self.head.weight, 1.0)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.mean(x).relu().mean((2, 3)))


@pytest.mark.parametrize("size", [(24, 24), (33, 25), (31, 47)])
@pytest.mark.parametrize("method", ["grad_cam", "layer_cam", "input_x_gradient", "occlusion", "integrated_gradients"])
def test_what_is_planted_in_a_cell_is_found_in_that_cell(method: str, size: tuple[int, int]) -> None:
    """The whole overlay is aligned: the middle of what is hot lies in the planted cell, for odd sizes too."""
    cell = 8
    net = cs.load_model(Cells(cell), input=cs.InputSpec(size=size, range=(0, 1), mean=0.0, std=1.0))
    rows, columns = size[0] // cell, size[1] // cell
    more = {"patch": 4, "stride": 2, "value": "black"} if method == "occlusion" else {}
    if method in ("grad_cam", "layer_cam"):
        more["layer"] = "mean"
    for row, column in np.ndindex(rows, columns):
        picture = torch.zeros(1, 3, *size)
        picture[:, :, row * cell : (row + 1) * cell, column * cell : (column + 1) * cell] = 1
        heat = np.abs(cs.explain(net, picture, 1, method=method, **more).arrays["map"])
        ys, xs = np.mgrid[: size[0], : size[1]]
        shares = heat / heat.sum()
        middle = float((shares * ys).sum()), float((shares * xs).sum())
        aim = ((row + 0.5) * cell - 0.5, (column + 0.5) * cell - 0.5)
        top = np.unravel_index(heat.argmax(), heat.shape)
        assert abs(top[0] - aim[0]) <= cell / 2 + 1
        assert abs(top[1] - aim[1]) <= cell / 2 + 1
        if 0 < row < rows - 1 and 0 < column < columns - 1:
            assert abs(middle[0] - aim[0]) <= 1.0
            assert abs(middle[1] - aim[1]) <= 1.0
