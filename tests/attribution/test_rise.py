"""RISE by its formula, and stopped."""

import numpy as np
import pytest
import torch

import convscope as cs
from tests.networks import network, noise


def bilinear(coarse: np.ndarray, height: int, width: int) -> np.ndarray:
    """A grid enlarged by its cells' centres, written out; beyond the outermost centres it stays as it is."""
    found = np.zeros((height, width))
    rows, columns = coarse.shape
    for y, x in np.ndindex(height, width):
        at = np.clip([(y + 0.5) * rows / height - 0.5, (x + 0.5) * columns / width - 0.5], 0, [rows - 1, columns - 1])
        top, left = int(at[0]), int(at[1])
        below, right = min(top + 1, rows - 1), min(left + 1, columns - 1)
        down, across = at[0] - top, at[1] - left
        found[y, x] = (1 - down) * ((1 - across) * coarse[top, left] + across * coarse[top, right]) + down * (
            (1 - across) * coarse[below, left] + across * coarse[below, right]
        )
    return found


def test_rise_by_its_formula() -> None:
    """Equation 6, with the masks of section 3.3 drawn one by one: a grid of 4 cells with 0.4 of them open, enlarged to
    a cell more than the picture, and cut at a random offset within a cell."""
    net, picture = network("plain"), noise(1)
    found = cs.explain(net, picture, 2, method="rise", samples=12, grid=4, probability=0.4, seed=3).arrays["map"]
    seeds = torch.randint(2**62, (12,), generator=torch.Generator().manual_seed(3)).tolist()
    wanted, open_ = np.zeros((32, 32)), []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        coarse = (torch.rand((4, 4), generator=generator) < 0.4).double().numpy()
        open_.append(coarse.mean())
        large = bilinear(coarse, 40, 40)
        down, right = (int(torch.randint(8, (), generator=generator)) for _ in range(2))
        mask = large[down : down + 32, right : right + 32]
        grey = net.spec.neutral(picture)
        behind = (grey + torch.from_numpy(mask).float() * (picture - grey)).float()
        with torch.no_grad():
            share = float(net.probabilities(net.scores(net.run(behind)))[0, 2])
        wanted += share * mask / (12 * 0.4)
    assert np.abs(found - wanted).max() <= 1e-6
    assert 0.25 < np.mean(open_) < 0.55


def test_rise_that_is_stopped_keeps_the_mean_of_its_masks() -> None:
    net = network("plain")

    def watch(at: cs.Progress) -> None:
        if at.done >= 40:
            raise KeyboardInterrupt

    with pytest.raises(cs.Stopped, match=r"stopped after (\d+) of 200 masks") as stopped:
        cs.explain(net, noise(1), 1, method="rise", samples=200, grid=4, watch=watch)
    done = int(str(stopped.value).split()[2])
    assert 40 <= done < 100
    kept = stopped.value.result
    assert any("replay makes all" in note for note in kept.notes)
    whole = cs.explain(net, noise(1), 1, method="rise", samples=200, grid=4).arrays["map"]
    assert kept.arrays["map"].mean() == pytest.approx(whole.mean(), rel=0.1)
