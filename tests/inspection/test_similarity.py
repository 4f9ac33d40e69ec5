"""Linear CKA and correlations: against their definitions, and the laws they follow."""

import numpy as np
import pytest
import torch
from torch import Tensor

from convscope.inspection.similarity import Moments


def literal_cka(x: np.ndarray, y: np.ndarray) -> float:
    """Kornblith et al. (2019), by Gram matrices: HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L))."""
    n = len(x)
    centre = np.eye(n) - np.ones((n, n)) / n
    k, m = centre @ (x @ x.T) @ centre, centre @ (y @ y.T) @ centre
    return float((k * m).sum() / np.sqrt((k * k).sum() * (m * m).sum()))


def moments(before: Tensor, after: Tensor, batch: int = 2) -> Moments:
    result = Moments()
    for first in range(0, len(before), batch):
        result.add(before[first : first + batch], after[first : first + batch])
    return result


def maps(seed: int, channels: int = 6) -> Tensor:
    return torch.randn(5, channels, 3, 4, generator=torch.Generator().manual_seed(seed)) + 2


def samples(maps: Tensor) -> np.ndarray:
    return maps.permute(0, 2, 3, 1).flatten(0, 2).double().numpy()


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_it_is_the_literal_one(batch: int) -> None:
    a, b = maps(0), maps(1, channels=9) + maps(0).sum(1, keepdim=True)
    assert moments(a, b, batch).cka() == pytest.approx(literal_cka(samples(a), samples(b)), abs=1e-9)


def test_rotation_scale_and_shift_do_not_matter() -> None:
    a = maps(0)
    turn = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(3)))[0]
    b = 3 * torch.einsum("nchw,cd->ndhw", a, turn) - 7
    assert moments(a, b).cka() == pytest.approx(1, abs=1e-6)
    assert moments(a, a).cka() == pytest.approx(1, abs=1e-9)


def test_unrelated_features_are_far_apart() -> None:
    a = torch.randn(200, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    b = torch.randn(200, 4, 5, 5, generator=torch.Generator().manual_seed(1))
    assert moments(a, b, 50).cka() < 0.01  # type: ignore[operator]


def test_what_cannot_be_compared_is_none() -> None:
    assert moments(torch.ones(5, 2, 3, 3), maps(0)[:, :2, :, :3]).cka() is None
    assert moments(torch.randn(2, 4, 1, 1), torch.randn(2, 4, 1, 1)).cka() is None


def test_correlations_are_the_literal_ones() -> None:
    a = maps(0)
    b = torch.stack([a[:, 0], -a[:, 1], maps(5)[:, 0], torch.full_like(a[:, 3], 2.0), a[:, 4] * 3 + 1, a[:, 5]], 1)
    c = a.clone()
    c[:, 5] = 7
    found = moments(a, b).correlations().numpy()
    for i in (0, 1, 2, 4, 5):
        assert found[i] == pytest.approx(np.corrcoef(samples(a)[:, i], samples(b)[:, i])[0, 1], abs=1e-6)
    assert found[3] == 0  # it answers the same to all pictures now
    assert moments(c, c).correlations()[5] == 1  # it never varied
    with pytest.raises(ValueError, match="6 and 3 channels"):
        moments(a, a[:, :3]).correlations()
