import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from convscope.images.ranks import rank_correlation, ranks


def test_rank_correlation_is_spearmans() -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        a = rng.integers(0, 6, 40).astype(float)
        b = a + rng.integers(0, 5, 40)
        assert rank_correlation(a, b) == pytest.approx(spearmanr(a, b).statistic)
    assert rank_correlation(np.ones(9), np.arange(9.0)) == 0


@pytest.mark.parametrize("shape", [(1,), (7,), (5, 6), (2, 3, 4)])
def test_equal_values_share_the_mean_of_their_ranks(shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(1).integers(0, 5, shape).astype(float)
    np.testing.assert_array_equal(ranks(values).ravel(), rankdata(values.ravel()))
    assert ranks(values).shape == shape
